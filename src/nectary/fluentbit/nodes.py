"""The tree that YAML and JSON texts are read into and written from: scalars, lists and maps, each with its place.

start and end are offsets into the text; a block list or map ends where its last scalar ends. line and column count from 1.
"""

from typing import NamedTuple


class Scalar(NamedTuple):
    """One YAML or JSON scalar: `text` is what Fluent Bit sees; `plain` if unquoted (then processors read 5 as a number)."""

    text: str
    plain: bool
    line: int
    column: int
    start: int = 0
    end: int = 0


class ListNode(NamedTuple):
    """A YAML or JSON list."""

    items: "tuple[Node, ...]"
    line: int
    column: int
    start: int = 0
    end: int = 0


class MapNode(NamedTuple):
    """A YAML or JSON map: keys in order, repeats kept."""

    pairs: "tuple[tuple[Scalar, Node], ...]"
    line: int
    column: int
    start: int = 0
    end: int = 0

    def get(self, key: str) -> "Node | None":
        """The first value of a key, compared without case, or None."""
        wanted = key.lower()
        return next((value for name, value in self.pairs if name.text.lower() == wanted), None)


Node = Scalar | ListNode | MapNode
