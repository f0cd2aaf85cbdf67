"""`nectary config validate --fluent-bit`: a second opinion that can harm nothing, and is never needed."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from nectary.cli import child
from tests.cli.conftest import GOOD, Ask
from tests.cli.test_schema import program


def test_a_real_fluent_bit_agrees(ask: Ask, fluent_bit: str) -> None:
    result = ask("config", "validate", "good.conf", "--fluent-bit", fluent_bit)
    assert (result.exit_code, result.stdout) == (0, "no problems for Fluent Bit 5.1.1\n")
    assert result.stderr == "good.conf: fluent-bit --dry-run accepts it\n"


def test_what_a_real_fluent_bit_refuses_is_an_error_with_its_own_words(ask: Ask, folder: Path, fluent_bit: str) -> None:
    (folder / "bad.conf").write_text(GOOD + "    nope 1\n")
    found = json.loads(ask("config", "validate", "bad.conf", "--fluent-bit", fluent_bit, "-o", "json").stdout)
    assert sorted(one["kind"] for one in found) == ["dry_run", "unknown_property"]
    [refusal] = [one for one in found if one["kind"] == "dry_run"]
    assert "unknown configuration property 'nope'" in refusal["message"]
    (folder / "worse.conf").write_text(GOOD + "[INPUT\n")
    found = json.loads(ask("config", "validate", "worse.conf", "--fluent-bit", fluent_bit, "-o", "json").stdout)
    assert [(one["file"], one["line"]) for one in found if one["kind"] == "dry_run"] == [("worse.conf", 8)]


@pytest.mark.parametrize("form", ["conf", "yaml", "json"])
def test_it_sees_included_files_and_parsers_where_they_are(ask: Ask, folder: Path, fluent_bit: str, form: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/parsers.conf").write_text("[PARSER]\n    name mine\n    format json\n")
    (folder / "sub/set.lua").write_text("function f(t, ts, r) return 0, ts, r end\n")
    service, lua = {"parsers_file": "parsers.conf"}, {"name": "lua", "match": "*", "script": "sub/set.lua", "call": "f"}
    if form == "conf":
        text = "@INCLUDE more.conf\n[SERVICE]\n    parsers_file parsers.conf\n[FILTER]\n"
        text += "".join(f"    {key} {value}\n" for key, value in lua.items())
    else:
        text = json.dumps({"includes": ["more.yaml"], "service": service, "pipeline": {"filters": [lua]}})
    (folder / "sub/more.conf").write_text(GOOD)
    (folder / "sub/more.yaml").write_text("pipeline:\n  inputs: [{name: dummy}]\n  outputs: [{name: stdout, match: '*'}]\n")
    (folder / f"sub/main.{form}").write_text(text)
    result = ask("config", "validate", f"sub/main.{form}", "--fluent-bit", fluent_bit)
    assert (result.exit_code, result.stderr) == (0, f"sub/main.{form}: fluent-bit --dry-run accepts it\n"), result.stdout
    assert sorted(path.name for path in (folder / "sub").iterdir()) == sorted(
        ["parsers.conf", "set.lua", "more.conf", "more.yaml", f"main.{form}"]
    )


def test_templates_are_replaced_before_it_looks(ask: Ask, folder: Path, fluent_bit: str) -> None:
    (folder / "main.yaml").write_text(
        "pipeline:\n  inputs: [{name: dummy}]\n  outputs:\n"
        "    - {name: http, match: '*', host: localhost, port: '{{ secrets.PORT }}', tls.ca_file: '{{ files.ca }}'}\n"
    )
    result = ask("config", "validate", "main.yaml", "--fluent-bit", fluent_bit)
    assert (result.exit_code, result.stderr) == (0, "main.yaml: fluent-bit --dry-run accepts it\n"), result.stdout


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("kill -SEGV $$", "it crashed (signal 11)"),
        ("kill -ABRT $$", "it crashed (signal 6)"),
        ("exit 139", "it crashed (signal 11)"),
        ("exit 1", "it ended with 1 and no word: nothing"),
        ("exec yes '[2026/01/01 00:00:00] [info] x'", "it crashed (signal"),
        ("exec python3 -c 'x = bytearray(3 << 30)'", "it ended with 1 and no word"),
    ],
)
def test_a_program_that_fails_is_no_answer(ask: Ask, folder: Path, body: str, reason: str) -> None:
    result = ask("config", "validate", "good.conf", "--fluent-bit", program(folder / "broken", body))
    assert (result.exit_code, result.stdout) == (0, "no problems for Fluent Bit 5.1.1\n")
    assert result.stderr.startswith(f"good.conf: no second opinion: {reason}")


def test_a_program_that_never_ends_is_ended_with_its_children(folder: Path) -> None:
    script = program(folder / "slow", "sleep 300 & echo $! > pid; wait")
    ended = child.run([str(folder / script)], folder=folder, environment={"PATH": os.environ["PATH"]}, seconds=5)
    assert ended.code is None
    stat = Path(f"/proc/{(folder / 'pid').read_text().strip()}/stat")
    for _ in range(100):  # a killed process takes a moment to go, and waits as a zombie where nobody asks for it
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if stat.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.1)
                continue
        return
    pytest.fail("its child still runs")


def test_plugins_of_its_own_are_not_loaded(ask: Ask, folder: Path) -> None:
    script = program(folder / "touches", f"touch {folder}/ran")
    (folder / "main.conf").write_text("[SERVICE]\n    plugins_file p.conf\n" + GOOD)
    (folder / "main.yaml").write_text("plugins: [/tmp/x.so]\n")
    for name in ("main.conf", "main.yaml"):
        result = ask("config", "validate", name, "--fluent-bit", script)
        assert "loads plugins of its own" in result.stderr
    assert not (folder / "ran").exists()


def test_the_child_sees_copies_few_variables_and_no_network(ask: Ask, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = program(folder / "looks", f"{{ pwd; env; cat /proc/net/dev; }} > {folder}/seen; echo x > good.conf; exit 1")
    monkeypatch.setenv("NEEDED", "this")
    monkeypatch.setenv("HIDDEN", "that")
    text = GOOD.replace("tag a.b", "tag ${NEEDED}")
    (folder / "good.conf").write_text(text)
    ask("config", "validate", "good.conf", "--fluent-bit", script)
    seen = (folder / "seen").read_text()
    assert "NEEDED=this\n" in seen
    assert "HIDDEN" not in seen
    assert "nectary-dry-run-" in seen.splitlines()[0]
    assert (folder / "good.conf").read_text() == text
    if subprocess.run(["unshare", "--map-root-user", "--net", "true"], check=False).returncode != 0:
        pytest.skip("SKIPPED: this machine lets us take away no network; the rest of the test passed")
    devices = [line.split(":")[0].strip() for line in seen.splitlines() if ":" in line and "=" not in line]
    assert [name for name in devices if name and "/" not in name] == ["lo"]
