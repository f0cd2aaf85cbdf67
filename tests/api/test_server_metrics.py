"""What the server measures of itself."""

from tests.harness.world import World


async def test_requests_are_counted_by_method_route_and_status(world: World) -> None:
    path = f"/v1/projects/{world.project_id}"
    for _ in range(3):
        await world.machine.ask("GET", path, 200)
    await world.anyone.ask("GET", path, 401)
    counted = (await world.anyone.get("/metrics")).text.splitlines()
    assert 'nectary_requests_total{method="GET",route="/v1/projects/{projectID}",status="200"} 3.0' in counted
    assert 'nectary_requests_total{method="GET",route="/v1/projects/{projectID}",status="401"} 1.0' in counted
    assert 'nectary_request_seconds_count{route="/v1/projects/{projectID}"} 4.0' in counted


async def test_methods_that_somebody_makes_up_do_not_grow_what_is_counted(world: World) -> None:
    for number in range(30):
        await world.anyone.request(f"BREW{number}", "/v1/projects")
    counted = (await world.anyone.get("/metrics")).text
    assert "BREW" not in counted
    assert counted.count('method="(other)"') == 1
