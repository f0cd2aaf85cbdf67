"""Configurations are tried out: whether records go through, and what was wrong if not."""

import asyncio
from pathlib import Path

import pytest

from nectary.core.runtimes import File, Trial
from tests.core.processes import runtime, sink, working_in
from tests.harness.ports import free_port

pytestmark = [pytest.mark.fluent_bit, pytest.mark.timeout(240)]

SERVICE = "service: {flush: 0.2, grace: 1, log_level: info, scheduler.base: 1, scheduler.cap: 1}\n"
SILENT = SERVICE + "pipeline: {inputs: [{name: tail, path: /nowhere/*.log}], outputs: [{name: 'null', match: '*'}]}\n"
DUMMY = SERVICE + "pipeline:\n  inputs:\n    - {name: dummy, rate: 10}\n  outputs:\n"


async def test_a_destination_that_takes_records_is_ok(tmp_path: Path, fluent_bit: str) -> None:
    async with sink() as place, runtime(tmp_path / "state", fluent_bit) as here:
        config = DUMMY + f"    - {{name: http, match: '*', host: 127.0.0.1, port: {place.port}, format: json_lines}}\n"
        verdict = await here.try_out(Trial("t", config))
        assert verdict.stage == "ok", verdict.logs
        assert place.count > 0
        assert "came in and went out" in verdict.logs
        assert not (tmp_path / "state/trials/t").exists()
        assert working_in(tmp_path / "state/trials") == []


async def test_a_destination_that_is_not_there_fails_and_says_so(tmp_path: Path, fluent_bit: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit) as here:
        port = free_port()
        config = DUMMY + f"    - {{name: http, match: '*', host: 127.0.0.1, port: {port}, retry_limit: 1}}\n"
        verdict = await here.try_out(Trial("t", config, seconds=20))
        assert verdict.stage == "failed"
        assert verdict.logs.startswith("output http.0 did not deliver records\n")
        assert f"no connection to 127.0.0.1:{port}" in verdict.logs


async def test_a_source_that_yields_nothing_fails_when_its_time_is_over(tmp_path: Path, fluent_bit: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit) as here:
        config = (
            SERVICE
            + "pipeline:\n  inputs:\n    - {name: tail, path: /nowhere/*.log}\n  outputs:\n    - {name: 'null', match: '*'}\n"
        )
        verdict = await here.try_out(Trial("t", config, seconds=2))
        assert (verdict.stage, verdict.logs.splitlines()[0]) == ("failed", "no record came in")


async def test_a_source_that_yields_records_is_ok(tmp_path: Path, fluent_bit: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit) as here:
        config = SERVICE + (
            "pipeline:\n  inputs:\n    - {name: tail, path: '${NECTARY_FILES}/*.log', read_from_head: on}\n"
            "  outputs:\n    - {name: 'null', match: '*'}\n"
        )
        verdict = await here.try_out(Trial("t", config, files=(File("a.log", b"one\ntwo\n"),)))
        assert verdict.stage == "ok", verdict.logs


@pytest.mark.parametrize("config", ["pipeline: [", DUMMY + "    - {name: unheard_of, match: '*'}\n"])
async def test_a_configuration_that_cannot_run_fails(tmp_path: Path, fluent_bit: str, config: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit) as here:
        verdict = await here.try_out(Trial("t", config))
        assert verdict.stage == "failed"
        assert "cannot be read" in verdict.logs or "unheard_of" in verdict.logs


async def test_a_trial_that_is_given_up_leaves_nothing(tmp_path: Path, fluent_bit: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit) as here:
        config = (
            SERVICE
            + "pipeline:\n  inputs:\n    - {name: tail, path: /nowhere/*.log}\n  outputs:\n    - {name: 'null', match: '*'}\n"
        )
        trying = asyncio.create_task(here.try_out(Trial("t", config)))
        await asyncio.sleep(1)
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
        assert working_in(tmp_path / "state/trials") == []


async def test_secrets_of_a_trial_are_not_in_its_logs(tmp_path: Path, fluent_bit: str) -> None:
    async with runtime(tmp_path / "state", fluent_bit) as here:
        config = (
            DUMMY.replace("rate: 10", 'rate: 10, dummy: \'{"a": "${NECTARY_SECRET_A}"}\'')
            + "    - {name: stdout, match: '*'}\n"
        )
        verdict = await here.try_out(Trial("t", config, environment={"NECTARY_SECRET_A": "hush-hush"}))
        assert verdict.stage == "ok", verdict.logs
        assert "hush-hush" not in verdict.logs
