"""The published contract, held against the real server: as its vendor tested it, and strictly.

`make test` takes few examples of each operation; `make contract` as many as the vendor did.
"""

import asyncio
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from nectary.caller import Kind
from nectary.db import tables
from tests.harness import bodies, vendor
from tests.harness.ground import Ground
from tests.harness.operations import Operation, operations, table_of
from tests.harness.serving import Served
from tests.walks.occasions import OCCASIONS, UNSERVED

pytestmark = [pytest.mark.contract, pytest.mark.timeout(vendor.LONGEST + 600)]

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "5"))
STRICT_EXAMPLES = int(os.environ.get("CONTRACT_STRICT_EXAMPLES", "5"))
# The strict run in so many parts, each with a server and a project of its own.
PARTS = int(os.environ.get("CONTRACT_PARTS", "1"))
_LEFT_OUT = "awsCustomerRedirect"  # by the vendor, too; to us it is 501, which is a fault to the tool
_DIFFERENCES = Path(__file__).parents[2] / "contract" / "differences.toml"


# What cannot succeed here; tests/walks/ shows that it can.
NEVER = {
    "acceptInvitation": "takes somebody else, who was invited",
    "createProcessingRuleV1": "the pipeline has one already",
    "createTraceSession": "one runs already",
    "deleteEnvironment": "a core instance stands in it",
    "processingRuleTemplate": "there is one of version 1 here, or of version 2",
    "updateProcessingRuleTemplate": "there is one of version 1 here, or of version 2",
    "processingRuleTemplateV1": "there is one of version 1 here, or of version 2",
    "updateProcessingRuleTemplateV1": "there is one of version 1 here, or of version 2",
    "deletePipelines": "its pipelines were deleted one by one",
    "deleteProcessingRuleTemplate": "there was but one",
}


@pytest.fixture(scope="module")
def tool() -> Path:
    return vendor.environment()


def test_the_vendors_contract_test_passes(shared: Path, tool: Path, server: Served) -> None:
    """The command of the original's build, over every operation it was run over: all but one, which asks for no credential."""
    names = {one["operationId"] for one in vendor.published(shared / "contract")} - {_LEFT_OUT}
    assert len(names) == 182
    assert names <= set(vendor.served(shared / "contract", operations()))
    options = [
        *("--checks", "all", "--exclude-checks", "status_code_conformance"),
        *("--header", f"X-Project-Token: {server.token}"),
        "--stateful=links",
        *("--exclude-operation-id", _LEFT_OUT),
        *("--contrib-openapi-formats-uuid", "--contrib-openapi-fill-missing-examples", "--workers", "8"),
        *("--base-url", server.url, "--hypothesis-max-examples", str(EXAMPLES), "--hypothesis-database", "none"),
    ]
    ran = vendor.run(server.folder, tool / "st", "run", shared / "contract" / "openapi.yml", *options)
    print(f"{len(names)} operations, {EXAMPLES} examples each\n{ran.stdout[-2000:]}")
    assert "Collected API operations: 182" in ran.stdout, ran.stdout[:1000]
    assert ran.returncode == 0, f"{ran.stdout[-6000:]}\n{ran.stderr[-2000:]}\n{server.log()[-3000:]}"


@pytest.mark.parametrize("part", range(PARTS))
async def test_the_strict_run_finds_no_unlisted_difference(
    shared: Path, tool: Path, server: Served, ground: Ground, part: int
) -> None:
    """With credentials that are taken, every answer is held against its schema, and every success needs its credentials."""
    served = vendor.served(shared / "contract", ground.operations)
    mine = sorted(set(served) - UNSERVED)[part::PARTS]
    found = {name: served[name] for name in mine}
    order = {
        "spec": str(shared / "contract" / "openapi.yml"),
        "url": server.url,
        "operations": sorted(found, key=lambda name: (_lateness(found[name]), name)),
        "headers": {"Authorization": ground.shown[Kind.USER], "X-Project-Token": ground.shown[Kind.PROJECT_TOKEN]},
        "requests": {name: await _requests(ground, operation) for name, operation in found.items()},
        "examples": STRICT_EXAMPLES,
    }
    program = Path(__file__).with_name("strict_run.py")
    ran = await asyncio.to_thread(vendor.run, server.folder, tool / "python", program, told=json.dumps(order))
    assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-6000:]}"
    said = json.loads(ran.stdout)
    never = [name for name in found if not any(status.startswith("2") for status in said["statuses"].get(name, {}))]
    print(f"{len(found)} operations asked, {len(never)} never with success: {', '.join(never)}")
    print("\n".join(f"{name}: {said['refusals'].get(name)}" for name in never))
    assert not said["faults"], "\n".join(said["faults"][:20]) + server.log()[-3000:]
    unlisted = [one for one in said["differences"] if not _listed(one[0], one[1])]
    assert not unlisted, "list them in contract/differences.toml, or mend them:\n" + "\n".join(map(str, unlisted))
    assert set(never) <= set(NEVER), {name: said["refusals"].get(name) for name in set(never) - set(NEVER)}


def _lateness(operation: Operation) -> tuple[bool, int, int]:
    """Deletions last: of what belongs to other things before those, and of what a thing holds before the thing itself."""
    if operation.method != "DELETE":
        return False, 0, 0
    table = table_of(operation, operation.parameters[-1])
    return True, len(_belongings(table)) if table is not None else 0, -operation.path.count("/")


def _belongings(table: Table, known: frozenset[Table] = frozenset()) -> frozenset[Table]:
    """The tables whose rows refer to this one's, or to theirs."""
    for other in tables.metadata.tables.values():
        if other not in known and any(key.column.table is table for key in other.foreign_keys):
            known = _belongings(other, known | {other})
    return known


async def _requests(ground: Ground, operation: Operation) -> list[dict[str, Any]]:
    """Some that should be taken."""
    known = await ground.known()
    query, places = ground.query(operation, known), list(ground.places(operation, known).values())
    plain: dict[str, Any] = {"query": query, "places": places}
    if operation.guard is None:
        raw = (await ground.asked(operation)).raw
        return [{**plain, "body": json.loads(raw) if raw else None}]
    made = []
    if operation.id in OCCASIONS:
        asked, _ = await OCCASIONS[operation.id](ground)
        at = re.fullmatch(re.sub(r"{\w+}", "([^/]+)", operation.path), asked.path)
        assert at is not None, f"{operation} is asked at {asked.path}"
        made.append({"query": asked.query, "places": list(at.groups()), "body": asked.body})
    words = {
        one["name"]: str(bodies.example(one["schema"], operation.schemas, known, name=one["name"]))
        for one in operation.query
        if "enum" in one["schema"]
    }
    if operation.method == "GET" and words:
        made.append({**plain, "query": words | query, "body": None})
    return [*made, *({**plain, "body": body} for body in list(bodies.candidates(operation, known))[:3])]


def _listed(operation: str, field: str) -> bool:
    """Whether contract/differences.toml has it: for this operation, or one whose entry says "also in `<operation>`"."""
    listed = tomllib.loads(_DIFFERENCES.read_text())["difference"]
    last = field.rsplit(".", maxsplit=1)[-1]
    return any(
        one["kind"] == "changed"
        and one.get("field") in (field, last, f"answer {field}")
        and (one["operation"] == operation or f"`{operation}`" in one["what"])
        for one in listed
    )
