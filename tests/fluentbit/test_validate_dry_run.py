"""What we say the dry run would stop on, against the dry run of a real Fluent Bit."""

import os
import random
import subprocess
from functools import cache
from pathlib import Path
from shutil import which

import pytest

from nectary.fluentbit import learn
from nectary.fluentbit.document import Format
from nectary.fluentbit.schema import PluginSchema, Schema
from nectary.fluentbit.validate import check

pytestmark = pytest.mark.fluent_bit
BINARY = which("fluent-bit")
# The dry run of 5.1.1 aborts on some outputs, and lua wants a script; lib takes anything.
LEFT_OUT = {
    ("output", "nats"),
    ("output", "kafka-rest"),
    ("output", "azure_blob"),
    ("filter", "lua"),
    ("input", "lib"),
    ("output", "lib"),
}
GOOD = {"boolean": ["on", "false"], "integer": ["5", "0"], "double": ["1.5"], "size": ["5M", "1k"], "time": ["5s", "3"]}
BAD = ["maybe", "5 MB", "abc", "-1", "${X}", "${X:-5}", "101"]


@cache
def learned() -> Schema:
    assert BINARY is not None
    done = subprocess.run([BINARY, "-J"], capture_output=True, text=True, timeout=30, check=True)
    return learn.from_listing(done.stdout)


def value(plugin: PluginSchema, name: str, choose: random.Random) -> str:
    rule = plugin.rule(name)
    if choose.random() < 0.8:
        return choose.choice(GOOD.get(rule.value.name if rule else "", ["abc", "a b c d"]))
    return choose.choice(BAD)


def section(kind: str, choose: random.Random) -> list[str]:
    known = learned()
    names = [name for name in known.plugins[kind] if (kind, name) not in LEFT_OUT and not known.is_private(kind, name)]
    name = choose.choice(names)
    plugin = known.plugins[kind][name]
    if choose.random() < 0.05:
        name = choose.choice([name + "x", *known.plugins["filter"]])
    lines = [f"[{kind.upper()}]", f"    name {name}"]
    if kind != "input" and choose.random() < 0.93:
        lines.append("    match *")
    for _ in range(choose.randrange(4)):
        option = choose.choice(sorted(plugin.rules))
        # net.* on an input without a network makes the dry run abort.
        if option in {"match", "match_regex"} or (option.startswith("net.") and plugin.network not in plugin.groups):
            continue
        option += "z" if choose.random() < 0.08 else ""
        lines.append(f"    {option} {value(plugin, option, choose)}")
        if choose.random() < 0.08:
            lines.append(lines[-1])
    return lines


@pytest.mark.parametrize("seed", range(6))
def test_the_dry_run_stops_on_what_we_say_it_stops_on(seed: int, tmp_path: Path) -> None:
    if BINARY is None:
        pytest.skip("no fluent-bit binary found")
    choose = random.Random(seed)
    file = tmp_path / "fluent-bit.conf"
    answered = 0
    for _ in range(40):
        kinds = choose.choices(["input", "filter", "output"], k=choose.randrange(1, 4))
        text = "\n".join(line for kind in kinds for line in section(kind, choose)) + "\n"
        file.write_text(text)
        done = subprocess.run(
            [BINARY, "--dry-run", "-c", file], capture_output=True, timeout=20, check=False, env={"PATH": os.environ["PATH"]}
        )
        if done.returncode < 0:
            continue  # it crashed: no answer
        answered += 1
        ours = [each for each in check(text, Format.CLASSIC, schema=learned(), env={}) if each.severity == "error"]
        seen = [each for each in ours if each.dry_run_detects]
        assert bool(seen) == bool(done.returncode), (text, seen, done.stderr.decode(errors="replace")[-800:])
    assert answered > 30
