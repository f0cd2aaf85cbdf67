"""How much less a pipeline sends than it takes in, from the totals of its owner's samples.

What Fluent Bit counts, it counts so: an input's bytes before any filter, an output's bytes of every chunk that the other side
took (once for each output), and a filter's records that came, were dropped and were added (flb_input_chunk.c, flb_filter.c).
A filter's own bytes are no use here: those it leaves alone count as nothing, and what it drops is counted from the first
filter's input. So reduction is in bytes for the whole and for each output, and in records for each filter.
"""

from collections.abc import Sequence
from typing import Any, Final

from nectary.metrics import series
from nectary.metrics.series import Sample

Json = dict[str, Any]

_INPUT: Final = "fluentbit_input"
_FILTER: Final = "fluentbit_filter"
_OUTPUT: Final = "fluentbit_output"


def reduction(samples: Sequence[Sample], start: float, end: float) -> Json:
    """Return what went in, what came out, and what each filter and output did of it, between two moments in epoch seconds.

    Shape: `{"recordsIn", "bytesIn", "recordsOut", "bytesOut", "reduction", "filters": [{"instance", "recordsIn", "recordsOut",
    "reduction"}], "outputs": [{"instance", "records", "bytes", "reduction"}]}`. A reduction is the share that is gone, 0 to 1:
    of bytes, for a filter of records; below 0 where more came out; null where nothing went in. With several outputs, `out` is
    the one that sent the most bytes: each is sent its own copy.
    """
    sums = series.v1_agent(samples, start, end, max(end - start, 1.0))["measurements"]
    came = _grown(sums, _INPUT)
    bytes_in, records_in = (sum(row[field] for row in came.values()) for field in ("bytes", "records"))
    outputs = [
        {
            "instance": name,
            "records": row["records"],
            "bytes": row["bytes"],
            "reduction": _gone(bytes_in, row["bytes"]),
        }
        for name, row in sorted(_grown(sums, _OUTPUT).items())
    ]
    most: Json = max(outputs, key=lambda one: one["bytes"], default={"records": 0, "bytes": 0})
    return {
        "records_in": records_in,
        "bytes_in": bytes_in,
        "records_out": most["records"],
        "bytes_out": most["bytes"],
        "reduction": _gone(bytes_in, most["bytes"]),
        "filters": [_filtered(name, row) for name, row in sorted(_grown(sums, _FILTER).items())],
        "outputs": outputs,
    }


def _filtered(name: str, row: dict[str, int]) -> Json:
    came = row["records"]
    left = came - row["drop_records"] + row["add_records"]
    return {"instance": name, "records_in": came, "records_out": left, "reduction": _gone(came, left)}


def _grown(sums: Json, measurement: str) -> dict[str, dict[str, int]]:
    """Plugin instance -> field -> how much was counted in the window: the sum of its points."""
    plugins = sums.get(measurement, {}).get("plugins", {})
    return {
        name: {field: sum(point["value"] for point in points) for field, points in plugin["metrics"].items()}
        for name, plugin in plugins.items()
    }


def _gone(before: int, after: int) -> float | None:
    return (before - after) / before if before > 0 else None
