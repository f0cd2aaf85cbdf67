"""For every operation that changes something: it is audited, and it is done whole or not at all."""

from typing import Any

from nectary.db import tables
from tests.harness import bodies
from tests.harness.failures import break_commits, mend_commits
from tests.harness.ground import Asked, Ground
from tests.harness.operations import Operation
from tests.harness.world import Http, World
from tests.walks.differences import changed, report
from tests.walks.occasions import OCCASIONS, UNAUDITED, UNSERVED

_ACTIONS = {"POST": "CREATE", "PATCH": "UPDATE", "PUT": "UPDATE", "DELETE": "DELETE"}


def _last(ground: Ground) -> list[Operation]:
    """Those that change something; deletions after the rest, the shallowest last."""
    changing = [operation for operation in ground.operations if operation.method != "GET"]
    return sorted(changing, key=lambda operation: (operation.method == "DELETE", operation.path.startswith("/v1/projects/")))


async def _ways(ground: Ground, operation: Operation) -> list[tuple[Asked, Http | None]]:
    """Requests of which one should be taken, each with who asks."""
    if occasion := OCCASIONS.get(operation.id):
        return [await occasion(ground)]
    known = await ground.known()
    if operation.guard is None or operation.body is None:
        return [(await ground.asked(operation), None)]
    return [(await ground.asked(operation, body), None) for body in bodies.candidates(operation, known)]


async def test_every_success_is_audited_once_and_every_mutation_can_succeed(ground: Ground) -> None:
    wrong = []
    for operation in _last(ground):
        await ground.furnish()
        failures = []
        for asked, http in await _ways(ground, operation):
            before = await ground.world.rows()
            answer = await ground.ask(operation, asked, http)
            after = await ground.world.rows()
            if answer.status_code == 501 and operation.id in UNSERVED:
                break
            if answer.status_code >= 400:
                wrong += [f"{operation}: refused, yet {line}" for line in changed(before, after)]
                failures.append(f"{operation}: {answer.status_code} {answer.text[:200]}, sent {str(asked.body)[:200]}")
                continue
            wrong += _audit_faults(operation, asked, answer.status_code, before, after)
            if changed(before, after) or operation.changes_nothing or _only_remembers(operation):
                break
            failures.append(f"{operation}: {answer.status_code} but nothing changed, sent {str(asked.body)[:200]}")
        else:
            wrong += [] if operation.changes_nothing else failures
    assert not wrong, report(wrong)


def _only_remembers(operation: Operation) -> bool:
    """Metrics wait in memory for up to a second; who checks a config leaves no trace."""
    checks = operation.open_to_all and operation.id not in OCCASIONS
    return checks or operation.id in UNAUDITED or (operation.guard is None and "metrics" in operation.path)


def _audit_faults(operation: Operation, asked: Asked, status: int, before: Any, after: Any) -> list[str]:
    name = tables.audit_logs.name
    columns = [column.name for column in tables.audit_logs.c]
    new = [dict(zip(columns, row, strict=True)) for row in after[name] if row not in before[name]]
    gone = [row for row in before[name] if row not in after[name]]
    touched = [line for line in changed(before, after) if not line[2:].startswith(name)]
    if operation.id in UNAUDITED:
        return []
    if touched and len(new) != 1:
        return [f"{operation}: {len(new)} audit rows for {touched}"]
    if gone or len(new) > 1:
        return [f"{operation}: {len(new)} audit rows came, {len(gone)} went"]
    for row in new:
        said = (row["action"], row["url"], row["response_code"])
        if said != (_ACTIONS[operation.method], asked.path, status):
            return [f"{operation}: audited as {said}, was {status} at {asked.path}"]
        if not row["identity"]:
            return [f"{operation}: the audit log does not say who did it"]
    return []


async def test_a_failed_commit_is_never_answered_with_success_and_leaves_nothing(ground: Ground) -> None:
    ways = {operation.id: (operation, await _ways(ground, operation)) for operation in _last(ground)}
    await break_commits(ground.world)
    before = await ground.world.rows()
    wrong = []
    for operation, requests in ways.values():
        if operation.id in UNAUDITED:  # what breaks commits here is an audit row
            continue
        for asked, http in requests:
            answer = await ground.ask(operation, asked, http)
            if answer.is_success and not (operation.changes_nothing or _only_remembers(operation)):
                wrong.append(f"{operation}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


async def test_after_a_failed_commit_the_next_change_is_taken(world: World) -> None:
    path, commits = f"/v1/projects/{world.project_id}/environments", world.context.database
    for name in ("one", "two"):
        await break_commits(world)
        await world.machine.ask("POST", path, 409 if commits.embedded else 500, json={"name": name})
        await mend_commits(world)
        await world.machine.ask("POST", path, 201, json={"name": name})


async def test_doing_it_again_is_refused_without_a_trace_or_is_taken(ground: Ground) -> None:
    """The second of two equal requests: a 409 or 422 must leave nothing behind, and nothing is a 5xx."""
    wrong = []
    for operation in _last(ground):
        await ground.furnish()
        for asked, http in await _ways(ground, operation):
            if not (await ground.ask(operation, asked, http)).is_success:
                continue
            before = await ground.world.rows()
            answer = await ground.ask(operation, asked, http)
            if answer.status_code >= 500 and operation.id not in UNSERVED:
                wrong.append(f"{operation}: {answer.status_code} {answer.text[:200]}")
            if answer.status_code >= 400:
                wrong += [
                    f"{operation}: {answer.status_code}, yet {line}" for line in changed(before, await ground.world.rows())
                ]
            break
    assert not wrong, report(wrong)


async def test_a_body_with_another_projects_things_is_refused_without_a_trace(ground: Ground) -> None:
    """Each field and parameter that takes an id gets the id of a thing that is there, in a project of somebody else."""
    world, mine = ground.world, await ground.known()
    theirs = await (await _second(ground)).known()
    wrong, tried = [], 0
    before = await world.rows()
    for operation in _last(ground):
        if operation.body is None or operation.guard is None or operation.open_to_all:
            continue
        for body in bodies.candidates(operation, mine):
            for foreign in _with_foreign_ids(body, mine, theirs):
                tried += 1
                answer = await ground.ask(operation, await ground.asked(operation, foreign))
                if answer.status_code < 400 or answer.status_code >= 500:
                    wrong.append(f"{operation}: {answer.status_code} {answer.text[:100]} for {foreign}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await world.rows())), report(came)
    assert tried, "no body takes an id"


async def _second(ground: Ground) -> Ground:
    other = Ground(ground.world, ground.operations)
    await other.furnish()
    return other


def _with_foreign_ids(body: Any, mine: bodies.Known, theirs: bodies.Known) -> list[Any]:
    if not isinstance(body, dict):
        return []
    return [
        {**body, name: [theirs(name)] if isinstance(value, list) else theirs(name)}
        for name, value in body.items()
        if mine(name) is not None and theirs(name) is not None
    ]
