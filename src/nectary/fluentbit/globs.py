"""Whether a Match with `*` fits a Tag, as Fluent Bit decides it, and whether two patterns could ever fit the same one."""


def glob_fits(pattern: str, tag: str, budget: list[int] | None = None) -> bool:
    """Whether a match pattern fits a tag: `*` is any text, everything else itself (flb_router_match)."""
    if budget is not None:
        budget[0] -= len(pattern) + len(tag)
        if budget[0] < 0:
            return True
    pieces = pattern.split("*")
    if len(pieces) == 1:
        return pattern == tag
    head, tail = pieces[0], pieces[-1]
    if not tag.startswith(head) or not tag.endswith(tail) or len(tag) < len(head) + len(tail):
        return False
    place, end = len(head), len(tag) - len(tail)
    for piece in pieces[1:-1]:
        place = tag.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


def may_overlap(one: str, other: str, budget: list[int] | None = None) -> bool:
    """Whether some text could fit both patterns, judged by how they begin and end: False is sure, True may be wrong."""
    if budget is not None:
        budget[0] -= len(one) + len(other)
        if budget[0] < 0:
            return True
    if "*" not in one:
        return glob_fits(other, one)
    if "*" not in other:
        return glob_fits(one, other)
    heads = one.partition("*")[0], other.partition("*")[0]
    tails = one.rpartition("*")[2], other.rpartition("*")[2]
    return (heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])) and (
        tails[0].endswith(tails[1]) or tails[1].endswith(tails[0])
    )
