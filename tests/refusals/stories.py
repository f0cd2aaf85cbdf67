"""Refusals that take more than one request: each function gives the answer that refuses."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

from httpx import Response

from nectary import clock
from tests.harness import agent_asks
from tests.harness.world import ADMIN, PASSWORD
from tests.refusals.scene import Scene, invited

Story = Callable[[Scene], Awaitable[Response]]


async def invitation_expired(scene: Scene) -> Response:
    person, token = await scene.world.person("late@example.com"), await invited(scene, "late@example.com")
    with clock.moved(timedelta(seconds=61)):
        return await person.post("/v1/join_project", json={"token": token})


async def invitation_gone(scene: Scene) -> Response:
    person, token = await scene.world.person("twice@example.com"), await invited(scene, "twice@example.com")
    await person.ask("POST", "/v1/join_project", 204, json={"token": token})
    return await person.post("/v1/join_project", json={"token": token})


async def email_mismatch(scene: Scene) -> Response:
    other, token = await scene.world.person("other@example.com"), await invited(scene, "invited@example.com")
    return await other.post("/v1/join_project", json={"token": token})


async def email_taken(scene: Scene) -> Response:
    """Who has an account joins with it, and cannot make another."""
    await scene.world.person("known@example.com")
    body = {"token": await invited(scene, "known@example.com"), "name": "Known", "password": PASSWORD}
    return await scene.world.anyone.post("/v1/sign_up", json=body)


async def agent_gone(scene: Scene) -> Response:
    made = await scene.world.machine.ask("POST", "/v1/agents", 201, content=agent_asks.report())
    await scene.world.machine.ask("DELETE", f"/v1/agents/{made['id']}", 204)
    agent = scene.world.agent(made["token"])
    return await agent.post(f"/v1/agents/{made['id']}/metrics", content=agent_asks.metrics())


async def core_instance_gone(scene: Scene) -> Response:
    made = await scene.make("/v1/aggregators", {})
    await scene.world.machine.ask("DELETE", f"/v1/aggregators/{made['id']}", 204)
    core = scene.world.http(**{"X-Aggregator-Token": made["token"]})
    return await core.post(f"/v1/aggregators/{made['id']}/ping")


async def token_gone(scene: Scene) -> Response:
    path = f"/v1/projects/{scene.names['project']}/tokens"
    made = await scene.by["person"].ask("POST", path, 201, json={"name": "for a while"})
    await scene.world.machine.ask("DELETE", f"/v1/project_tokens/{made['id']}", 204)
    return await scene.world.token_of(made["token"]).get(f"/v1/projects/{scene.names['project']}")


async def fifty_one_sections(scene: Scene) -> Response:
    path = f"/v1/pipelines/{scene.names['pipeline']}/config_section_set"
    return await scene.world.machine.patch(path, json=[str(uuid4()) for _ in range(51)])


async def metrics_come_too_fast(scene: Scene) -> Response:
    """The buffer has room for one post, and nobody has written it down yet when the next comes."""
    path, agent = f"/v1/agents/{scene.names['agent']}/metrics", scene.by["agent"]
    await agent.ask("POST", path, 201, content=agent_asks.metrics())
    return await agent.post(path, content=agent_asks.metrics())


async def too_many_sign_ins(scene: Scene) -> Response:
    body = {"email": ADMIN, "password": "another"}
    for _ in range(scene.world.context.settings.sign_in_attempts):
        await scene.world.anyone.ask("POST", "/v1/sign_in", 401, json=body)
    return await scene.world.anyone.post("/v1/sign_in", json=body)


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        invitation_expired,
        invitation_gone,
        email_mismatch,
        email_taken,
        agent_gone,
        core_instance_gone,
        token_gone,
        fifty_one_sections,
        metrics_come_too_fast,
        too_many_sign_ins,
    )
}
