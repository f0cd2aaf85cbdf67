"""The documents: every path, make target and command they name is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")])
# `nectary-data/` and the like are made by running it.
MADE_LATER = ("nectary-data", ".venv", "dist/", "../shared")


def _named_paths(text: str) -> set[str]:
    quoted = re.findall(r"`([^`\n]+)`", text) + re.findall(r"\]\(([^)#:\s]+)\)", text)
    looks = re.compile(r"(\.?[\w-]+/)+[\w.*-]*|[\w-]+\.(py|md|toml|lock|ini|yml|json)|Makefile|LICENSE|\.importlinter")
    return {name for name in quoted if looks.fullmatch(name) and not name.startswith(MADE_LATER)}


def _exists(name: str, document: Path) -> bool:
    places = (ROOT, document.parent, ROOT / "src/nectary", ROOT / "src/nectary/db")
    return any(any(place.glob(name.rstrip("/"))) for place in places)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_named_is_there(document: Path) -> None:
    missing = sorted(name for name in _named_paths(document.read_text()) if not _exists(name, document))
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_named_is_there(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", document.read_text()))
    assert named <= targets


def _commands() -> set[tuple[str, ...]]:
    found = set()
    for document in DOCUMENTS:
        for line in re.findall(r"(?:^|`)nectary ((?:[a-z-]+ ?)+)", document.read_text(), re.MULTILINE):
            words = line.split()
            # An option at the end is followed by its value, in capitals or digits.
            found.add(tuple(words[:-1] if words[-1].startswith("--") else words))
    return found


@pytest.mark.parametrize("command", sorted(_commands()), ids=" ".join)
def test_every_command_named_is_there(command: tuple[str, ...]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "nectary", *command, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr


def test_the_layers_named_are_the_layers_linted() -> None:
    linted = re.search(r"layers =\n((?: +.+\n)+)", (ROOT / ".importlinter").read_text())
    assert linted is not None
    named = (ROOT / "ARCHITECTURE.md").read_text()
    for layer in re.findall(r"\w+", linted[1]):
        assert f"`{layer}" in named or f" {layer}" in named, f"ARCHITECTURE.md does not say what {layer} is"
