"""`nectary config convert --out`: main and side files in a folder, all or none."""

from pathlib import Path

import pytest

from tests.cli.conftest import Ask, one_sentence

MAIN = """\
service: {parsers_file: lib/p.yaml}
parsers: [{name: one, format: json}]
pipeline:
  inputs: [{name: dummy, tag: a}]
  filters: [{name: lua, match: a, script: x.lua, call: f}]
  outputs: [{name: stdout, match: a}]
"""


@pytest.fixture
def main(folder: Path) -> Path:
    (folder / "conf/lib").mkdir(parents=True)
    (folder / "conf/main.yaml").write_text(MAIN)
    (folder / "conf/lib/p.yaml").write_text("parsers: [{name: two, format: ltsv}]\n")
    (folder / "conf/x.lua").write_text("function f(tag, time, record) return 0 end\n")
    return folder / "conf/main.yaml"


@pytest.mark.usefixtures("main")
def test_main_and_side_files_are_written_and_named(ask: Ask, folder: Path) -> None:
    made = ask("config", "convert", "conf/main.yaml", "--to", "classic", "--out", "new/deep")
    assert made.exit_code == 0
    assert made.stdout == "new/deep/main.conf\nnew/deep/p.conf\nnew/deep/main.parsers.conf\n"
    assert "conf/main.yaml:2:11: warning: this goes to main.parsers.conf" in made.stderr
    assert "note: x.lua is looked for beside new/deep/main.conf, and is not copied there\n" in made.stderr
    assert (folder / "new/deep/p.conf").read_text() == "[PARSER]\n    name two\n    format ltsv\n"
    back = ask("config", "convert", "new/deep/main.conf", "--to", "yaml", "--out", "back")
    assert (back.exit_code, sorted(path.name for path in (folder / "back").iterdir())) == (
        0, ["main.parsers.yaml", "main.yaml", "p.yaml"],
    )  # fmt: skip


@pytest.mark.usefixtures("main")
def test_files_that_are_there_are_replaced_by_force_only_and_sources_never(ask: Ask, folder: Path) -> None:
    (folder / "new").mkdir()
    (folder / "new/p.conf").write_text("mine")
    command = ["config", "convert", "conf/main.yaml", "--to", "classic", "--out"]
    refused = ask(*command, "new")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.endswith("nectary: new/p.conf is there already; --force replaces it\n")
    assert [path.name for path in (folder / "new").iterdir()] == ["p.conf"]
    assert ask(*command, "new", "--force").exit_code == 0
    assert (folder / "new/p.conf").read_text() != "mine"
    (folder / "conf/lib/p.yaml").rename(folder / "conf/p.conf")
    (folder / "conf/p.conf").write_text("[PARSER]\n    name two\n")
    (folder / "conf/main.yaml").write_text(MAIN.replace("lib/p.yaml", "p.conf"))
    own = ask(*command, "conf", "--force")
    assert own.exit_code == 2
    assert "conf/p.conf is one of the files to convert" in own.stderr


def test_nothing_is_written_when_something_would_be_left_out(ask: Ask, folder: Path) -> None:
    (folder / "a.yaml").write_text("extensions: {a: b}\npipeline: {inputs: [{name: dummy}]}\n")
    lost = ask("config", "convert", "a.yaml", "--to", "classic", "--out", "new")
    assert (lost.exit_code, lost.stdout, (folder / "new").exists()) == (1, "", False)
    assert "a.yaml:1:1: error: extensions: the classic format has no way to write it" in lost.stderr
    assert ask("config", "convert", "a.yaml", "--to", "classic", "--out", "new", "--lossy").stdout == "new/a.conf\n"


def test_a_broken_side_file_is_reported_with_its_line(ask: Ask, folder: Path) -> None:
    (folder / "a.conf").write_text("[SERVICE]\n    parsers_file p.conf\n")
    (folder / "p.conf").write_text("[PARSER]\n    name a\n[PARSER\n")
    broken = ask("config", "convert", "a.conf", "--to", "yaml", "--out", "new")
    assert (broken.exit_code, broken.stdout, (folder / "new").exists()) == (1, "", False)
    assert "p.conf:3:1: error" in broken.stderr


def test_wrong_asking_is_one_sentence(ask: Ask, folder: Path) -> None:
    same = ask("config", "convert", "good.conf", "--to", "ini", "--out", "new")
    assert (same.exit_code, one_sentence(same)) == (2, "nectary: good.conf is classic already\n")
    (folder / "file").write_text("")
    nowhere = ask("config", "convert", "good.conf", "--to", "yaml", "--out", "file")
    assert (nowhere.exit_code, one_sentence(nowhere)) == (2, "nectary: cannot write to file: File exists\n")
    for hostile in ("a\0b", "x" * 5000):
        assert ask("config", "convert", "good.conf", "--to", "yaml", "--out", hostile).exit_code == 2


def test_standard_input_goes_to_a_folder_too(ask: Ask, folder: Path) -> None:
    made = ask("config", "convert", "-", "--to", "yaml", "--out", "new", stdin="[SERVICE]\n    flush 1\n")
    assert (made.exit_code, made.stdout) == (0, "new/stdin.yaml\n")
    assert (folder / "new/stdin.yaml").read_text() == "service:\n  flush: 1\n"
