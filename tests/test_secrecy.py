"""What is secret is written down nowhere: not in the database, a log, the audit log, an error or a traceback."""

import base64
import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from httpx import Response

from nectary import log
from tests.harness.failures import break_commits
from tests.harness.pipelines import CLASSIC
from tests.harness.world import PASSWORD, Http, World


@dataclass
class Canaries:
    """Texts that must never be seen again, and every answer that was given meanwhile."""

    world: World
    texts: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    def new(self, what: str) -> str:
        self.texts[what] = f"canary-{secrets.token_hex(8)}"
        return self.texts[what]

    def encoded(self, what: str) -> str:
        return base64.b64encode(self.new(what).encode()).decode()

    async def ask(self, method: str, path: str, expect: int, body: Any = None, http: Http | None = None) -> Response:
        given = {"content": body} if isinstance(body, str) else {"json": body}
        answer = await (http or self.world.machine).request(method, path, **given)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        self.answers.append(answer.text)
        return answer

    def seen_in(self, text: str | bytes) -> list[str]:
        """Which of them stand in there, as they are or in base64."""
        haystack = text.encode() if isinstance(text, str) else text
        return [
            what
            for what, canary in self.texts.items()
            if canary.encode() in haystack or base64.b64encode(canary.encode()).rstrip(b"=")[:-1] in haystack
        ]


@pytest.fixture(params=["console", "json"])
def _everything_is_logged(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    log.set_up("debug", request.param)
    yield
    root.handlers, level = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_everything_is_logged")
async def test_no_secret_is_seen_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    canaries = Canaries(world)
    ci = (await canaries.ask("POST", "/v1/aggregators", 201, {"name": "ci"})).json()
    pipeline = await _made(canaries, ci["id"])
    await _refused(canaries, ci["id"], pipeline)
    await _people(canaries)
    for path in (f"/v1/aggregator_pipelines/{pipeline}", f"/v1/aggregator_pipelines/{pipeline}/secrets"):
        await canaries.ask("GET", path, 200)
    logs = await canaries.ask("GET", f"/v1/projects/{world.project_id}/audit_logs", 200)
    assert len(logs.json()["items"]) >= 12
    await break_commits(world)
    for path in (f"/v1/aggregator_pipelines/{pipeline}/secrets", f"/v1/core_instances/{ci['id']}/secrets"):
        body = {"key": "last", "value": canaries.encoded(f"not committed at {path}")}
        await canaries.ask("POST", path, 409 if world.context.database.embedded else 500, body)
    assert len(canaries.texts) >= 20

    told = capsys.readouterr().err
    assert "/v1/aggregators" in told, "nothing was logged"
    assert canaries.seen_in(told) == []
    assert [found for answer in canaries.answers if (found := canaries.seen_in(answer))] == []
    assert canaries.seen_in(repr(await world.rows())) == []
    if (file := world.context.database.path) is not None:
        for part in file.parent.glob(f"{file.name}*"):
            assert canaries.seen_in(part.read_bytes()) == [], part.name
    # What is told once is kept nowhere, either: the key that opens what was sealed, and a core instance's token.
    kept = repr(await world.rows()) + told
    assert ci["privateRSAKey"] not in kept
    assert base64.b64decode(ci["privateRSAKey"]).decode().splitlines()[1] not in kept
    assert ci["token"].partition(".")[2] not in kept


async def _made(canaries: Canaries, ci: str) -> str:
    """A secret or sealed file by every route that takes one; gives the pipeline's id."""
    new = canaries.encoded
    mine = f"/v1/core_instances/{ci}"
    secret = (await canaries.ask("POST", f"{mine}/secrets", 201, {"key": "a", "value": new("created")})).json()["id"]
    await canaries.ask("PATCH", f"/v1/core_instance_secrets/{secret}", 200, {"value": new("changed")})
    sealed = {"name": "f", "contents": new("sealed file"), "encrypted": True}
    file = (await canaries.ask("POST", f"{mine}/files", 201, sealed)).json()["id"]
    await canaries.ask("PATCH", f"/v1/core_instance_files/{file}", 200, {"contents": new("changed sealed file")})
    body = {
        "name": "p",
        "rawConfig": CLASSIC,
        "secrets": [{"key": "a", "value": new("with a pipeline")}],
        "files": [{"name": "f", "contents": new("sealed file with a pipeline"), "encrypted": True}],
    }
    pipeline = (await canaries.ask("POST", f"/v1/aggregators/{ci}/pipelines", 201, body)).json()["id"]
    change = {
        "secrets": [{"key": "a", "value": new("changed with it")}, {"key": "b", "value": new("added with it")}],
        "files": [{"name": "f", "contents": new("sealed file changed with it")}],
    }
    await canaries.ask("PATCH", f"/v1/aggregator_pipelines/{pipeline}", 200, change)
    mine = f"/v1/aggregator_pipelines/{pipeline}"
    secret = (await canaries.ask("POST", f"{mine}/secrets", 201, {"key": "c", "value": new("a pipeline's")})).json()["id"]
    await canaries.ask("PATCH", f"/v1/pipeline_secrets/{secret}", 204, {"value": new("a pipeline's changed")})
    file = (await canaries.ask("POST", f"{mine}/files", 201, {**sealed, "name": "g", "contents": new("its file")})).json()["id"]
    await canaries.ask("PATCH", f"/v1/pipeline_files/{file}", 204, {"contents": new("its file changed")})
    return str(pipeline)


async def _refused(canaries: Canaries, ci: str, pipeline: str) -> None:
    """The same, sent wrong: what is refused is told, the secret in it is not."""
    new = canaries.encoded
    path = f"/v1/aggregator_pipelines/{pipeline}/secrets"
    await canaries.ask("POST", path, 409, {"key": "a", "value": new("taken key")})
    await canaries.ask("POST", path, 422, {"key": "not a key", "value": new("wrong key")})
    await canaries.ask("POST", path, 422, {"key": "d", "value": canaries.new("no base64")})
    await canaries.ask("POST", path, 422, {"key": "d", "value": [canaries.new("in a list")]})
    await canaries.ask("POST", path, 422, {"key": "d", "value": {canaries.new("as a key"): 1}})
    await canaries.ask("POST", path, 400, f'{{"key": "d", "value": "{new("in half a body")}')
    await canaries.ask("POST", path, 422, json.dumps({"key": "d", "value": f"{new('with a NUL')}\0"}))
    await canaries.ask("POST", path, 401, {"key": "d", "value": new("of a stranger")}, canaries.world.anyone)
    body = {"rawConfig": "[INPUT]\n Name @nope@\n", "secrets": [{"key": "a", "value": new("beside a wrong config")}]}
    await canaries.ask("POST", f"/v1/aggregators/{ci}/pipelines", 422, body)
    long = base64.b64encode(canaries.new("too long").encode() * 10_000).decode()
    await canaries.ask("POST", path, 422, {"key": "d", "value": long})


async def _people(canaries: Canaries) -> None:
    """Passwords, right and wrong, and the token that a sign-in gives."""
    world, anyone = canaries.world, canaries.world.anyone
    wrong = {"email": "admin@example.com", "password": canaries.new("wrong password")}
    await canaries.ask("POST", "/v1/sign_in", 401, wrong, anyone)
    await canaries.ask("POST", "/v1/sign_in", 422, {**wrong, "password": [canaries.new("password in a list")]}, anyone)
    body = {"email": "new@example.com", "redirectURI": "http://127.0.0.1:5000/", "permissions": []}
    link = (await world.admin.ask("POST", f"/v1/projects/{world.project_id}/invite", 200, json=body))["link"]
    [token] = parse_qs(urlsplit(link).query)["token"]
    password = canaries.new("password")
    signed = await anyone.post("/v1/sign_up", json={"token": token, "name": "New", "password": password})
    canaries.texts["bearer token"] = signed.json()["token"]
    canaries.texts["invitation"] = token.partition(".")[2]
    new = world.http(Authorization=f"Bearer {signed.json()['token']}")
    change = {"currentPassword": password, "newPassword": canaries.new("new password")}
    await canaries.ask("PATCH", "/v1/me", 204, change, new)
    await canaries.ask("PATCH", "/v1/me", 403, {**change, "currentPassword": canaries.new("not the current one")}, new)
    signed = await anyone.post("/v1/sign_in", json={"email": "admin@example.com", "password": PASSWORD})
    canaries.texts["second bearer token"] = signed.json()["token"]
