"""A core instance in a real Kubernetes API whose node runs the real Fluent Bit in pods."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from nectary.core.runtimes import Deployment, Trial
from nectary.core.runtimes.kubernetes.runtime import Kubernetes
from tests.core.instances import eventually
from tests.core.kubernetes.conftest import Place
from tests.core.kubernetes.node import Node, playing
from tests.core.kubernetes.pipelines import SERVICE, SMALL

DUMMY = (
    f"{SERVICE}\npipeline:\n  inputs:\n    - name: dummy\n      samples: 3\n  outputs:\n    - name: stdout\n      match: '*'\n"
)
RUNS = replace(SMALL, config=DUMMY)


@pytest.fixture
def node(place: Place, tmp_path: Path, fluent_bit: str) -> Iterator[Node]:
    if not place.played:
        pytest.skip("SKIPPED: this cluster has nodes of its own, so a test cannot play one")
    (tmp_path / "node").mkdir()
    with playing(place.admin, place.namespace, tmp_path / "node", fluent_bit) as made:
        yield made


async def test_a_pods_fluent_bit_answers_where_the_runtime_says_and_its_log_is_shown(place: Place, node: Node) -> None:
    runtime = await place.runtime()
    await runtime.apply(RUNS)
    for name in ("small-a", "small-b"):
        place.pod("deployments", "small", name, {})

    async def answering() -> list[str]:
        found = list(await runtime.http(RUNS.pipeline_id))
        async with httpx.AsyncClient(trust_env=False) as client:
            for address in found:
                try:
                    assert (await client.get(f"{address}/api/v1/uptime")).is_success
                except httpx.ConnectError:
                    return []
        return found if len(found) == 2 else []

    assert len(await eventually(answering)) == 2

    async def both_told() -> str:
        text = await runtime.logs(RUNS.pipeline_id, 200)
        return text if text.count('"message"=>"dummy"') == 6 else ""

    text = await eventually(both_told)
    assert {line.partition(": ")[0] for line in text.splitlines()} == {"small-a", "small-b"}
    assert len((await runtime.logs(RUNS.pipeline_id, 4)).splitlines()) == 4


async def test_a_trial_that_delivers_is_ok_and_leaves_nothing(place: Place, node: Node) -> None:
    runtime = await place.runtime()
    verdict = await runtime.try_out(Trial("t1", DUMMY, environment={"NECTARY_SECRET_A": "hidden-value"}, seconds=30))
    assert verdict.stage == "ok"
    assert '"message"=>"dummy"' in verdict.logs
    for plural in ("pods", "configmaps"):
        left = place.admin.get(place.path(plural)).json()["items"]
        assert [one for one in left if not one["metadata"].get("deletionTimestamp")] == []


async def test_a_trial_that_cannot_deliver_fails_with_fluent_bits_words_and_no_secret(place: Place, node: Node) -> None:
    config = DUMMY.replace(
        "name: stdout",
        "name: http\n      host: 127.0.0.1\n      port: 9\n      uri: /${NECTARY_SECRET_A}\n      retry_limit: 'no_retries'",
    )
    runtime = await place.runtime()
    verdict = await runtime.try_out(Trial("t2", config, environment={"NECTARY_SECRET_A": "hidden-value"}, seconds=30))
    assert verdict.stage == "failed"
    assert "output http.0 failed" in verdict.logs
    assert "127.0.0.1:9" in verdict.logs
    assert "hidden-value" not in verdict.logs


async def test_a_trial_that_does_not_start_fails_at_once(place: Place, node: Node) -> None:
    runtime = await place.runtime()
    verdict = await runtime.try_out(Trial("t3", DUMMY.replace("name: dummy", "name: nosuch"), seconds=30))
    assert verdict.stage == "failed"
    assert "ended before a record went through" in verdict.logs
    assert "nosuch" in verdict.logs


async def test_what_a_crashed_fluent_bit_said_is_told(place: Place, node: Node) -> None:
    runtime = await place.runtime()
    await runtime.apply(replace(RUNS, config=DUMMY.replace("name: dummy", "name: nosuch")))
    place.pod("deployments", "small", "small-a", {})

    async def told() -> str:
        report = (await runtime.observe())[RUNS.pipeline_id]
        return report.events[0].message if report.state == "FAILED" else ""

    assert "nosuch" in await eventually(told)


def template(place: Place) -> Any:
    return place.get("deployments", "small")["spec"]["template"]


async def hot(place: Place, runtime: Kubernetes) -> Deployment:
    """A pipeline that reloads, started."""
    deployment = replace(RUNS, strategy="hotReload", version="v1")
    await runtime.apply(deployment)
    place.pod("deployments", "small", "small-a", {})

    async def answers() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            for address in await runtime.http(RUNS.pipeline_id):
                with contextlib.suppress(httpx.ConnectError):
                    return (await client.get(f"{address}/api/v2/reload")).is_success
        return False

    await eventually(answers)
    place.rolled_out("deployments", "small")
    assert (await runtime.observe())[RUNS.pipeline_id].version == "v1"
    return deployment


async def loaded(place: Place, runtime: Kubernetes, wanted: Deployment) -> None:
    """Turn after turn until the rehearsal is over, and the cluster has the configuration."""

    async def taken() -> bool:
        await runtime.apply(wanted)
        report = (await runtime.observe())[RUNS.pipeline_id]
        assert (report.state, report.events) == ("STARTING", ()), report
        found = place.get("configmaps", "small")["metadata"]["annotations"]["nectary/version"]
        return bool(found == wanted.version)

    await eventually(taken)


async def test_a_configuration_that_fluent_bit_does_not_take_is_not_reloaded(place: Place, node: Node) -> None:
    runtime = await place.runtime()
    deployment = await hot(place, runtime)
    wrong = replace(deployment, config=DUMMY.replace("name: stdout", "name: nosuch"), version="v2")

    async def refused() -> str:
        await runtime.apply(wrong)
        report = (await runtime.observe())[RUNS.pipeline_id]
        assert report.ready == 1
        return report.events[0].message if (report.state, report.version) == ("FAILED", "v2") else ""

    said = await eventually(refused)
    assert "what ran before runs on" in said
    assert "nosuch" in said
    assert place.get("configmaps", "small")["metadata"]["annotations"]["nectary/version"] == "v1"
    await runtime.apply(deployment)
    report = (await runtime.observe())[RUNS.pipeline_id]
    assert (report.state, report.version, report.events) == ("STARTED", "v1", ())

    async def cleared() -> bool:
        left = place.admin.get(place.path("pods")).json()["items"]
        return [one["metadata"]["name"] for one in left] == ["small-a"]

    assert await eventually(cleared)


async def test_a_hot_reload_is_done_when_fluent_bit_has_counted_it(place: Place, node: Node) -> None:
    runtime = await place.runtime()
    deployment = await hot(place, runtime)
    before = template(place)
    await loaded(place, runtime, replace(deployment, config=DUMMY.replace("samples: 3", "samples: 4"), version="v2"))
    place.rolled_out("deployments", "small")
    assert template(place) == before, "no pod is replaced"
    report = (await runtime.observe())[RUNS.pipeline_id]
    assert (report.state, report.version) == ("STARTING", "")
    node.remount()

    async def reloaded() -> bool:
        report = (await runtime.observe())[RUNS.pipeline_id]
        return (report.state, report.version) == ("STARTED", "v2")

    assert await eventually(reloaded)


async def test_pods_that_do_not_reload_are_restarted(place: Place, node: Node) -> None:
    runtime = await place.runtime(patience=0.0)
    deployment = await hot(place, runtime)
    changed = replace(deployment, config=DUMMY.replace("samples: 3", "samples: 4"), version="v2")
    await loaded(place, runtime, changed)
    await runtime.apply(changed)
    assert template(place)["metadata"]["annotations"]["nectary/restarted-for"] == "v2"
    place.rolled_out("deployments", "small")
    report = (await runtime.observe())[RUNS.pipeline_id]
    assert (report.state, report.version) == ("STARTED", "v2")
    before = template(place)
    await runtime.apply(changed)
    assert template(place) == before, "once is enough"


async def test_a_destination_that_fails_is_told_of_a_running_pipeline_without_its_secrets(place: Place, node: Node) -> None:
    runtime = await place.runtime()
    failing = DUMMY.replace("samples: 3", "rate: 1").replace(
        "name: stdout", "name: http\n      host: 127.0.0.1\n      port: 9\n      retry_limit: 9"
    )
    await runtime.apply(replace(RUNS, config=failing, environment={"NECTARY_SECRET_A": "127.0.0.1"}))
    place.pod("deployments", "small", "small-a", {})
    place.rolled_out("deployments", "small")

    async def told() -> str:
        report = (await runtime.observe())[RUNS.pipeline_id]
        assert report.state in ("STARTING", "STARTED")
        return next((event.message for event in report.events if event.reason == "OutputFails"), "")

    said = await eventually(told)
    assert said.startswith("pod small-a: output http.0: ")
    assert "***" in said
    assert "127.0.0.1" not in said
    first = (await runtime.observe())[RUNS.pipeline_id].events
    assert (await runtime.observe())[RUNS.pipeline_id].events == first, "it is told once"
