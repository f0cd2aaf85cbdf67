"""A core instance over the fake runtime, against the real server."""

import json
import socket
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nectary import clock
from nectary.client import Refused, Unreachable
from nectary.core.identity import NotOursError, alone_in
from nectary.core.runtimes import Deployment, Trial, Verdict
from nectary.core.runtimes.fake import FakeRuntime, Machine
from nectary.fluentbit import yaml
from tests.core.instances import Wire, eventually, instance, opened, running
from tests.harness.pipelines import CLASSIC, core_instance, encoded, one, pipeline
from tests.harness.world import World

DUMMY = "[INPUT]\n    Name dummy\n[OUTPUT]\n    Name null\n    Match *\n"


async def created(world: World, me: Any, **body: Any) -> dict[str, Any]:
    if me.identity is None:
        await me.turn()
    return await pipeline(world, me.identity.id, **{"rawConfig": DUMMY, **body})


async def status(world: World, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await one(world.machine, id))["status"]
    return found


# -- Made, found, gone -----------------------------------------------------------------------------------------------------


async def test_the_first_turn_makes_it_and_keeps_who_it_is_for_nobody_else(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path / "state", tags=("edge",)) as me:
        await me.turn()
        [known] = (await world.machine.ask("GET", f"/v1/projects/{world.project_id}/core_instances", 200))["items"]
        assert (known["name"], known["tags"], known["version"], known["status"]) == ("here", ["edge"], "v1.0", "waiting")
        file = tmp_path / "state" / "core-instance.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        kept = json.loads(file.read_text())
        assert kept["id"] == known["id"]
        assert kept["private_key"]
        assert kept["token"]
    async with opened(world, tmp_path / "state") as again:
        await again.turn()
        assert again.identity is not None
        assert again.identity.id == known["id"]


async def test_a_health_check_pipeline_is_made_with_it_and_reached_as_asked(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path, health_check_port=2021, health_check_port_kind="NodePort") as me:
        await me.turn()
        [known] = me.desired.known.values()
        assert [(port.frontend_port, port.kind) for port in known.pipeline.ports or ()] == [(2021, "NodePort")]


async def test_a_pipeline_runs_and_is_reported_once(world: World, tmp_path: Path) -> None:
    wire = Wire(world)
    async with opened(world, tmp_path, wire=wire) as me:
        made = await created(world, me, rawConfig=CLASSIC)
        wire.asked.clear()
        await me.turn()
        now = await one(world.machine, made["id"], include="ports")
        assert now["status"]["status"] == "STARTED"
        assert now["ports"][0]["endpoint"] == "127.0.0.1:24224"
        assert [path.split("/")[2] for _, path in wire.written()] == ["aggregator_pipelines", "pipeline_ports"]
        wire.asked.clear()
        for _ in range(3):
            await me.turn()
        assert wire.written() == []
        await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{made['id']}", 200, json={"status": "NEW"})
        await me.turn()
        assert (await status(world, made["id"]))["status"] == "STARTED", "what somebody else overwrote is said again"


async def test_a_new_configuration_is_reported_as_running(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as me:
        made = await created(world, me)
        await me.turn()
        patch = {"rawConfig": DUMMY.replace("null", "stdout")}
        await world.machine.ask("PATCH", f"/v1/aggregator_pipelines/{made['id']}", 200, json=patch)
        await me.turn()
        now = await one(world.machine, made["id"])
        assert now["status"]["status"] == "STARTED"
        assert now["status"]["config"]["id"] == now["config"]["id"] != made["config"]["id"]


async def test_a_deleted_pipeline_ends_and_a_deleted_core_instance_begins_anew(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with opened(world, tmp_path, machine) as me:
        first, second = await created(world, me, name="one"), await created(world, me, name="two")
        await me.turn()
        assert set(machine.running) == {first["id"], second["id"]}
        await world.machine.ask("DELETE", f"/v1/aggregator_pipelines/{first['id']}", 204)
        await me.turn()
        assert set(machine.running) == {second["id"]}
        assert me.identity is not None
        before = me.identity.id
        await world.machine.ask("DELETE", f"/v1/aggregators/{before}", 204)
        await me.turn()
        assert machine.running == {}
        await me.turn()
        assert me.identity is not None
        assert me.identity.id != before


async def test_another_of_the_same_name_is_not_taken_over_while_it_runs(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path / "one") as me, opened(world, tmp_path / "two") as other:
        await me.turn()
        assert me.identity is not None
        await world.machine.ask("POST", f"/v1/aggregators/{me.identity.id}/ping", 200)
        with pytest.raises(NotOursError, match=r"running elsewhere.*--name"):
            await other.turn()
        with clock.moved(timedelta(minutes=2)):  # the first one is not heard of any more
            await other.turn()
        assert other.identity is not None
        assert (other.identity.id, other.identity.private_key) == (me.identity.id, "")


async def test_a_state_folder_of_another_project_is_refused(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as me:
        await me.turn()
    person, project = await world.stranger()
    [token] = await person.ask("GET", f"/v1/projects/{project}/tokens", 200)
    async with opened(world, tmp_path, token=token["token"]) as other:
        with pytest.raises(NotOursError, match="another project"):
            await other.turn()


async def test_an_environment_that_is_not_there_is_said_with_those_that_are(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path, environment="moon") as me:
        with pytest.raises(NotOursError, match="'moon'; it has default"):
            await me.turn()


# -- Faults ----------------------------------------------------------------------------------------------------------------


async def test_while_the_server_is_away_everything_runs_on_and_nothing_new_is_stopped(world: World, tmp_path: Path) -> None:
    machine, wire = Machine(), Wire(world)
    async with opened(world, tmp_path, machine, wire=wire) as me:
        made = await created(world, me)
        await me.turn()
        wire.cut = True
        for _ in range(3):
            with pytest.raises(Unreachable):
                await me.turn()
        assert set(machine.running) == {made["id"]}
    async with opened(world, tmp_path, machine, wire=wire) as again:  # and it dies, while the server is away
        with pytest.raises(Unreachable):
            await again.turn()
        assert set(machine.running) == {made["id"]}
        wire.cut, starts = False, machine.running[made["id"]].starts
        await again.turn()
        assert machine.running[made["id"]].starts == starts


async def test_a_refused_token_is_said_and_stops_nothing(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with opened(world, tmp_path, machine) as me:
        made = await created(world, me)
        await me.turn()
        key = (tmp_path / "core-instance.json").read_text().replace('"token":"', '"token":"x')
        (tmp_path / "core-instance.json").write_text(key)
    async with opened(world, tmp_path, machine) as again:
        with pytest.raises(Refused):
            await again.turn()
        assert set(machine.running) == {made["id"]}


async def test_a_deleted_token_is_said_to_be_gone(world: World, tmp_path: Path) -> None:
    made = await world.admin.ask("POST", f"/v1/projects/{world.project_id}/tokens", 201, json={"name": "for a while"})
    await world.admin.ask("DELETE", f"/v1/project_tokens/{made['id']}", 204)
    async with running(world, tmp_path, token=made["token"]) as me:

        async def troubled() -> bool:
            return me.trouble.times > 0

        await eventually(troubled)
        assert me.trouble.text.endswith("token gone: it was deleted; give it a token that is good")


async def test_a_secret_that_cannot_be_opened_fails_its_pipeline_alone_with_words(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with opened(world, tmp_path, machine) as me:
        good = await created(world, me, name="good")
        config = DUMMY + "    Alias {{ secrets.word }}\n"
        bad = await created(world, me, name="bad", rawConfig=config, secrets=[{"key": "word", "value": encoded("hush")}])
        await me.turn()
        assert machine.running[bad["id"]].deployment.environment == {"NECTARY_SECRET_word": "hush"}
    state = json.loads((tmp_path / "core-instance.json").read_text())
    machine.running.clear()
    (tmp_path / "core-instance.json").write_text(json.dumps({**state, "private_key": ""}))
    async with opened(world, tmp_path, machine) as again:
        await again.turn()
        assert set(machine.running) == {good["id"]}
        said = await status(world, bad["id"])
        assert (said["status"], [event["reason"] for event in said["events"]]) == ("FAILED", ["SecretUnreadable"])
        assert "secret word cannot be opened" in said["events"][0]["message"]
        assert said["events"][0]["source"] == "core"
    async with opened(world, tmp_path, machine, wire=(wire := Wire(world))) as third:
        await third.turn()
        assert wire.written() == [], "the same thing found again is no news"


async def test_core_instances_secrets_and_files_are_for_all_and_pipelines_own_win(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with opened(world, tmp_path, machine) as me:
        await me.turn()
        assert me.identity is not None
        path = f"/v1/core_instances/{me.identity.id}"
        for key in ("mine", "theirs"):
            await world.machine.ask("POST", f"{path}/secrets", 201, json={"key": key, "value": encoded("shared")})
        file = {"name": "ca", "contents": encoded("shared"), "encrypted": True}
        await world.machine.ask("POST", f"{path}/files", 201, json=file)
        config = DUMMY + "    Alias {{ secrets.mine }}{{ secrets.theirs }}\n    tls.ca_file {{ files.ca }}\n"
        own = [{"key": "mine", "value": encoded("own")}]
        made = await created(world, me, rawConfig=config, secrets=own)
        await me.turn()
        deployment = machine.running[made["id"]].deployment
        assert deployment.environment == {"NECTARY_SECRET_mine": "own", "NECTARY_SECRET_theirs": "shared"}
        assert [(one.name, one.contents, one.secret) for one in deployment.files if one.name == "ca"] == [
            ("ca", b"shared", True)
        ]
        assert "shared" not in deployment.config


async def test_what_a_runtime_says_of_a_failure_is_passed_on_once(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with opened(world, tmp_path, machine) as me:
        await created(world, me, name="first", rawConfig=CLASSIC)
        await me.turn()
        second = await created(world, me, name="second", rawConfig=CLASSIC)
        await me.turn()
        await me.turn()
        said = await status(world, second["id"])
        assert said["status"] == "FAILED"
        assert [event["message"] for event in said["events"]] == [
            "port 24224/tcp is taken by pipeline first; give one of them another port"
        ]


async def test_a_runtime_that_cannot_run_is_said_of_every_pipeline_and_mended_by_itself(world: World, tmp_path: Path) -> None:
    machine = Machine(unavailable="no fluent-bit binary was found; install one")
    async with opened(world, tmp_path, machine) as me:
        made = await created(world, me)
        await me.turn()
        said = await status(world, made["id"])
        assert (said["status"], said["events"][0]["reason"]) == ("FAILED", "RuntimeUnavailable")
        assert "install one" in said["events"][0]["message"]
        machine.unavailable = ""
        await me.turn()
        assert (await status(world, made["id"]))["status"] == "STARTED"


async def test_config_sections_and_rules_are_in_what_runs_in_their_order(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with opened(world, tmp_path, machine) as me:
        made = await created(world, me)
        rule = {
            "match": "*",
            "language": "lua",
            "actions": [{"kind": "add", "enabled": True, "add": {"key": "a", "value": "b"}}],
        }
        await world.machine.ask("POST", f"/v1/pipelines/{made['id']}/processing_rules", 201, json=rule)
        sections = []
        for kind, properties in (("output", {"name": "stdout"}), ("service", {"flush": 3}), ("filter", {"name": "kubernetes"})):
            pairs = [{"key": key, "value": value} for key, value in properties.items()]
            body = {"kind": kind, "properties": pairs, "skipConfigValidation": True}
            section = await world.machine.ask("POST", f"/v1/projects/{world.project_id}/config_sections", 201, json=body)
            sections.append(section["id"])
        await world.machine.ask("PATCH", f"/v1/pipelines/{made['id']}/config_section_set", 204, json=sections)
        await me.turn()
        deployment = machine.running[made["id"]].deployment
        document = yaml.parse(deployment.config)
        assert [plugin.name for plugin in document.plugins] == ["dummy", "kubernetes", "lua", "null", "stdout"]
        assert [prop.value for prop in document.service if prop.name == "flush"] == ["3"]
        assert "${NECTARY_FILES}/processing-rule" in deployment.config
        assert b'record["a"] = "b"' in next(file.contents for file in deployment.files if file.name == "processing-rule")


# -- Checks ----------------------------------------------------------------------------------------------------------------


def listening(kind: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, kind)
    opened.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        opened.listen()
    return opened


async def test_a_pipeline_that_waits_for_its_checks_starts_when_they_are_well(world: World, tmp_path: Path) -> None:
    machine = Machine()
    reserved = listening(socket.SOCK_STREAM)
    port = reserved.getsockname()[1]
    reserved.close()
    config = f"[INPUT]\n    Name dummy\n[OUTPUT]\n    Name tcp\n    Match *\n    Host 127.0.0.1\n    Port {port}\n"
    async with opened(world, tmp_path, machine) as me:
        made = await created(world, me, rawConfig=config, waitForChecksBeforeDeploying=True)
        [check] = made["checks"]
        await world.machine.ask("PATCH", f"/v1/pipeline_checks/{check['id']}", 204, json={"retries": 1})

        async def turned_to(word: str) -> bool:
            await me.turn()
            return bool((await status(world, made["id"]))["status"] == word)

        await eventually(lambda: turned_to("CHECKS_FAILED"))
        assert machine.running == {}
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as there:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            there.bind(("127.0.0.1", port))
            there.listen()
            me.errands._checker._failed.clear()  # as if its minute were over
            await eventually(lambda: turned_to("STARTED"))
        path = f"/v1/aggregator_pipelines/{made['id']}/status_history"
        history = await world.machine.ask("GET", path, 200)
        assert [each["status"] for each in history] == ["STARTED", "CHECKS_OK", "CHECKS_FAILED", "NEW"]


async def test_checks_of_the_core_instance_are_tried_over_tcp_and_udp(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as me:
        await me.turn()
        assert me.identity is not None
        with listening(socket.SOCK_STREAM) as tcp, listening(socket.SOCK_DGRAM) as udp:
            closed = listening(socket.SOCK_DGRAM)
            gone = closed.getsockname()[1]
            closed.close()
            ports = {("tcp", tcp.getsockname()[1]): "ok", ("udp", udp.getsockname()[1]): "ok", ("udp", gone): "failed"}
            path = f"/v1/core_instances/{me.identity.id}/checks"
            for protocol, port in ports:
                body = {"protocol": protocol, "host": "127.0.0.1", "port": port, "retries": 1}
                await world.machine.ask("POST", path, 201, json=body)
            me.wake()
            await me.turn()

            async def decided() -> Any:
                found = await world.machine.ask("GET", path, 200)
                return found if all(each["status"] in ("ok", "failed") for each in found) else None

            found = await eventually(decided)
            assert {(each["protocol"], each["port"]): each["status"] for each in found} == ports


# -- What else is asked ----------------------------------------------------------------------------------------------------


async def test_requests_for_logs_are_answered(world: World, tmp_path: Path) -> None:
    async with opened(world, tmp_path) as me:
        made = await created(world, me, rawConfig="@SET FAKE_LOGS=one|two|three\n" + DUMMY)
        path = f"/v1/pipelines/{made['id']}/logs"
        asked = await world.machine.ask("POST", path, 201, json={"lines": 2})
        await me.turn()
        answered = await world.machine.ask("GET", f"/v1/pipeline_logs/{asked['id']}", 200)
        assert (answered["status"], answered["logs"], answered["lines"]) == ("DONE", "two\nthree\n", 2)


class Trying(FakeRuntime):
    """Says of every trial what it was told to."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said
        self.tried: list[str] = []

    async def try_out(self, trial: Trial) -> Verdict:
        self.tried.append(trial.config)
        return Verdict("ok" if self.said == "ok" else "failed", self.said)


class Stumbling(FakeRuntime):
    """Has a fault that one pipeline runs into."""

    stumbles_over = ""

    async def apply(self, deployment: Deployment) -> None:
        if deployment.name == self.stumbles_over:
            raise ZeroDivisionError("a fault of ours")
        await super().apply(deployment)


async def test_a_pipeline_that_a_runtime_stumbles_over_harms_no_other(world: World, tmp_path: Path) -> None:
    runtime = Stumbling()
    runtime.stumbles_over = "bad"
    async with opened(world, tmp_path, runtime=runtime) as me:
        bad, good = await created(world, me, name="bad"), await created(world, me, name="good")
        await me.turn()
        assert (await status(world, good["id"]))["status"] == "STARTED"
        said = await status(world, bad["id"])
        assert (said["status"], said["events"][0]["reason"]) == ("FAILED", "RuntimeFault")
        runtime.stumbles_over = ""
        await me.turn()
        assert (await status(world, bad["id"]))["status"] == "STARTED"


@pytest.mark.parametrize(("said", "status_"), [("ok", "ok"), ("connection refused", "failed")])
async def test_ingest_checks_are_run(world: World, tmp_path: Path, said: str, status_: str) -> None:
    runtime = Trying(said)
    async with opened(world, tmp_path, runtime=runtime) as me:
        await me.turn()
        assert me.identity is not None
        pairs = [{"key": "name", "value": "stdout"}, {"key": "match", "value": "only.this"}]
        section = await world.machine.ask(
            "POST", f"/v1/projects/{world.project_id}/config_sections", 201, json={"kind": "output", "properties": pairs}
        )
        path = f"/v1/core_instances/{me.identity.id}/ingest_checks"
        made = await world.machine.ask("POST", path, 201, json={"configSectionID": section["id"], "collectLogs": True})
        me.wake()
        await me.turn()

        async def decided() -> Any:
            found = await world.machine.ask("GET", f"/v1/ingest_checks/{made['id']}", 200)
            return found if found["status"] in ("ok", "failed") else None

        found = await eventually(decided)
        assert (found["status"], found["logs"]) == (status_, encoded(said))
        [tried] = runtime.tried
        assert "dummy" in tried
        assert "only.this" not in tried


async def test_namespaces_come_and_go_and_limit_what_cluster_logging_reads(world: World, tmp_path: Path) -> None:
    machine = Machine(namespaces=["web", "db", "Not A Namespace"])
    async with opened(world, tmp_path, machine, cluster_logging=True) as me:
        await me.turn()
        assert me.identity is not None
        path = f"/v1/core_instances/{me.identity.id}/cluster_objects"
        found = {each["name"]: each["id"] for each in await world.machine.ask("GET", path, 200)}
        assert set(found) == {"web", "db"}
        listed = await world.machine.ask("GET", f"/v1/core_instances/{me.identity.id}/pipelines", 200)
        [logging] = listed["items"]
        await me.turn()
        assert "/var/log/containers/*.log" in machine.running[logging["id"]].deployment.config
        patch = {"clusterObjectsIDs": [found["web"]]}
        await world.machine.ask("PATCH", f"/v1/pipelines/{logging['id']}/cluster_objects", 204, json=patch)
        regex = {"regex": "^d"}
        await world.machine.ask("POST", f"/v1/pipelines/{logging['id']}/cluster_object_regexes", 201, json=regex)
        machine.namespaces = ["web", "db", "dev"]
        me.wake()
        await me.turn()
        me.wake()
        await me.turn()
        config = machine.running[logging["id"]].deployment.config
        assert "*_db_*.log,/var/log/containers/*_dev_*.log,/var/log/containers/*_web_*.log" in config
        machine.namespaces = ["web"]
        me.wake()
        await me.turn()
        assert {each["name"] for each in await world.machine.ask("GET", path, 200)} == {"web"}


# -- By itself -------------------------------------------------------------------------------------------------------------


async def test_at_work_it_hears_of_changes_and_pings_and_writes_nothing_when_nothing_happens(
    world: World, tmp_path: Path
) -> None:
    wire = Wire(world)
    async with running(world, tmp_path, wire=wire) as me:

        async def is_there() -> Any:
            known = (await world.machine.ask("GET", f"/v1/projects/{world.project_id}/core_instances", 200))["items"]
            return known and known[0]["status"] == "running" and known[0]["id"]

        id = await eventually(is_there)
        made = await pipeline(world, id, rawConfig=DUMMY)

        async def started() -> bool:
            return bool((await status(world, made["id"]))["status"] == "STARTED")

        await eventually(started)
        turns = me.turns
        wire.asked.clear()

        async def turned() -> bool:
            return me.turns > turns + 5

        await eventually(turned)
        assert wire.written() == []


async def test_it_goes_on_when_the_server_is_back(world: World, tmp_path: Path) -> None:
    wire, machine = Wire(world), Machine()
    async with running(world, tmp_path, machine, wire=wire) as me:

        async def known() -> bool:
            return me.identity is not None

        await eventually(known)
        assert me.identity is not None
        wire.cut = True

        async def troubled() -> bool:
            return me.trouble.times > 1

        await eventually(troubled)
        assert "does not answer" in me.trouble.text
        made = await pipeline(world, me.identity.id, rawConfig=DUMMY)
        wire.cut = False

        async def runs() -> bool:
            return made["id"] in machine.running

        await eventually(runs)


async def test_a_clock_that_jumps_moves_nothing(world: World, tmp_path: Path) -> None:
    machine = Machine()
    async with opened(world, tmp_path, machine) as me:
        made = await created(world, me)
        await me.turn()
        for by in (timedelta(days=400), timedelta(days=-400)):
            with clock.moved(by):
                await me.turn()
        assert machine.running[made["id"]].starts == 1


async def test_two_at_work_with_one_state_folder_are_told_apart(world: World, tmp_path: Path) -> None:
    instance(world, tmp_path)
    with alone_in(tmp_path), pytest.raises(NotOursError, match="--state-dir"), alone_in(tmp_path):
        pass


async def test_core_instance_made_by_hand_is_taken_up_by_its_name(world: World, tmp_path: Path) -> None:
    made = await core_instance(world, name="here")
    async with opened(world, tmp_path) as me:
        await me.turn()
        assert me.identity is not None
        assert me.identity.id == made["id"]
