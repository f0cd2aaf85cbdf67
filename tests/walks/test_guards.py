"""For every operation at once: who is let in, and that nobody else is or changes anything."""

from collections.abc import Iterable
from typing import Any

import pytest

from nectary.caller import PERMISSIONS, Kind
from nectary.db.transaction import Database
from nectary.edge.callers import Guard, May
from nectary.server import make_app, make_context
from nectary.settings import Settings
from tests.harness.ground import HEADERS, Ground, break_ground
from tests.harness.operations import Operation, operations, strays
from tests.harness.world import Http, World
from tests.walks.differences import changed, report

REFUSED = (401, 403, 404, 410)
_FITTING = {"GET": {"read:*"}, "DELETE": {"delete:*", "update:*"}, "PATCH": {"update:*"}, "PUT": {"update:*", "create:*"}}


def test_every_route_states_one_guard_and_a_fitting_permission(tmp_path: Any) -> None:
    app = make_app(make_context(Settings(), Database(f"sqlite:///{tmp_path / 'none.db'}")))
    assert strays(app) == [], "list them in api.ROUTES or agent_api.ROUTES"
    ids = [operation.id for operation in operations() if operation.guard is not None]
    assert not (twice := {id for id in ids if ids.count(id) > 1}), f"operation ids stand once: {twice}"
    for operation in operations():
        guard = operation.guard  # guard_of() has asserted that there is exactly one
        if isinstance(guard, May):
            assert guard.permission in PERMISSIONS, operation
            assert guard.kinds, operation
            assert guard.permission in _FITTING.get(operation.method, set(PERMISSIONS)), f"{operation}: {guard.permission}"
            assert guard.of is None or guard.at in (*operation.parameters, *(q["name"] for q in operation.query)), operation
            assert guard.of is not None or Kind.USER not in guard.kinds, f"{operation}: people need a project"
        elif guard is not None:
            assert isinstance(guard, Guard), operation


async def test_a_missing_credential_is_401(ground: Ground) -> None:
    before = await ground.world.rows()
    wrong = []
    for operation in ground.operations:
        if not operation.open_to_all:
            answer = await ground.ask(operation, await ground.asked(operation), ground.world.http())
            if answer.status_code != 401 or not answer.json()["error"]:
                wrong.append(f"{operation}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


async def test_a_stranger_gets_nothing_and_changes_nothing(ground: Ground) -> None:
    other = await break_ground(ground.world)
    strangers = {kind: other.client(kind) for kind in other.shown}
    before = await ground.world.rows()
    wrong = []
    for operation in ground.operations:
        if not _is_about_a_project(operation):
            continue
        asked = await ground.asked(operation)
        for kind, stranger in strangers.items():
            answer = await ground.ask(operation, asked, stranger)
            nothing_done = isinstance(operation.guard, May) and operation.guard.absent and answer.status_code == 204
            if answer.status_code not in REFUSED and not nothing_done:
                wrong.append(f"{operation} for another's {kind}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


def _is_about_a_project(operation: Operation) -> bool:
    """Whether it names a thing; the rest is about the caller's own."""
    if operation.guard is None:
        return bool(operation.parameters)
    return isinstance(operation.guard, May) and operation.guard.of is not None


async def test_who_lacks_the_one_permission_gets_403_and_changes_nothing(ground: Ground) -> None:
    lacking = {permission: await ground.without(permission) for permission in PERMISSIONS}
    before = await ground.world.rows()
    wrong = []
    for operation in ground.operations:
        if isinstance(guard := operation.guard, May):
            asked = await ground.asked(operation)
            for kind in guard.kinds & lacking[guard.permission].keys():  # agents may do all, to themselves
                answer = await ground.ask(operation, asked, lacking[guard.permission][kind])
                if (answer.status_code, answer.json().get("error")) != (403, "permission denied"):
                    wrong.append(f"{operation} for a {kind}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


async def test_agents_routes_need_one_permission_of_a_project_token(ground: Ground) -> None:
    lacking = {permission: (await ground.without(permission))[Kind.PROJECT_TOKEN] for permission in PERMISSIONS}
    for operation in ground.operations:
        if operation.guard is None and ground.kind_for(operation) is Kind.PROJECT_TOKEN:
            refused = []
            for permission, token in lacking.items():
                answer = await ground.ask(operation, await ground.asked(operation), token)
                refused += [permission] if answer.status_code == 403 else []
            assert len(refused) == 1, f"{operation} is refused to tokens without {refused}"
            assert refused[0] in _FITTING.get(operation.method, {"create:*"}), operation


async def test_each_kind_of_credential_is_taken_where_the_guard_says_so_and_nowhere_else(ground: Ground) -> None:
    """Twice: what was once proven is remembered, and must not be mistaken for another kind afterwards."""
    wrong = []
    before = await ground.world.rows()
    for _ in range(2):
        for operation in ground.operations:
            if operation.open_to_all:
                continue
            takes = ground.kinds_for(operation)
            for kind in set(ground.shown) - takes:
                asked = await ground.asked(operation)
                answer = await ground.ask(operation, asked, ground.client(kind))
                if answer.status_code != 401:
                    wrong.append(f"{operation} for a {kind}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


async def test_a_credential_in_another_kinds_header_is_401(ground: Ground) -> None:
    """Also when it has been proven in its own header before, and is remembered."""
    wrong = []
    for kind in ground.shown:  # everyone is proven, and remembered, once
        operation = next(o for o in ground.operations if kind in o.kinds and o.method in ("GET", "POST") and o.parameters)
        ground.world.context.credentials.confirm()
        assert (await ground.ask(operation, await ground.asked(operation), ground.client(kind))).status_code != 401
    before = await ground.world.rows()
    for operation in ground.operations:
        if operation.open_to_all:
            continue
        asked = await ground.asked(operation)
        for label, http in _mislaid(ground):
            answer = await ground.ask(operation, asked, http)
            if answer.status_code != 401:
                wrong.append(f"{operation} with {label}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


def _mislaid(ground: Ground) -> Iterable[tuple[str, Http]]:
    for kind, shown in ground.shown.items():
        text = shown.removeprefix("Bearer ")
        for other in set(ground.shown) - {kind}:
            value = f"Bearer {text}" if other is Kind.USER else text
            yield f"a {kind} in {HEADERS[other]}", ground.world.http(**{HEADERS[other]: value})


INVALID = (
    b"",
    b" ",
    b"Bearer",
    b"Bearer ",
    b"bearer\t",
    b"Bearer  ",
    b"Bearer nectary_0",
    b"Bearer " + b"\xff\xfe\x80",
    b"\xe9\xa0",
    b"Bearer a b c",
    b"Basic YTpi",
    b"Bearer \x00\x01\x1f\x7f",
    b"Bearer " + b"x" * 10_000,
    b"Bearer eyJhbGciOiJub25lIn0.e30.",
)


@pytest.mark.parametrize("kinds", [(), (Kind.PROJECT_TOKEN,), (Kind.PROJECT_TOKEN, Kind.AGENT, Kind.CORE_INSTANCE)], ids=str)
async def test_an_invalid_authorization_is_401_even_beside_a_good_token(ground: Ground, kinds: tuple[Kind, ...]) -> None:
    http = ground.client(*kinds) if kinds else ground.world.http()
    before = await ground.world.rows()
    wrong = []
    for operation in ground.operations:
        if operation.open_to_all:
            continue
        asked = await ground.asked(operation)
        for value in INVALID:
            ground.world.context.credentials.confirm()
            headers = [(b"Authorization", value)]
            answer = await http.request(operation.method, asked.path, headers=headers, **asked.sent())
            if answer.status_code != 401:
                wrong.append(f"{operation} with {value[:40]!r}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


@pytest.mark.parametrize("kind", [Kind.PROJECT_TOKEN, Kind.AGENT, Kind.CORE_INSTANCE], ids=str)
async def test_an_invalid_token_is_401_even_beside_a_good_bearer(ground: Ground, kind: Kind) -> None:
    wrong = []
    good = ground.shown[kind]
    before = await ground.world.rows()
    for operation in ground.operations:
        if Kind.USER not in ground.kinds_for(operation):
            continue
        asked = await ground.asked(operation)
        for value in ("", " ", ".", good[:-1], good.partition(".")[0] + ".AAAA", "x" * 10_000, "\xff\xfe"):
            headers = [(HEADERS[kind].encode(), value.encode("latin-1"))]
            ground.world.context.credentials.confirm()
            http = ground.client(Kind.USER)
            answer = await http.request(operation.method, asked.path, headers=headers, **asked.sent())
            if answer.status_code != 401:
                wrong.append(f"{operation} with {value[:40]!r}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


async def test_the_walk_sees_what_changes(world: World) -> None:
    before = await world.rows()
    await world.admin.ask("POST", f"/v1/projects/{world.project_id}/environments", 201, json={"name": "seen"})
    assert any("seen" in row for row in changed(before, await world.rows()))
