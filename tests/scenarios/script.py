"""The requests of the original's command line, as its users' scripts cause them."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from httpx import Response

from tests.harness.pipelines import encoded
from tests.harness.world import Http, World

MOST_AT_ONCE = 54  # ids in one deletion of many
_SENT_BY_ALL = {"Content-Type": "application/json; charset=utf-8"}

CLASSIC = "[INPUT]\n  Name forward\n  Port 24224\n[OUTPUT]\n  Name stdout\n"
YAML = "pipeline:\n  inputs:\n    - name: dummy\n  outputs:\n    - name: stdout\n      match: '*'\n"
_SCALING = ("scaleUpValue", "scaleUpPeriodSeconds", "scaleDownValue", "scaleDownPeriodSeconds")


class Script:
    """Somebody with a project's token and the program. `project` is what the token says."""

    def __init__(self, world: World, token: str = "") -> None:
        self.world = world
        self.token = token or world.token
        self.http: Http = world.http(**{"X-Project-Token": self.token}, **_SENT_BY_ALL)
        payload = self.token.partition(".")[0]
        self.project = str(json.loads(base64.urlsafe_b64decode(payload + "=="))["ProjectID"])

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        return _said(await self.http.get(path, params=dict(query or {})))

    async def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The rows of a list in either of its two shapes; `last=0`, which the program always sends, means all."""
        said = await self.get(path, {"last": 0, **query})
        found: list[dict[str, Any]] = said["items"] if isinstance(said, dict) else said
        return found

    async def post(self, path: str, body: Any) -> Any:
        return _said(await self.http.post(path, content=json.dumps(body)))

    async def patch(self, path: str, body: Any) -> Any:
        """For changes that tell something; an empty answer would be an error to the program."""
        return _said(await self.http.patch(path, content=json.dumps(body)))

    async def patch_silently(self, path: str, body: Any) -> None:
        """For changes whose answer the program does not read."""
        answer = await self.http.patch(path, content=json.dumps(body))
        assert answer.is_success, answer.text

    async def delete(self, path: str) -> Any:
        return _said(await self.http.delete(path))

    async def delete_silently(self, path: str) -> None:
        answer = await self.http.delete(path)
        assert answer.is_success, answer.text

    async def delete_many(self, path: str, key: str, ids: list[str]) -> None:
        for start in range(0, len(ids), MOST_AT_ONCE):
            answer = await self.http.delete(path, params={key: ids[start : start + MOST_AT_ONCE]})
            assert answer.is_success, answer.text

    async def refused(self, method: str, path: str, status: int, body: Any = None) -> str:
        """The sentence that is shown after `Error:`."""
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        sentence = answer.json()["error"]
        assert isinstance(sentence, str)
        assert sentence
        return sentence

    async def find(self, kind: str, text: str) -> str:
        """The id for an argument that is an id or a name. Raises LookupError as the program does."""
        rows = await self.get("/v1/search", {"project_id": self.project, "resource": kind, "term": text, "exact": "false"})
        if not rows:
            raise LookupError(f'could not find {kind} "{text}"')
        if len(rows) == 1:
            return str(rows[0]["id"])
        try:
            return str(UUID(text, version=4))
        except ValueError:
            raise LookupError(f'ambiguous {kind} name "{text}", use ID instead') from None

    async def environment(self, name: str) -> str:
        """The id of an environment: the first row of its own list is trusted."""
        [row] = await self.get(f"/v1/projects/{self.project}/environments", {"name": name, "last": 1})
        return str(row["id"])

    async def core_instance(self, **given: Any) -> dict[str, Any]:
        """Seeded, since the program makes one only in a cluster."""
        made: dict[str, Any] = await self.post("/v1/aggregators", {"name": "ci", **given})
        return made

    async def create_pipeline(self, core_instance: str, **given: Any) -> dict[str, Any]:
        id = await self.find("core_instance", core_instance)
        made: dict[str, Any] = await self.post(f"/v1/aggregators/{id}/pipelines", new_pipeline(**given))
        return made

    async def update_pipeline(self, pipeline: str, **given: Any) -> dict[str, Any]:
        """It looks at the ports first, and sends the kind of the first of them back."""
        id = await self.find("pipeline", pipeline)
        ports = await self.rows(f"/v1/aggregator_pipelines/{id}/ports")
        body = {"portKind": ports[0]["kind"] if ports else None, **changed_pipeline(**given)}
        told: dict[str, Any] = await self.patch(f"/v1/aggregator_pipelines/{id}", body)
        assert all(isinstance(told[key], list) for key in ("addedPorts", "removedPorts", "addedChecks", "removedChecks"))
        return told

    async def pipeline(self, name: str, **query: Any) -> dict[str, Any]:
        id = await self.find("pipeline", name)
        found: dict[str, Any] = await self.get(f"/v1/aggregator_pipelines/{id}", {"config_format": "yaml", **query})
        return found


def _said(answer: Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/json"  # the program reads nothing else
    for cursor in _cursors(answer):
        assert cursor
    return answer.json()


def _cursors(answer: Response) -> list[str]:
    """The cursors in a Link header, read as the program does: the key `before` of the address in it."""
    link = answer.headers.get("link", "")
    return parse_qs(urlsplit(link[1 : link.index(">")]).query)["before"] if link else []


def new_pipeline(**given: Any) -> dict[str, Any]:
    """What `create pipeline` sends: all keys, most of them empty."""
    usual: dict[str, Any] = {"name": "", "kind": "", "replicasCount": 1, "rawConfig": CLASSIC, "configFormat": "ini"}
    usual |= {"deploymentStrategy": "", "secrets": None, "files": None, "resourceProfile": "best-effort-low-resource"}
    usual |= {"image": None, "skipConfigValidation": False, "metadata": None, "tags": None, "portKind": ""}
    usual |= {"noAutoCreateEndpointsFromConfig": False, "noAutoCreateChecksFromConfig": False}
    usual |= {"waitForChecksBeforeDeploying": False, "minReplicas": 0, "scaleUpType": "", "scaleDownType": ""}
    usual |= dict.fromkeys(("utilizationCPUAverage", "utilizationMemoryAverage", *_SCALING), 0)
    return usual | given


def changed_pipeline(**given: Any) -> dict[str, Any]:
    """What `update pipeline` sends: null for what was not said, and a format whether there is a config or not."""
    usual: dict[str, Any] = dict.fromkeys(
        ("name", "kind", "replicasCount", "rawConfig", "resourceProfile", "image", "status", "events", "metadata", "tags")
    )
    usual |= {"configFormat": "ini", "secrets": None, "files": None, "skipConfigValidation": False}
    usual |= {"noAutoCreateEndpointsFromConfig": False, "noAutoCreateChecksFromConfig": False}
    return usual | given


def file(name: str, contents: str, **given: Any) -> dict[str, Any]:
    return {"name": name, "contents": encoded(contents), "encrypted": False, **given}


def moment(text: str) -> datetime:
    """A time as the program reads it: RFC 3339, in UTC."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text)
