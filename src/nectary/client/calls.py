"""The calls themselves, over HTTP."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from nectary.client.things import (
    Agent,
    EnrolledHost,
    Environment,
    Fleet,
    FleetCheck,
    FleetDiff,
    FleetRevision,
    Project,
    PublishedRevision,
    Rollout,
    RolloutEvent,
    Row,
    Token,
)

T = TypeVar("T", bound=Row)
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

    def agents(self) -> Iterator[Agent]:
        return self._pages(f"/v1/projects/{self.project_id}/agents", Agent)

    def fleets(self) -> Iterator[Fleet]:
        return self._pages(f"/v1/projects/{self.project_id}/fleets", Fleet)

    def fleet(self, named: str) -> Fleet:
        """A fleet by its name or id. Raises Refused when there is none."""
        answer = self._answer(f"/v1/projects/{self.project_id}/fleets", {"name": named})
        if found := msgspec.json.decode(answer.content, type=list[Fleet]):
            return found[0]
        if not _ID.fullmatch(named):
            raise Refused(404, "fleet not found", f"the project has no fleet {named[:60]!r}")
        return self._get(f"/v1/fleets/{named}", Fleet)

    def publish(self, fleet_id: str, body: dict[str, Any], *, draft: bool) -> None:
        """Publish the fleet's draft, or another config that the body holds (`rawConfig`); see docs/fleets.md for the rest."""
        if draft:
            self._answer(f"/v1/fleets/{fleet_id}/publish", body=body, method="POST")
        else:
            self._answer(f"/v1/fleets/{fleet_id}", body=body, method="PATCH")

    def revisions(self, fleet_id: str) -> Iterator[FleetRevision]:
        """What was published of the fleet, newest first."""
        return self._pages(f"/v1/fleets/{fleet_id}/revisions", FleetRevision)

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

    def rollouts(self, fleet_id: str, *, most: int | None = None) -> Iterator[Rollout]:
        """The fleet's rollouts, newest first."""
        return islice(self._pages(f"/v1/fleets/{fleet_id}/rollouts", Rollout, size=min(most or _PAGE, _PAGE)), most)

    def rollout(self, id: str) -> Rollout:
        """One rollout, with its progress while it is open."""
        return self._get(f"/v1/rollouts/{id}", Rollout)

    def rollout_events(self, id: str) -> Iterator[RolloutEvent]:
        """What happened to a rollout, newest first."""
        return self._pages(f"/v1/rollouts/{id}/events", RolloutEvent)

    def move_rollout(self, id: str, verb: str, reason: str) -> Rollout:
        """`verb`: pause, resume, advance, cancel or rollback. Raises Refused, 409, for one that has ended."""
        answer = self._answer(f"/v1/rollouts/{id}/{verb}", body={"reason": reason}, method="POST")
        return msgspec.json.decode(answer.content, type=Rollout)

    def _get(self, path: str, shape: type[T]) -> T:
        return msgspec.json.decode(self._answer(path).content, type=shape)

    def _pages(self, path: str, shape: type[T], *, size: int = _PAGE) -> Iterator[T]:
        """Every row, page by page; the server's Link header says where the next one begins."""
        before: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self._answer(path, {"last": size} | ({"before": before} if before else {}))
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
