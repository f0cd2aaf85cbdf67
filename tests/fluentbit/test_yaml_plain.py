"""The fast reader of plain YAML agrees with libyaml wherever it answers."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nectary.fluentbit import yaml, yaml_plain
from nectary.fluentbit.document import LIMITS, ConfigError, Format
from nectary.fluentbit.nodes import MapNode
from nectary.fluentbit.reading import Reading

PIECES = [
    *("a", "b", "key", "x.y", "- ", "-", ": ", ":", " ", "  ", "    ", "\n", "\n", "#", " # c", "'", '"', "'q'", '"d"', "\\"),
    *"*&[]{},|>?!%@`~.<=\té\u2028\ufeff",
    *("null", "1", "-1", "...", "---", "\r\n", "''", "\n\n", ": |\n", "a: b\n", "\nk:"),
    *("\n  k: v", "\n- k: v", "\n  - k: v", "\n    t: u"),
]


def slowly(text: str) -> list[object]:
    reading = Reading("x", Format.YAML, None, None, LIMITS)
    roots: list[object] = list(yaml.nodes(reading, "x", text))
    try:
        reading.finish()
    except ConfigError as refused:
        return [refused.problems]
    return roots


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
@example("a:\n- b\n- c\nd: e\n")
@example("a:\n  b:\nc:\n")
@example("a: 'x''y'\n")
@example("a: b # c\n#d\n  # e\nf:\n    - g: h\n      i: j\n    - k\n")
@example("a:\n  - b:\n    c: d\n")
@example("a:\n  - b:\n      c: d\n")
def test_what_it_reads_is_what_libyaml_reads(text: str) -> None:
    root = yaml_plain.root_of(text)
    if root is not None:
        assert [root] == slowly(text)


lines = st.tuples(
    st.integers(0, 4),
    st.sampled_from(["", "- ", "-   "]),
    st.sampled_from(["name:", "tag: x", "a: 'b: c'", "k: v # c", "item", "'q'", 'p: "w"', "z: a:b#c", "# c", "n: 5", ""]),
).map(lambda parts: "  " * parts[0] + parts[1] + parts[2])


@settings(max_examples=1500, deadline=None)
@given(st.lists(lines, max_size=9).map("\n".join))
def test_any_indent_it_takes_is_what_libyaml_takes(text: str) -> None:
    root = yaml_plain.root_of(text)
    if root is not None:
        assert [root] == slowly(text)


def test_it_reads_the_usual_configuration() -> None:
    text = "service:\n  flush: 1\npipeline:\n  inputs:\n    - name: dummy # one\n      tag: 'a b'\n  outputs:\n  - name: x\n"
    root = yaml_plain.root_of(text)
    assert isinstance(root, MapNode)
    assert [root] == slowly(text)
    assert yaml_plain.root_of("a: [b]\n") is None
