"""The shapes that metrics are answered in. metrics/series.py fills them; here they are checked and described."""

from typing import Annotated

from pydantic import Field

from nectary.shape import Shape

Number = Annotated[int | float | None, Field(description="None where nothing is known.")]


class Point(Shape):
    """A value, and the moment at which the step it belongs to ends."""

    time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    value: Number


Line = list[Point]
Lines = dict[str, Line]


# -- Version 2: per second ---------------------------------------------------------------------------------------------------


class InputRates(Shape):
    bytes: Number
    records: Number


class FilterRates(Shape):
    records: Number
    bytes: Number
    add_records: Number
    drop_records: Number
    emit_records: Number


class OutputRates(Shape):
    bytes: Number
    records: Number
    errors: Number
    retries: Number
    retried_records: Number
    retries_failed: Number
    dropped_records: Number
    loads: Annotated[Number, Field(deprecated=True)]


class Rates(Shape):
    """All plugins of a kind together."""

    input: InputRates
    filter: FilterRates
    output: OutputRates


class InputsRates(Shape):
    instance: str
    metrics: InputRates


class FiltersRates(Shape):
    instance: str
    metrics: FilterRates


class OutputsRates(Shape):
    instance: str
    metrics: OutputRates


class RatesByPlugin(Shape):
    """Each plugin instance by its name or alias."""

    inputs: list[InputsRates]
    filters: list[FiltersRates]
    outputs: list[OutputsRates]


class InputOverTime(Shape):
    bytes: Line
    records: Line


class FilterOverTime(Shape):
    records: Line
    bytes: Line
    add_records: Line
    drop_records: Line
    emit_records: Line


class OutputOverTime(Shape):
    bytes: Line
    records: Line
    errors: Line
    retries: Line
    retried_records: Line
    retries_failed: Line
    dropped_records: Line
    loads: Annotated[Line, Field(deprecated=True)]


class RatesOverTime(Shape):
    """All plugins of a kind together, step by step."""

    input: InputOverTime
    filter: FilterOverTime
    output: OutputOverTime


class InputsOverTime(Shape):
    instance: str
    metrics: InputOverTime


class FiltersOverTime(Shape):
    instance: str
    metrics: FilterOverTime


class OutputsOverTime(Shape):
    instance: str
    metrics: OutputOverTime


class RatesOverTimeByPlugin(Shape):
    """Each plugin instance by its name or alias, step by step."""

    inputs: list[InputsOverTime]
    filters: list[FiltersOverTime]
    outputs: list[OutputsOverTime]


# -- Version 1: sums ---------------------------------------------------------------------------------------------------------


class PluginSums(Shape):
    metrics: Lines


class AgentMeasurement(Shape):
    plugins: dict[str, PluginSums]
    totals: Lines


class AgentSums(Shape):
    """By measurement, such as `fluentbit_input`."""

    measurements: dict[str, AgentMeasurement]


class CoreInstanceMeasurement(Shape):
    metrics: Lines
    totals: Lines


class CoreInstanceSums(Shape):
    measurements: dict[str, CoreInstanceMeasurement]


class ProjectMeasurement(Shape):
    totals: dict[str, Number]
    plugins: dict[str, PluginSums]


class ProjectSums(Shape):
    measurements: dict[str, ProjectMeasurement]
    top_plugins: dict[str, dict[str, Number]]


class PipelineSums(Shape):
    """Of one among several pipelines: its sums, or why there are none."""

    data: AgentSums
    error: str | None


# -- Reduction ---------------------------------------------------------------------------------------------------------------

Share = Annotated[float | None, Field(description="The share that is gone, 0 to 1; below 0 where more came out.")]


class FilterReduction(Shape):
    instance: str
    records_in: int
    records_out: int
    reduction: Share


class OutputReduction(Shape):
    instance: str
    records: int
    bytes: int
    reduction: Share


class Reduction(Shape):
    """What went in and came out: of bytes for the whole and each output, of records for each filter and processing rule."""

    records_in: int
    bytes_in: int
    records_out: int
    bytes_out: int
    reduction: Share
    filters: list[FilterReduction]
    outputs: list[OutputReduction]
