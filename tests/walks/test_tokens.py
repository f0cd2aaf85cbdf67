"""For every operation and every kind of credential: taken or refused as docs/permissions.md has it."""

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from nectary.caller import Kind
from tests.harness import bodies
from tests.harness.ground import Asked, Ground, break_ground
from tests.harness.operations import Operation
from tests.harness.world import Http
from tests.walks.differences import changed, report
from tests.walks.occasions import OCCASIONS, UNSERVED

_PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
_ROW = re.compile(r"\| `(?P<id>\w+)` \| `(?P<address>[A-Z]+ /\S*)` \|(?P<ticks>(?:[^|]*\|){4}) (?P<permission>.*) \|")
# What the page calls a person, a project token, an agent token and a core instance token, in its order.
_COLUMNS = (Kind.USER, Kind.PROJECT_TOKEN, Kind.AGENT, Kind.CORE_INSTANCE)
# What somebody new does, or does for the last time: a person of its own is asked to.
_PERSONAL = {"signIn", "signUp", "signOut", "acceptInvitation"}

# What is refused for another reason than the credential, which was taken: there is none yet.
_OTHERWISE = {
    "agentFleetStatus": '{"error":"fleet not found","detail":"the agent is in no fleet"',
    "fleetDraft": '{"error":"fleet draft not found","detail":"nothing is being prepared',
}


def _tabled() -> dict[tuple[str, str], frozenset[Kind]]:
    """(method, path) -> whose credentials the page says it takes; all kinds for what is for anybody."""
    found = {}
    for row in _ROW.finditer(_PAGE.read_text()):
        ticks = [tick.strip() for tick in row["ticks"].split("|")[:4]]
        method, _, path = row["address"].partition(" ")
        kinds = _COLUMNS if ticks[0] == "anybody" else [kind for kind, tick in zip(_COLUMNS, ticks, strict=True) if tick]
        found[method, path] = frozenset(kinds)
    return found


TABLED = _tabled()


def _takes(operation: Operation) -> frozenset[Kind] | None:
    """None for an old name of something: the page has its newer one."""
    return TABLED.get((operation.method, operation.path))


def test_the_page_is_read_whole(ground: Ground) -> None:
    rows = [line for line in _PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(TABLED) > 190
    known = {(operation.method, operation.path) for operation in ground.operations}
    assert TABLED.keys() <= known


async def test_a_credential_that_is_not_ticked_is_401_and_changes_nothing(ground: Ground) -> None:
    before = await ground.world.rows()
    wrong = []
    for operation in ground.operations:
        asked = await ground.asked(operation)
        for kind in set(Kind) - (_takes(operation) or ground.kinds_for(operation) or set(Kind)):
            answer = await ground.ask(operation, asked, ground.client(kind))
            if answer.status_code != 401:
                wrong.append(f"{operation} for a {kind}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


async def test_a_credential_that_is_ticked_is_taken(ground: Ground) -> None:
    """Each operation succeeds for each kind that it is ticked for; what is deleted belongs to another project, made anew after
    each deletion. The second kind may find made what the first one made, which is a conflict, and no refusal of its credential.
    """
    wrong, taken = [], 0
    deletions = await break_ground(ground.world)
    for operation in sorted(ground.operations, key=_by_damage):
        if operation.guard is None and operation is not _first_at(ground, operation):
            continue  # at an address of the published API, where it is asked with an agent's token
        there = deletions if operation.method == "DELETE" else ground
        succeeded = False
        for kind in sorted(_takes(operation) or ()):
            if operation.id in _PERSONAL and kind is not Kind.USER:
                continue
            if there is deletions:
                await there.furnish()
            taken += 1
            async for asked, own in _ways(there, _spoken_to(there, operation, kind)):
                answer = await there.ask(operation, asked, own if operation.id in _PERSONAL else there.client(kind))
                done = answer.is_success or (answer.status_code == 501 and operation.id in UNSERVED)
                succeeded |= done
                otherwise = answer.text.startswith(_OTHERWISE.get(operation.id, "-"))
                if done or otherwise or (succeeded and answer.status_code == 409):
                    break
            else:
                wrong.append(f"{operation} for a {kind}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert taken > 400


def _by_damage(operation: Operation) -> tuple[bool, bool]:
    return operation.method == "DELETE", operation.path.startswith("/v1/projects/")


def _first_at(ground: Ground, operation: Operation) -> Operation:
    same = [one for one in ground.operations if (one.method, one.path) == (operation.method, operation.path)]
    return min(same, key=lambda one: one.guard is None)


def _spoken_to(ground: Ground, operation: Operation, kind: Kind) -> Operation:
    """The operation, or the agents' own one at its address if the credential is for that."""
    if operation.guard is None or kind in operation.kinds or operation.open_to_all:
        return operation
    same = [one for one in ground.operations if (one.method, one.path) == (operation.method, operation.path)]
    return next((one for one in same if one.guard is None), operation)


async def _ways(ground: Ground, operation: Operation) -> AsyncIterator[tuple[Asked, Http]]:
    """Requests of which one should be taken, each with who would ask it; made when they are asked for."""
    nobody = ground.world.http()
    if (occasion := OCCASIONS.get(operation.id)) is not None:
        yield await occasion(ground)
    elif operation.guard is None or operation.body is None:
        asked = await ground.asked(operation)
        if operation.id in ("search", "searchV1"):
            asked.query["resource"] = "agent"
        if operation.id == "aggregatorPipelinesMetrics":
            asked.query["pipeline_id"] = (await ground.known())("pipelineID") or ""
        yield asked, nobody
    else:
        for body in itertools.islice(bodies.candidates(operation, await ground.known()), 4):
            yield await ground.asked(operation, body), nobody


async def test_a_core_instances_token_is_good_for_nothing_of_its_neighbour(ground: Ground) -> None:
    """Two core instances of one project: what belongs to the other is not there, and none of it changes."""
    made: dict[str, Any] = await ground.client(Kind.PROJECT_TOKEN).ask("POST", "/v1/aggregators", 201, json={})
    neighbour = ground.world.http(**{"X-Aggregator-Token": made["token"]})
    before = await ground.world.rows()
    wrong = []
    for operation in ground.operations:
        if Kind.CORE_INSTANCE not in (_takes(operation) or ()) or operation.path.startswith("/v1/projects/"):
            continue
        asked = await ground.asked(operation)
        answer = await ground.ask(operation, asked, neighbour)
        nothing_there = answer.status_code == 204 and getattr(operation.guard, "absent", False)
        if answer.status_code not in (403, 404) and not nothing_there and not operation.open_to_all:
            wrong.append(f"{operation}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, report(wrong)
    assert not (came := changed(before, await ground.world.rows())), report(came)


async def test_lists_of_a_project_show_a_core_instance_itself_and_not_its_neighbour(ground: Ground) -> None:
    await ground.client(Kind.PROJECT_TOKEN).ask("POST", "/v1/aggregators", 201, json={})
    core, project = ground.client(Kind.CORE_INSTANCE), ground.project_id
    listed = await core.ask("GET", f"/v1/projects/{project}/core_instances", 200)
    assert [row["id"] for row in listed["items"]] == [ground.core_instance_id]
    old = await core.ask("GET", f"/v1/projects/{project}/aggregators", 200)
    assert [row["id"] for row in old] == [ground.core_instance_id]
