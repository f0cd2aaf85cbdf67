"""What we say the dry run would stop on, against the dry run of a real Fluent Bit."""

import json
import os
import random
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nectary.fluentbit import learn
from nectary.fluentbit.document import Format
from nectary.fluentbit.schema import PluginSchema, Schema
from nectary.fluentbit.validate import check
from tests.harness import fluent_bit

pytestmark = pytest.mark.fluent_bit
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
    program = fluent_bit.required()
    done = subprocess.run([program, "-J"], capture_output=True, text=True, timeout=30, check=True)
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


def rule(choose: random.Random) -> dict[str, Any]:
    op = choose.choice(["eq", "neq", "gt", "in", "NOT_IN", "regex", "lt", "like"])
    values: list[Any] = [["a", "b"], "x"] if op in {"in", "NOT_IN"} else ["a", 5, 1.5, 256, 0, "null", "-5", "(a"]
    made = {"field": choose.choice(["$a", "$a['b']", "x", "$metric.x", "$resource['a']", "$span.x"]), "op": op}
    made["value"] = choose.choice(values if choose.random() < 0.9 else [True, None, ["a"], [1], []])
    if choose.random() < 0.1:
        del made[choose.choice(list(made))]
    return made


def condition(choose: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"rules": [rule(choose) for _ in range(choose.choice([1, 1, 2, 0]))]}
    if choose.random() < 0.3:
        made["op"] = choose.choice(["and", "OR", "xor"])
    return made


def unit(choose: random.Random) -> dict[str, Any]:
    names = ["content_modifier", "labels", "sql", "modify", "grep", "opentelemetry_envelope", "modifyx"]
    made: dict[str, Any] = {"name": choose.choice(names)}
    if choose.random() < 0.5:
        made["condition"] = condition(choose)
    return made


def route(number: int, choose: random.Random) -> dict[str, Any]:
    outputs: list[Any] = [["o"], ["o", "stdout.0"], [{"name": "o", "fallback": "o"}], "o", ["nowhere"], [], [{}]]
    made: dict[str, Any] = {"name": choose.choice([f"r{number}", "same"]), "to": {"outputs": choose.choice(outputs)}}
    if choose.random() < 0.5:
        made["condition"] = condition(choose)
        if choose.random() < 0.3:
            made["condition"]["default"] = choose.choice([True, "true", False, "maybe"])
    return made


PARSERS = [
    *(
        {"format": "regex", "regex": each}
        for each in ("^a", "(", "a)", "*a", "[a", "(?<n>a)", "(?<1>a)", "[[:alpha:]]", "\\", "a|b")
    ),
    *({"format": each} for each in ("json", "xml", "LTSV")),
]


def document(choose: random.Random) -> dict[str, Any]:
    source: dict[str, Any] = {"name": "dummy"}
    if choose.random() < 0.5:
        signals = choose.sample(["logs", "metrics", "Traces", "profiles"], choose.choice([1, 1, 2]))
        source["processors"] = {signal: [unit(choose)] for signal in signals}
    if choose.random() < 0.5:
        keys = choose.sample(["logs", "metrics", "any", "logs,traces", "logs+metrics", "nope"], choose.choice([1, 1, 2]))
        source["routes"] = {key: [route(number, choose) for number in range(choose.choice([1, 2]))] for key in keys}
    made: dict[str, Any] = {
        "pipeline": {"inputs": [source], "outputs": [{"name": "stdout", "alias": "o", "match": "*"}]},
    }
    if choose.random() < 0.2:
        made["parsers"] = [{"name": "p", **choose.choice(PARSERS)}]
    if choose.random() < 0.2:
        made["service"] = choose.choice(
            [{"flush": "1s"}, {"flush": 0}, {"log_level": "loud"}, {"grace": "x"}, {"http_port": "x"}]
        )
    return made


@pytest.mark.parametrize("seed", range(4))
def test_the_dry_run_stops_on_the_same_processors_conditions_routes_and_parsers(seed: int, tmp_path: Path) -> None:
    program = fluent_bit.required()
    choose = random.Random(seed)
    file = tmp_path / "fluent-bit.yaml"
    outcomes = set()
    for _ in range(40):
        text = json.dumps(document(choose), indent=1)
        file.write_text(text)
        done = subprocess.run(
            [program, "--dry-run", "-c", file], capture_output=True, timeout=20, check=False, env={"PATH": os.environ["PATH"]}
        )
        if done.returncode < 0:
            continue  # it crashed: no answer
        outcomes.add(bool(done.returncode))
        seen = [each for each in check(text, Format.YAML, schema=learned(), env={}) if each.severity == "error"]
        seen = [each for each in seen if each.dry_run_detects]
        assert bool(seen) == bool(done.returncode), (text, seen, done.stderr.decode(errors="replace")[-800:])
    assert outcomes == {True, False}


@pytest.mark.parametrize("seed", range(6))
def test_the_dry_run_stops_on_what_we_say_it_stops_on(seed: int, tmp_path: Path) -> None:
    program = fluent_bit.required()
    choose = random.Random(seed)
    file = tmp_path / "fluent-bit.conf"
    answered = 0
    for _ in range(40):
        kinds = choose.choices(["input", "filter", "output"], k=choose.randrange(1, 4))
        text = "\n".join(line for kind in kinds for line in section(kind, choose)) + "\n"
        file.write_text(text)
        done = subprocess.run(
            [program, "--dry-run", "-c", file], capture_output=True, timeout=20, check=False, env={"PATH": os.environ["PATH"]}
        )
        if done.returncode < 0:
            continue  # it crashed: no answer
        answered += 1
        ours = [each for each in check(text, Format.CLASSIC, schema=learned(), env={}) if each.severity == "error"]
        seen = [each for each in ours if each.dry_run_detects]
        assert bool(seen) == bool(done.returncode), (text, seen, done.stderr.decode(errors="replace")[-800:])
    assert answered > 30
