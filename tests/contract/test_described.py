"""Our own OpenAPI, held against the real server by a current schemathesis: whoever asks, answers are as it says.

`make test` takes few examples of each operation; `make fuzz` a thousand, and every boundary the tool can think of. A tenth of
them do for those who are turned away at the door, or meet the same code as a person.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nectary.caller import Kind
from nectary.edge.openapi import operations as described
from tests.contract.published import ROOT, our_document
from tests.harness import vendor
from tests.harness.ground import HEADERS, Ground
from tests.harness.serving import Served
from tests.walks.occasions import UNSERVED

EXAMPLES = int(os.environ.get("DESCRIBED_EXAMPLES", "1"))
FEW = max(EXAMPLES // 10, 1)
MANY = EXAMPLES >= 100
_LONGEST = 600 if not MANY else 24 * 3600
pytestmark = [pytest.mark.contract, pytest.mark.timeout(_LONGEST * 5)]

# Whether a value is good is often a matter of more than its form (a cursor that this server gave, a config that Fluent Bit
# reads), and words for numbers are taken where the meaning is plain: tests/walks/test_bad_input.py tells what is refused.
_NOT_CHECKED = ("positive_data_acceptance", "negative_data_rejection")
# These end what all others are about, or the session that asks: each is asked in a project of its own.
_LAST = ("deleteProject", "signOut")
_PHASES = "examples,coverage,fuzzing" if MANY else "examples,fuzzing"


# As whom, and how many examples of each operation. What a person may do goes in parts, that side by side are done sooner.
_PARTS = 4 if MANY else 1
_RUNS = [("nobody", FEW), ("token", FEW), *((who, EXAMPLES) for who in (*_LAST, "ending"))]
_RUNS += [(f"person {part + 1}", EXAMPLES) for part in range(_PARTS)]


@pytest.mark.parametrize(("who", "examples"), _RUNS)
async def test_every_answer_is_as_described_whoever_asks(server: Served, ground: Ground, who: str, examples: int) -> None:
    (server.folder / "schemathesis.toml").write_text(_config(await _places(ground)))
    ids = {o["operationId"]: address for address, o in described(our_document()) if o["operationId"] not in UNSERVED}
    ending = sorted({id for id, address in ids.items() if address.startswith("DELETE")} - set(_LAST))
    lasting = sorted(ids.keys() - {*ending, *_LAST})
    person = {HEADERS[Kind.USER]: ground.shown[Kind.USER]}
    token = {HEADERS[Kind.PROJECT_TOKEN]: ground.shown[Kind.PROJECT_TOKEN]}
    if who == "nobody":
        await _run(server, who, {}, sorted(ids), examples)
    elif who == "token":
        await _run(server, who, token, lasting, examples)
    elif who == "ending":
        succeeded = await _run(server, who, person, ending, examples)
        print(f"{len(succeeded)} of {len(ending)} operations answered with success")
        # What goes with something else is not found any more.
        assert len(succeeded) >= len(ending) // 3, "the project was not as it was meant to be"
    elif who in _LAST:
        await _run(server, who, person, [who], examples)
        project = await ground.world.anyone.get(f"/v1/projects/{ground.project_id}", headers=person)
        assert project.status_code == {"deleteProject": 403, "signOut": 401}[who], "it never succeeded"
    else:
        asked = lasting[int(who.split()[1]) - 1 :: _PARTS]
        succeeded = await _run(server, who, person, asked, examples)
        print(f"{len(succeeded)} of {len(asked)} operations answered with success")
        assert len(succeeded) >= len(asked) * 2 // 3, "the project was not as it was meant to be"


async def _places(ground: Ground) -> dict[str, dict[str, Any]]:
    """Operation -> what to put into its path and query, so that it finds something."""
    known = await ground.known()
    found: dict[str, dict[str, Any]] = {}
    for operation in ground.operations:
        places = {f"path.{name}": id for name, id in ground.places(operation, known).items()}
        if any(one["name"] == "project_id" for one in operation.query):
            places["query.project_id"] = ground.project_id
        found[operation.id] = places
    return found


def _config(places: dict[str, dict[str, Any]]) -> str:
    served = {operation["operationId"] for _, operation in described(our_document())}
    sections = ['hooks = "tests.contract.described_hooks"']
    for name, found in places.items():
        if found and name in served:
            lines = [f"[[operations]]\ninclude-operation-id = {json.dumps(name)}\n[operations.parameters]"]
            sections.append("\n".join([*lines, *(f"{json.dumps(key)} = {json.dumps(id)}" for key, id in found.items())]))
    return "\n\n".join(sections)


async def _run(server: Served, name: str, headers: dict[str, str], ids: list[str], examples: int) -> set[str]:
    """Run the tool as somebody at these operations; gives those that answered with success. Raises AssertionError with what it
    found."""
    told = server.folder / f"{name}.json"
    options: list[str] = [
        *("--phases", _PHASES, "--max-examples", str(examples), "--mode", "all", "--no-shrink", "--no-color"),
        *("--exclude-checks", ",".join(_NOT_CHECKED), "--continue-on-failure", "--suppress-health-check", "all"),
        *("--warnings", "off", "--report", "json", "--report-json-path", str(told), "--request-timeout", "60"),
        *(word for key, value in headers.items() for word in ("--header", f"{key}: {value}")),
        *(word for id in ids for word in ("--include-operation-id", id)),
    ]
    if not MANY:
        options.append("--generation-deterministic")
    else:
        options += ["--generation-database", "none"]
    program = Path(sys.executable).with_name("st")
    where: list[str | Path] = ["--config-file", server.folder / "schemathesis.toml", "run", f"{server.url}/openapi.json"]
    ran = await asyncio.to_thread(vendor.run, server.folder, program, *where, *options, longest=_LONGEST, PYTHONPATH=str(ROOT))
    _, _, summary = ran.stdout.rpartition("Test cases:")
    print(f"{name}: {summary[:200].strip().splitlines()[0] if summary else ran.stderr[-300:]}")
    assert ran.returncode == 0, f"as {name}:\n{ran.stdout[-12000:]}\n{ran.stderr[-2000:]}\n{server.log()[-3000:]}"
    rates = json.loads(told.read_text())["valid_rates"]
    return {address for address, phases in rates.items() if any(phase["accepted"] for phase in phases.values())}
