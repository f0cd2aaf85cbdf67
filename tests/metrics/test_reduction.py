"""Reduction: what went into a pipeline against what came out of it, from samples alone."""

from nectary.metrics.cmetrics import FIELDS
from nectary.metrics.counters import Totals
from nectary.metrics.reduction import reduction


def totals(inputs: dict[str, dict[str, int]], filters: dict[str, dict[str, int]], outputs: dict[str, dict[str, int]]) -> Totals:
    def rows(kind: str, given: dict[str, dict[str, int]]) -> dict[str, tuple[int, ...]]:
        return {name: tuple(values.get(field, 0) for field in FIELDS[kind]) for name, values in given.items()}

    return Totals(rows("input", inputs), rows("filter", filters), rows("output", outputs))


def sent(records: int, size: int) -> dict[str, int]:
    return {"proc_records_total": records, "proc_bytes_total": size}


def test_bytes_in_against_the_bytes_of_each_output_and_records_of_each_filter() -> None:
    before = totals({"tail.0": {"records_total": 5, "bytes_total": 50}}, {}, {"http.0": sent(5, 40)})
    after = totals(
        {"tail.0": {"records_total": 105, "bytes_total": 1050}, "tcp.0": {"records_total": 10, "bytes_total": 1000}},
        {
            "rules": {"records_total": 110, "drop_records_total": 80, "add_records_total": 2, "bytes_total": 7},
            "grep.1": {"records_total": 0},
        },
        {"http.0": sent(37, 540), "file.1": sent(10, 2500)},
    )
    found = reduction([(100.0, before), (160.0, after)], 100.0, 160.0)
    assert found == {
        "records_in": 110,
        "bytes_in": 2000,
        "records_out": 10,
        "bytes_out": 2500,
        "reduction": -0.25,
        "filters": [
            {"instance": "grep.1", "records_in": 0, "records_out": 0, "reduction": None},
            {"instance": "rules", "records_in": 110, "records_out": 32, "reduction": 78 / 110},
        ],
        "outputs": [
            {"instance": "file.1", "records": 10, "bytes": 2500, "reduction": -0.25},
            {"instance": "http.0", "records": 32, "bytes": 500, "reduction": 0.75},
        ],
    }


def test_nothing_known_is_nothing_reduced() -> None:
    found = reduction([], 0.0, 60.0)
    assert (found["bytes_in"], found["bytes_out"], found["reduction"], found["outputs"]) == (0, 0, None, [])
