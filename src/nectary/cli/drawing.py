"""Draws how records flow through a configuration, as text for Graphviz or Mermaid."""

from nectary.fluentbit.graph import Graph, Point

_SHAPES = {"input": "house", "filter": "box", "output": "invhouse"}
_MERMAID = {"input": ('(["', '"])'), "filter": ('["', '"]'), "output": ('[/"', '"/]')}
_MOST_TAGS = 3


def dot(graph: Graph) -> str:
    """A Graphviz digraph: `... | dot -Tsvg`."""
    lines = ["digraph pipeline {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
    for point in graph.points:
        style = ", style=dashed" if point.id in graph.lost else ""
        label = "\\n".join(_dot(text) for text in _texts(point))
        lines.append(f'  "{_dot(point.id)}" [label="{label}", shape={_SHAPES[point.kind]}{style}];')
    lines += [f'  "{_dot(edge.source)}" -> "{_dot(edge.target)}" [label="{_dot(_tags(edge.tags))}"];' for edge in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart, as Markdown pages show it."""
    names = {point.id: f"n{number}" for number, point in enumerate(graph.points)}
    lines = ["flowchart LR"]
    for point in graph.points:
        begin, end = _MERMAID[point.kind]
        label = "<br>".join(_entities(text) for text in _texts(point))
        lines.append(f"  {names[point.id]}{begin}{label}{end}")
    lines += [f'  {names[edge.source]} -->|"{_entities(_tags(edge.tags))}"| {names[edge.target]}' for edge in graph.edges]
    lost = [names[owner] for owner in graph.lost]
    if lost:
        lines += ["  classDef lost stroke-dasharray: 4", f"  class {','.join(lost)} lost"]
    return "\n".join(lines) + "\n"


def _texts(point: Point) -> list[str]:
    """The plugin's name, and under it its tag or match."""
    return [point.display, point.rule] if point.rule else [point.display]


def _tags(tags: tuple[str, ...]) -> str:
    more = f" +{len(tags) - _MOST_TAGS}" if len(tags) > _MOST_TAGS else ""
    return ", ".join(tags[:_MOST_TAGS]) + more


def _dot(text: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown.replace("\\", "\\\\").replace('"', '\\"')


def _entities(text: str) -> str:
    """Every sign that could mean something to Mermaid or HTML by its number."""
    return "".join(char if char.isalnum() or char in " .-_/*:," else f"#{ord(char)};" for char in text if char.isprintable())
