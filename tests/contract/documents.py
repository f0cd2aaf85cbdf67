"""Documents written from the code: `python -m tests.contract.documents` writes them, test_documents.py finds them stale."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nectary.edge.openapi import operations
from tests.contract.published import ROOT, listed, our_document

OPENAPI = ROOT / "contract" / "openapi.json"
PERMISSIONS = ROOT / "docs" / "permissions.md"
COMPATIBILITY = ROOT / "docs" / "compatibility.md"

_SCHEMES = ("user", "project", "agent", "core_instance")


def written() -> dict[Path, str]:
    """Each document and what should stand in it."""
    document = our_document()
    return {
        OPENAPI: json.dumps(document, indent=1, ensure_ascii=False) + "\n",
        PERMISSIONS: permissions(document),
        COMPATIBILITY: compatibility(),
    }


def permissions(document: Mapping[str, Any]) -> str:
    lines = [
        "# Who may do what",
        "",
        "Written from the routes by `make docs`. A caller is refused with 401 without a credential of a kind that is ticked,",
        "with 403 without the permission, and with 404 (403 for a project itself) for what belongs to somebody else's project.",
        "",
        "A *person* is signed in (`Authorization: Bearer`) and acts with the permissions of their membership. A *project",
        "token* (`X-Project-Token`) acts in its one project with its own permissions. A membership or token that lists no",
        "permissions holds all four. An *agent token* (`X-Agent-Token`) speaks for its own agent, and a *core instance token*",
        "(`X-Aggregator-Token`) for its own core instance and what that holds; neither needs a permission.",
        "",
        "| operation | | person | project token | agent token | core instance token | permission |",
        "|---|---|:-:|:-:|:-:|:-:|---|",
    ]
    rows = []
    for address, operation in operations(document):
        schemes = {scheme for each in operation.get("security", ()) for scheme in each}
        ticks = ["yes" if scheme in schemes else "" for scheme in _SCHEMES] if schemes else ["anybody", "", "", ""]
        permission = operation.get("x-permission", "")
        rows.append(
            f"| `{operation['operationId']}` | `{address}` | {' | '.join(ticks)} | {permission and f'`{permission}`'} |"
        )
    return "\n".join([*lines, *sorted(rows, key=str.lower), ""])


_TITLES = {
    "refused": "Not served",
    "changed": "Answered in another way",
    "added": "Added",
}


def compatibility() -> str:
    lines = [
        "# Compatibility",
        "",
        "Nectary knows all 183 operations of the published API. A script written for the original runs against Nectary when",
        "its address and token are changed. This page lists every place where Nectary knowingly differs; tests compare it with",
        "the published contract both ways. Written from `contract/differences.toml` by `make docs`.",
    ]
    for kind, title in _TITLES.items():
        lines += ["", f"## {title}", "", "| operation | what | why |", "|---|---|---|"]
        rows = [one for one in listed() if one.kind == kind]
        lines += [
            f"| `{one.operation}` | {_cell(one.what)} | {_cell(one.why)} |"
            for one in sorted(rows, key=lambda one: one.operation)
        ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
