"""Amounts as Kubernetes writes them: `500m` of a processor, `256Mi` of memory."""

import re

_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]+))?([a-zA-Z]*)")
_UNITS = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def amount(text: str) -> float:
    """Processors or bytes; 0 for "" and for what is no amount."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or match[3] not in _UNITS:
        return 0.0
    return float(match[1]) * 10.0 ** int(match[2] or 0) * _UNITS[match[3]]
