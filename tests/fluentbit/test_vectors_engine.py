"""Every shared vector through the parsers, printers and converters, and what the engine knows of it, when they are there."""

import fnmatch
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nectary.fluentbit import convert, formats, meaning, ports, references
from nectary.fluentbit.document import ConfigError, Document, Format, Kind, Property, Scalar, Section, Severity
from nectary.fluentbit.nodes import ListNode, Node
from tests.harness import fluent_bit

VECTORS = Path(os.environ.get("NECTARY_SHARED") or Path(__file__).parents[2] / ".." / "shared") / "vectors"
FORMATS = {"conf": Format.CLASSIC, "yaml": Format.YAML, "json": Format.JSON}
ORDER = [Kind.CUSTOM, Kind.INPUT, Kind.FILTER, Kind.OUTPUT]

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="SKIPPED: no configuration vectors beside this checkout")


@cache
def expected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / name / "expected.json").read_text())
    return found


@cache
def files(name: str) -> dict[str, bytes]:
    folder = VECTORS / name
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@cache
def document(name: str, form: str) -> Document:
    there = files(name)
    return formats.parse(
        there[f"input.{form}"],
        f"input.{form}",
        read=there.get,
        glob=lambda pattern: [file for file in there if fnmatch.fnmatch(file, pattern)],
    )


def cases(wanted: str | None = None) -> list[Any]:
    """(vector, form) of each vector that is accepted and expects something about `wanted`; all of them for None."""
    found = []
    for folder in sorted(VECTORS.glob("*/expected.json")):
        name = folder.parent.name
        expect = expected(name)["expect"]
        forms = expected(name)["formats"]
        fit = [form for form in forms if wanted is None or (wanted in expect and expect["parse"][form] == "ok")]
        found += [pytest.param(name, form, id=f"{name}-{form}") for form in fit]
    return found


@pytest.mark.parametrize(("name", "form"), cases())
def test_a_vector_is_accepted_or_refused_at_the_expected_place(name: str, form: str) -> None:
    wanted = expected(name)["expect"]["parse"][form]
    if wanted == "ok":
        assert document(name, form).file == f"input.{form}"
        return
    with pytest.raises(ConfigError) as refused:
        document(name, form)
    first = refused.value.problems[0].place
    assert (first.line, first.column) == (wanted["error"]["line"], wanted["error"]["col"])


@pytest.mark.parametrize(("name", "form"), cases())
def test_a_vector_means_what_the_real_reader_understood(name: str, form: str) -> None:
    reader = expected(name)["observed"][form].get("reader") or {}
    if expected(name)["expect"]["parse"][form] != "ok" or "model" not in reader:
        return  # refused here, or so long that its model was not kept
    model = reader["model"]
    found = as_reader(document(name, form))
    assert found == {kind: _with_groups(value) for kind, value in model.items()}


def _with_groups(value: Any) -> Any:
    return [({"groups": []} | entry) if isinstance(entry, dict) else entry for entry in value]


def as_reader(doc: Document) -> dict[str, Any]:
    """The document in the shape of the probe that prints the real reader's model."""
    found: dict[str, Any] = {}
    if doc.variables:
        found["env"] = [[one.name, {"uri": one.uri} if one.uri and not one.value else one.value] for one in doc.variables]
    if doc.of(Kind.SERVICE):
        found["service"] = _properties(doc.service)
    names = {Kind.STREAM_TASK: "stream_processor", Kind.UPSTREAM: "upstream_servers"}
    for section in doc.sections:
        if section.kind is not Kind.SERVICE:
            found.setdefault(names.get(section.kind, str(section.kind)), []).append(_section(section))
    return found


def _section(section: Section) -> dict[str, Any]:
    groups = [[group.name, _properties(group.properties)] for group in section.groups]
    plain = []
    for prop in section.properties:
        if prop.name == "processors" and prop.nested is not None and not isinstance(prop.nested, ListNode):
            groups.append(["processors", _processors(prop.nested)])
            continue
        plain.append(prop)
    if section.kind is Kind.PLUGINS:
        return {"groups": groups, "props": [[prop.value, ""] for prop in plain]}
    return {"groups": groups, "props": _properties(plain)}


def _properties(properties: Any) -> list[Any]:
    found = []
    for prop in properties:
        if prop.nested is None:
            found.append([prop.name, prop.value])
        elif not (isinstance(prop.nested, ListNode) and not prop.nested.items):
            found.append([prop.name, _typed(prop.nested)])
    return found


def _processors(node: Any) -> list[Any]:
    signals = []
    for signal, units in node.pairs:
        array = [
            {"map": [[key.text, value.text if isinstance(value, Scalar) else _typed(value)] for key, value in unit.pairs]}
            for unit in units.items
        ]
        signals.append([signal.text.lower(), {"array": array}])
    return signals


def _typed(node: Node) -> Any:
    if isinstance(node, ListNode):
        return {"array": [_typed(item) for item in node.items]}
    if not isinstance(node, Scalar):
        return {"map": [[key.text, _typed(value)] for key, value in node.pairs]}
    value = meaning.typed(node)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, float):
        return {"double": value}
    return {"int" if value < 0 else "uint": value}


@pytest.mark.parametrize(("name", "form"), cases("equivalent"))
def test_equivalent_formats_mean_the_same(name: str, form: str) -> None:
    same = expected(name)["expect"]["equivalent"]
    if form in same:
        assert meaning.same(document(name, form), document(name, same[0]))


@pytest.mark.parametrize(("name", "form"), cases("parse"))
def test_an_accepted_vector_prints_back_byte_for_byte(name: str, form: str) -> None:
    source = document(name, form).sources[0]
    assert source.text.encode(source.encoding) == files(name)[f"input.{form}"]


@pytest.mark.parametrize(("name", "form"), cases("ids"))
def test_plugins_get_the_ids_that_fluent_bit_gives_them(name: str, form: str) -> None:
    plugins = sorted(document(name, form).plugins, key=lambda plugin: ORDER.index(plugin.kind))
    assert [plugin.owner for plugin in plugins] == expected(name)["expect"]["ids"]


@pytest.mark.parametrize(("name", "form"), cases("ports"))
def test_listening_ports_are_found(name: str, form: str) -> None:
    found = [port._asdict() | {"from": port.origin} for port in ports.find(document(name, form))]
    wanted = expected(name)["expect"]["ports"]
    assert [{key: port[key] for key in want} for port, want in zip(found, wanted, strict=True)] == wanted


@pytest.mark.parametrize(("name", "form"), cases("refs"))
def test_references_are_found(name: str, form: str) -> None:
    found = references.find(document(name, form))
    texts = {
        "env": _unique(found.variables),
        "env_with_default": [use.name for use in found.variables if use.default is not None],
        "env_defined": [variable.name for variable in found.defined],
        "secrets": _unique(found.secrets),
        "files": _unique(found.files),
    }
    for key, wanted in expected(name)["expect"]["refs"].items():
        if key in texts:
            assert texts[key] == wanted, key
        elif key == "includes":
            assert [include.path for include in found.includes]
            assert {include.path for include in found.includes} <= set(wanted)
        else:
            has = [entry._asdict() for entry in getattr(found, key)]
            for want in wanted:
                if want.get("option") not in ("parsers_file", "streams_file") or document(name, form).service:
                    assert any(want.items() <= entry.items() for entry in has), (want, has)


def _unique(uses: Any) -> list[str]:
    return list(dict.fromkeys(use.name for use in uses))


@pytest.mark.parametrize("to", list(Format))
@pytest.mark.parametrize(("name", "form"), cases("parse"))
def test_converting_keeps_the_meaning_or_says_what_is_lost(name: str, form: str, to: Format) -> None:
    before = document(name, form)
    result = convert.convert(before, to)
    lost = [finding for finding in result.findings if finding.severity is Severity.ERROR]
    assert result.lossless == (not lost)
    assert meaning.same(before, result.document) == (not lost)
    if not lost and name != "parser_in_main_classic":  # which Fluent Bit refuses, and which cannot be written back
        back = convert.convert(result.document, before.format)
        assert not [finding for finding in back.findings if finding.severity is Severity.ERROR]
        assert meaning.same(before, back.document)


@pytest.mark.parametrize(("name", "form"), cases("convert"))
def test_what_classic_cannot_hold_is_listed(name: str, form: str) -> None:
    result = convert.convert(document(name, form), Format.CLASSIC)
    lost = [finding.message for finding in result.findings if finding.severity is Severity.ERROR]
    wanted = expected(name)["expect"]["convert"]["classic_unsupported"]
    assert len(lost) == len(wanted)
    for message, what in zip(lost, wanted, strict=True):
        assert message.startswith(what)
    assert '""' not in result.text
    assert "processors" not in result.text


@pytest.mark.fluent_bit
@pytest.mark.parametrize(("name", "form"), cases("parse"))
def test_the_real_program_takes_a_lossless_conversion_as_it_took_the_original(name: str, form: str, tmp_path: Path) -> None:
    program = fluent_bit.required()
    if expected(name)["observed"][form]["dry_run"]["exit"] != 0:
        pytest.skip("SKIPPED: the real program does not take the original")
    if name == "env_file_missing":
        pytest.skip("SKIPPED: a missing file behind a variable is fatal in YAML only")
    for path, data in files(name).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    for to in set(Format) - {FORMATS[form]}:
        result = convert.convert(document(name, form), to)
        if result.lossless:
            file = tmp_path / ("out.conf" if to is Format.CLASSIC else f"out_{to}.yaml")
            file.write_text(result.text)
            run = subprocess.run(
                [program, "--dry-run", "-c", file.name],
                cwd=tmp_path,
                env=os.environ | expected(name)["env"],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            assert run.returncode == 0, run.stderr


def test_a_property_says_where_its_key_and_its_value_stand() -> None:
    doc = document("basic", "yaml")
    prop: Property | None = doc.of(Kind.FILTER)[0].find("regex")
    assert prop is not None
    lines = doc.text.split("\n")
    assert lines[prop.line - 1][prop.column - 1 :].startswith("regex:")
    assert lines[prop.value_line - 1][prop.value_column - 1 :].startswith("level ^err")
