"""The page that shows the API."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.harness.world import World

PAGE = Path(__file__).parents[1] / "harness" / "page.mjs"


async def test_the_page_and_all_it_needs_come_from_here(world: World) -> None:
    page = await world.anyone.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    linked = set(re.findall(r'(?:href|src)="([^"]+)"', page.text))
    assert {"/docs/reference.js", "/docs/reference.css", "/openapi.json"} == linked
    for path in sorted(linked):
        answer = await world.anyone.get(path)
        assert answer.status_code == 200
        assert answer.content
        assert "http://" not in answer.text if path.startswith("/docs") else True
    assert (await world.anyone.get("/openapi.json")).json()["openapi"].startswith("3.1")


async def test_nothing_else_is_served_beside_it(world: World) -> None:
    for name in ("index.html", "docs.py", "..%2Fdocs.py", "nothing"):
        await world.anyone.refused("GET", f"/docs/{name}", 404, "not found")


async def test_the_page_draws_every_operation_and_finds_some(world: World, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("SKIPPED: no node found; install it to run the page's script")
    script, description = tmp_path / "reference.mjs", tmp_path / "openapi.json"
    script.write_bytes((await world.anyone.get("/docs/reference.js")).content)
    description.write_bytes((await world.anyone.get("/openapi.json")).content)
    command: list[str | Path] = [node, PAGE, script, description, "fleet post", "createFleet"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0
    drawn = json.loads(output)
    ids = {
        operation["operationId"]
        for item in json.loads(description.read_text())["paths"].values()
        for operation in item.values()
    }
    assert ids <= set(drawn["drawn"])
    assert drawn["found"][0] == f"{len(ids)} operations"
    assert 0 < int(drawn["found"][1].split()[0]) < 10
    assert drawn["open"] == ["createFleet"], "what the address names is open"
    shown = drawn["drawn"]["createFleet"]
    for text in ("/v1/projects/{projectID}/fleets", "For people, project tokens who hold create:*.", "NewFleet", "409"):
        assert text in shown
    assert "minFluentBitVersion" in drawn["drawn"]["shape-NewFleet"]
