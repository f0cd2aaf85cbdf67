"""The command tree: all of it in the help, and no more of it loaded than what was asked for."""

import subprocess
import sys

import pytest

from nectary.cli import COMMANDS
from tests.cli.conftest import Ask

LOADED = "import sys; sys.argv[1:] = {}; sys.stdout.reconfigure()\nfrom nectary.cli import app\ntry: app()\n"
LOADED += "finally: print(*sys.modules, file=sys.stderr)"


def test_every_command_is_in_the_help(ask: Ask) -> None:
    shown = ask("--help").stdout
    assert all(f"\n  {name} " in shown for name in (*COMMANDS, "version"))


def test_the_help_of_an_option_keeps_its_brackets(ask: Ask) -> None:
    assert "Port to listen on [5000]." in ask("serve", "--help").stdout


@pytest.mark.parametrize("arguments", [["nope"], ["config", "nope"], ["serve", "--nope"], ["get"], ["config"], []])
def test_what_is_no_command_is_code_two_and_no_traceback(ask: Ask, arguments: list[str]) -> None:
    result = ask(*arguments)
    assert result.exit_code == 2
    assert "Usage: nectary" in result.output


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["config", "validate", "-h"], {"httpx", "nectary.settings", "nectary.server", "asyncio", "rich"}),
        (["serve", "-h"], {"httpx", "nectary.fluentbit", "nectary.server"}),
        (["version"], {"httpx", "nectary.settings", "nectary.fluentbit", "rich"}),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], unneeded: set[str]) -> None:
    command = [sys.executable, "-c", LOADED.format(arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    assert not unneeded & set(run.stderr.split())
