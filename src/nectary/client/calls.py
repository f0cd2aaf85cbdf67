"""The calls themselves, over HTTP."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from nectary.client.things import (
    Agent,
    AgentError,
    AgentFleetStatus,
    EnrolledHost,
    Environment,
    Fleet,
    FleetCheck,
    FleetDiff,
    FleetFile,
    FleetRevision,
    FleetStatus,
    Project,
    PublishedRevision,
    Rollout,
    RolloutEvent,
    Straggler,
    Token,
    WholeRevision,
)

T = TypeVar("T", bound=msgspec.Struct)
_PAGE = 500
_MOST_HOSTS = 1000
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOST_PAGES = 10_000


class Refused(Exception):
    """The server said no: `status`, and its published error body as `error` and `detail`."""

    def __init__(self, status: int, error: str, detail: str | None) -> None:
        super().__init__(f"{error}: {detail}" if detail else error)
        self.status, self.error, self.detail = status, error, detail


class Unreachable(Exception):
    """There was no answer."""


class Client:
    """One server and one credential. `project` names the project to work in; a project token knows its own."""

    def __init__(self, url: str, token: str, *, project: str | None = None, timeout: float = 30.0) -> None:
        claims = claims_of(token)
        self._project = project or claims.get("ProjectID")
        self._token_id = claims.get("TokenID")
        header = {"X-Project-Token": token} if claims else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=header, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def project_id(self) -> str:
        """The project worked in: named, or the token's own, or the person's newest."""
        if self._project is None:
            newest = next(self._pages("/v1/projects", Project, size=1), None)
            if newest is None:
                raise Refused(404, "project not found", "you are a member of no project")
            self._project = newest.id
        return self._project

    def projects(self) -> Iterator[Project]:
        """Projects the caller may see: a person's all, a project token's own one."""
        if self._token_id is None:
            yield from self._pages("/v1/projects", Project)
        else:
            yield self._get(f"/v1/projects/{self.project_id}", Project)

    def tokens(self) -> Iterator[Token]:
        """Tokens the caller may see: a person's project's all, a project token itself."""
        if self._token_id is None:
            yield from self._pages(f"/v1/projects/{self.project_id}/tokens", Token)
        else:
            yield self._get(f"/v1/project_tokens/{self._token_id}", Token)

    def environments(self) -> Iterator[Environment]:
        return self._pages(f"/v1/projects/{self.project_id}/environments", Environment)

    def agents(self, **asked: str) -> Iterator[Agent]:
        """Agents, newest first. `asked` by the API's names: search, version, status, fleet_id, fleet_status, tags_query."""
        return self._pages(f"/v1/projects/{self.project_id}/agents", Agent, query=asked)

    def agent(self, named: str) -> Agent:
        """An agent by its name or id. Raises Refused when there is none, or several of that name."""
        found = list(islice(self.agents(name=named), 2)) if named else []
        if len(found) > 1:
            raise Refused(409, "agent not found", f"several agents are called {named[:60]!r}: name one by its id")
        if not found and not _ID.fullmatch(named):
            raise Refused(404, "agent not found", f"the project has no agent {named[:60]!r}")
        return found[0] if found else self._get(f"/v1/agents/{named}", Agent)

    def agent_fleet_status(self, agent_id: str) -> AgentFleetStatus:
        """What an agent should run and runs. Raises Refused, 404, for one in no fleet."""
        return self._get(f"/v1/agents/{agent_id}/fleet_status", AgentFleetStatus)

    def agent_errors(self, *, agent_id: str | None = None, fleet_id: str | None = None) -> Iterator[AgentError]:
        """Errors that nobody dismissed, of an agent or of all agents of a fleet, newest first."""
        of = f"/v1/agents/{agent_id}/errors" if agent_id else f"/v1/fleets/{fleet_id}/agent_errors"
        return self._pages(of, AgentError, query={"dismissed": "false"})

    def create_fleet(self, body: dict[str, Any]) -> str:
        """Make a fleet (`name`, `rawConfig`, ...; see docs/fleets.md); gives its id."""
        made = self._answer(f"/v1/projects/{self.project_id}/fleets", body=body, method="POST")
        return str(made.json()["id"])

    def delete_fleet(self, id: str) -> None:
        self._answer(f"/v1/fleets/{id}", method="DELETE")

    def fleet_status(self, id: str) -> FleetStatus:
        return self._get(f"/v1/fleets/{id}/status", FleetStatus)

    def fleet_files(self, fleet_id: str) -> Iterator[FleetFile]:
        return self._pages(f"/v1/fleets/{fleet_id}/files", FleetFile)

    def put_fleet_file(self, fleet_id: str, name: str, contents: bytes, said: Mapping[str, str]) -> None:
        """Add a file, or replace that of the same name. `said`: message, ifRevision, urgent."""
        there = next((file for file in self.fleet_files(fleet_id) if file.name == name), None)
        body = {"name": name, "contents": base64.b64encode(contents).decode()}
        if there is None:
            self._answer(f"/v1/fleets/{fleet_id}/files", dict(said), body=body, method="POST")
        else:
            self._answer(f"/v1/fleet_files/{there.id}", dict(said), body=body, method="PATCH")

    def delete_fleet_file(self, id: str, said: Mapping[str, str]) -> None:
        self._answer(f"/v1/fleet_files/{id}", dict(said), method="DELETE")

    def fleets(self) -> Iterator[Fleet]:
        return self._pages(f"/v1/projects/{self.project_id}/fleets", Fleet)

    def fleet(self, named: str) -> Fleet:
        """A fleet by its name or id. Raises Refused when there is none."""
        if _ID.fullmatch(named):  # longer than a name may be
            return self._get(f"/v1/fleets/{named}", Fleet)
        asked = {"name": named}
        found = next(self._pages(f"/v1/projects/{self.project_id}/fleets", Fleet, size=1, query=asked), None)
        if found is None or not named:  # an empty name asks the server for any
            raise Refused(404, "fleet not found", f"the project has no fleet {named[:60]!r}")
        return found

    def publish(self, fleet_id: str, body: dict[str, Any], *, draft: bool) -> None:
        """Publish the fleet's draft, or another config that the body holds (`rawConfig`); see docs/fleets.md for the rest."""
        if draft:
            self._answer(f"/v1/fleets/{fleet_id}/publish", body=body, method="POST")
        else:
            self._answer(f"/v1/fleets/{fleet_id}", body=body, method="PATCH")

    def revisions(self, fleet_id: str) -> Iterator[FleetRevision]:
        """What was published of the fleet, newest first."""
        return self._pages(f"/v1/fleets/{fleet_id}/revisions", FleetRevision)

    def revision(self, fleet_id: str, number: int) -> WholeRevision:
        """One revision with its text."""
        return self._get(f"/v1/fleets/{fleet_id}/revisions/{number}", WholeRevision)

    def diff(self, fleet_id: str, from_: str | None = None, to: str | None = None) -> FleetDiff:
        """What changed between two revisions' numbers, or `draft`; without any, in the newest revision."""
        query = {name: value for name, value in (("from", from_), ("to", to)) if value is not None}
        return msgspec.json.decode(self._answer(f"/v1/fleets/{fleet_id}/diff", query).content, type=FleetDiff)

    def put_draft(self, fleet_id: str, body: dict[str, Any]) -> None:
        """Keep a draft (`rawConfig`, `configFormat`, `message`) in place of one that is there."""
        self._answer(f"/v1/fleets/{fleet_id}/draft", body=body, method="PUT")

    def publish_draft(self, fleet_id: str, body: dict[str, Any]) -> PublishedRevision:
        """Publish the draft. Raises Refused, 409, when there is none or somebody else published meanwhile."""
        answer = self._answer(f"/v1/fleets/{fleet_id}/publish", body=body, method="POST")
        return msgspec.json.decode(answer.content, type=PublishedRevision)

    def roll_back(self, fleet_id: str, body: dict[str, Any]) -> PublishedRevision:
        """Publish an older revision (`revision`, a number) again."""
        answer = self._answer(f"/v1/fleets/{fleet_id}/rollback", body=body, method="POST")
        return msgspec.json.decode(answer.content, type=PublishedRevision)

    def check(self, fleet_id: str, body: dict[str, Any] | None = None, *, draft: bool = False) -> FleetCheck:
        """Whether the fleet's agents can run a text (`rawConfig`), the draft, or what is published."""
        path = f"/v1/fleets/{fleet_id}/check"
        said = self._answer(path, {"draft": draft}) if body is None else self._answer(path, body=body, method="POST")
        return msgspec.json.decode(said.content, type=FleetCheck)

    def enroll(self, fleet_id: str, hosts: Sequence[str] | int) -> Iterator[EnrolledHost]:
        """A token for each host by name, or for so many. Asked for a thousand at a time."""
        many = hosts if isinstance(hosts, int) else len(hosts)
        for begin in range(0, many, _MOST_HOSTS):
            some = min(_MOST_HOSTS, many - begin)
            body = {"count": some} if isinstance(hosts, int) else {"hosts": list(hosts[begin : begin + some])}
            answer = self._answer(f"/v1/fleets/{fleet_id}/enroll", body=body, method="POST")
            yield from msgspec.json.decode(answer.content, type=list[EnrolledHost])

    def stragglers(self, fleet_id: str) -> Iterator[Straggler]:
        """The fleet's agents that do not run what they should."""
        return self._pages(f"/v1/fleets/{fleet_id}/stragglers", Straggler)

    def rollouts(self, fleet_id: str, *, most: int | None = None) -> Iterator[Rollout]:
        """The fleet's rollouts, newest first."""
        return islice(self._pages(f"/v1/fleets/{fleet_id}/rollouts", Rollout, size=min(most or _PAGE, _PAGE)), most)

    def rollout(self, id: str) -> Rollout:
        """One rollout, with its progress while it is open."""
        return self._get(f"/v1/rollouts/{id}", Rollout)

    def rollout_events(self, id: str) -> Iterator[RolloutEvent]:
        """What happened to a rollout, newest first."""
        return self._pages(f"/v1/rollouts/{id}/events", RolloutEvent)

    def move_rollout(self, id: str, verb: str, body: dict[str, Any]) -> Rollout:
        """`verb`: pause, resume, advance, cancel or rollback. `body`: `reason`, and for resume `thresholds`.

        Raises Refused, 409, for one that has ended."""
        answer = self._answer(f"/v1/rollouts/{id}/{verb}", body=body, method="POST")
        return msgspec.json.decode(answer.content, type=Rollout)

    def _get(self, path: str, shape: type[T]) -> T:
        return msgspec.json.decode(self._answer(path).content, type=shape)

    def _pages(self, path: str, shape: type[T], *, size: int = _PAGE, query: Mapping[str, str] | None = None) -> Iterator[T]:
        """Every row, page by page; the server's Link header says where the next one begins."""
        before: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self._answer(path, {**(query or {}), "last": size} | ({"before": before} if before else {}))
            rows = msgspec.json.decode(answer.content, type=list[shape])  # type: ignore[valid-type]
            yield from rows
            link = re.search(r'[?&]before=([^&>]+)[^>]*>; rel="next"', answer.headers.get("link", ""))
            if link is None or len(rows) < size:
                return
            before = httpx.QueryParams(f"before={link[1]}")["before"]

    def _answer(
        self, path: str, query: dict[str, Any] | None = None, *, method: str = "GET", body: Any = None
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, params=query, json=body)
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._http.base_url} does not answer: {error}") from error
        if answer.status_code >= 400:
            raise refusal(answer)
        return answer


def refusal(answer: httpx.Response) -> Refused:
    """What an answer of 400 or more says."""
    try:
        said = answer.json()
        return Refused(answer.status_code, str(said["error"]), said.get("detail"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Refused(answer.status_code, answer.reason_phrase, answer.text[:200] or None)


def claims_of(token: str) -> dict[str, str]:
    """What a project token says of itself; nothing for any other token."""
    try:
        head = token.split(".", 1)[0]
        claims = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        return {name: str(claims[name]) for name in ("TokenID", "ProjectID")}
    except (ValueError, KeyError, TypeError):
        return {}
