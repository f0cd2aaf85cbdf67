"""`make bench`: figures are ratios, the server's to a bare one (median of alternating rounds), the engine's to a dry run."""

import asyncio
import json
import os
import statistics
import tempfile
import uuid
from pathlib import Path

import psutil

from benchmarks import config_engine, core_instance, load, servers
from benchmarks.servers import Running

BODY = Path(__file__).parents[1] / "tests/captures/metrics/agent_first.msgpack"
ROUNDS = 5


async def ratio(name: str, aim: str, port: int, bare: int, sent: bytes, expect: int) -> None:
    """How many times longer Nectary takes for a request than the bare server for the same bytes both ways."""
    rounds = []
    for _ in range(ROUNDS):
        ours = await load.per_second(port, sent, expect=expect)
        theirs = await load.per_second(bare, sent, expect=expect)
        rounds.append((theirs / ours, ours, theirs))
    middle, ours, theirs = sorted(rounds)[len(rounds) // 2]
    print(f"{name:<44} {middle:5.2f} x   ({ours:7.0f}/s against {theirs:7.0f}/s){aim}")


async def measure(server: Running) -> None:
    token = {"X_Project_Token": server.token}
    register = {"name": "bench", "machineID": str(uuid.uuid4()), "type": "fluentbit", "version": "5.1.1", "rawConfig": ""}
    asked = load.request("POST", "/v1/agents", json.dumps(register).encode(), **token, Content_Type="application/json")
    _, said = await load.answered(server.port, asked)
    agent = json.loads(said)
    project = json.loads((await load.answered(server.port, load.request("GET", f"/v1/agents/{agent['id']}", **token)))[1])
    project_path = f"/v1/projects/{project['projectID']}"

    post = load.request("POST", f"/v1/agents/{agent['id']}/metrics", BODY.read_bytes(), X_Agent_Token=agent["token"])
    with servers.bare(b'{"totalInserted":1}') as bare:
        await ratio("(a) POST of an agent's metrics, 15 kB", "   aim <= 3", server.port, bare, post, 201)

    await _measure_polls(server, project_path, token)

    bearer = await _sign_in(server)
    for n in range(25):
        body = json.dumps({"name": f"project {n}"}).encode()
        await load.answered(server.port, load.request("POST", "/v1/projects", body, **bearer, Content_Type="application/json"))
    for name, path, who in (
        ("(b) GET of one project", project_path, token),
        ("(b) GET of a list of 25 projects", "/v1/projects?last=25", bearer),
    ):
        sent = load.request("GET", path, **who)
        _, answer = await load.answered(server.port, sent)
        with servers.bare(answer) as bare:
            await ratio(f"{name}, {len(answer)} B", "", server.port, bare, sent, 200)


async def _measure_polls(server: Running, project_path: str, token: dict[str, str]) -> None:
    """As agents poll; while nothing is rolled out, and for a host that a rollout has not come to."""
    text = (
        "".join(f"[INPUT]\n    name dummy\n    tag part.{n}\n\n" for n in range(50)) + "[OUTPUT]\n    name null\n    match *\n"
    )
    body = json.dumps({"name": "bench", "rawConfig": text}).encode()
    made = load.request("POST", f"{project_path}/fleets", body, **token, Content_Type="application/json")
    fleet = f"/v1/fleets/{json.loads((await load.answered(server.port, made))[1])['id']}"
    poll = load.request("GET", f"{fleet}/config?format=ini&config_format=ini", **token, Fleet_Config_Version="1700000000")
    _, answer = await load.answered(server.port, poll)
    with servers.bare(answer) as bare:
        await ratio(f"(f) a fleet poll, {len(answer)} B", "   aim <= 2", server.port, bare, poll, 200)
        change = json.dumps({"rawConfig": text + "# more\n", "rollout": {"stages": "0.01% 1h, 100%"}}).encode()
        sent = load.request("PATCH", fleet, change, **token, Content_Type="application/json")
        assert (await load.answered(server.port, sent))[0] == 200
        await ratio(f"(f) the same in a rollout, {len(answer)} B", "   aim <= 2", server.port, bare, poll, 200)


async def _sign_in(server: Running) -> dict[str, str]:
    body = json.dumps({"email": "admin@localhost.localdomain", "password": server.password}).encode()
    _, said = await load.answered(server.port, load.request("POST", "/v1/sign_in", body, Content_Type="application/json"))
    return {"Authorization": f"Bearer {json.loads(said)['token']}"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="nectary-bench-") as folder:
        # An installed program has its byte code on disk. Without it every start compiles all of the web stack anew.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        with servers.nectary():
            pass
        _measure_all()


def _measure_all() -> None:
    starts = []
    for _ in range(3):
        with servers.nectary() as server:
            starts.append(server.seconds_to_healthy)
    with servers.nectary() as server:
        at_rest = psutil.Process(server.pid).memory_info().rss / 2**20
        asyncio.run(measure(server))
        loaded = psutil.Process(server.pid).memory_info().rss / 2**20
    print(f"{'(c) from process start to /healthz, first start':<44} {statistics.median(starts):5.2f} s   aim <= 1.5")
    print(f"{'(d) memory at rest':<44} {at_rest:5.0f} MB  aim <= 150; {loaded:.0f} MB after the above")
    print("(e) reading and checking a configuration, to the whole `fluent-bit --dry-run`   aim <= 1")
    config_engine.main()
    core_instance.main()


main()
