"""The program on a folder of its own: arguments and files in, exit code and text out."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nectary.cli import app

Ask = Callable[..., Result]
GOOD = "[INPUT]\n    name dummy\n    tag a.b\n\n[OUTPUT]\n    name stdout\n    match *\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program runs; learned schemas would be kept in it too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("NECTARY_SCHEMAS", raising=False)
    (tmp_path / "good.conf").write_text(GOOD)
    return tmp_path


@pytest.fixture
def ask(folder: Path) -> Ask:
    """Run a command in that folder, with text or bytes on standard input; what it raised would be the test's failure."""
    runner = CliRunner()

    def run(*arguments: str, stdin: str | bytes = "") -> Result:
        result = runner.invoke(app, arguments, input=stdin, prog_name="nectary")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def one_sentence(result: Result) -> str:
    """What a refused command said: one line, to people, and nothing on standard output."""
    assert result.stdout == ""
    assert result.stderr.startswith("nectary: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr
