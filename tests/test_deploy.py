"""What is in deploy/ beside the cluster's: it names what is there."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def commands() -> dict[str, list[str]]:
    """Every command of ours that something in deploy/ runs, by where it stands."""
    found = {}
    for unit in UNITS:
        line = re.search(r"^ExecStart=\S+/nectary (.*)$", unit.read_text(), re.MULTILINE)
        assert line is not None, unit
        found[unit.name] = line[1].split()
    found["compose.yml"] = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]["nectary"]["command"]
    plain = yaml.safe_load_all((DEPLOY / "kubernetes" / "nectary-core.yaml").read_text())
    made = next(one for one in plain if one["kind"] == "Deployment")
    found["nectary-core.yaml"] = made["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


@pytest.mark.parametrize("place", commands())
def test_the_commands_run_are_ours(place: str) -> None:
    # Only `--help` is run; click looks at the options before it only if they are known.
    command = [shutil.which("nectary", path=str(ROOT / ".venv/bin")) or "nectary", *commands()[place], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_one_by_systemd(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("SKIPPED: no systemd-analyze: the units are not checked")
    # Their program and user are not on this machine.
    text = re.sub(r"/opt/nectary/bin/nectary", "/bin/true", unit.read_text())
    text = re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE)
    (tmp_path / unit.name).write_text(text)
    done = subprocess.run([analyze, "verify", "--man=no", tmp_path / unit.name], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if unit.name in line]
    assert ours == []
    assert done.returncode == 0 or not ours


def test_units_read_no_secret_from_a_file_that_all_may_read() -> None:
    for unit in UNITS:
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read_string(unit.read_text())
        assert "TOKEN" not in parser["Service"].get("Environment", "")
        assert parser["Service"]["UMask"] == "0077"
        assert parser["Service"]["NoNewPrivileges"] == "yes"


def test_the_image_runs_as_nobody() -> None:
    stages = re.split(r"^FROM ", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)[2:]
    assert len(stages) == 2
    for stage in stages:
        assert "USER 65532:65532" in stage
        assert 'ENTRYPOINT ["nectary"]' in stage
