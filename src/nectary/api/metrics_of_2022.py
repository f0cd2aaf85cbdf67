"""Metrics at the addresses they had for a month, before version 2 had a number: the same answers, for clients of then."""

from fastapi import APIRouter

from nectary.api import metric_shapes as shapes
from nectary.api import metrics
from nectary.edge.callers import Route

router = APIRouter(tags=["metric"], route_class=Route, deprecated=True)

# An agent's `metrics` is not among them: version 1 kept that address.
_SAME = (
    ("agents/{agentID}/metrics_by_plugin", metrics.agent_metrics_by_plugin, shapes.RatesByPlugin),
    ("agents/{agentID}/metrics_over_time", metrics.agent_metrics_over_time, shapes.RatesOverTime),
    (
        "agents/{agentID}/metrics_over_time_by_plugin",
        metrics.agent_metrics_over_time_by_plugin,
        shapes.RatesOverTimeByPlugin,
    ),
    ("pipelines/{pipelineID}/metrics", metrics.pipeline_metrics, shapes.Rates),
    ("pipelines/{pipelineID}/metrics_by_plugin", metrics.pipeline_metrics_by_plugin, shapes.RatesByPlugin),
    ("pipelines/{pipelineID}/metrics_over_time", metrics.pipeline_metrics_over_time, shapes.RatesOverTime),
    (
        "pipelines/{pipelineID}/metrics_over_time_by_plugin",
        metrics.pipeline_metrics_over_time_by_plugin,
        shapes.RatesOverTimeByPlugin,
    ),
    ("core_instances/{coreInstanceID}/metrics", metrics.core_instance_metrics, shapes.Rates),
    ("core_instances/{coreInstanceID}/metricsByPlugin", metrics.core_instance_metrics_by_plugin, shapes.RatesByPlugin),
    ("core_instances/{coreInstanceID}/metrics_over_time", metrics.core_instance_metrics_over_time, shapes.RatesOverTime),
    (
        "core_instances/{coreInstanceID}/metrics_over_time_by_plugin",
        metrics.core_instance_metrics_over_time_by_plugin,
        shapes.RatesOverTimeByPlugin,
    ),
)


def _operation(endpoint_name: str) -> str:
    """`agent_metrics_over_time` -> `agentMetricsOverTimeOf2022`."""
    first, *rest = endpoint_name.split("_")
    return first + "".join(word.capitalize() for word in rest) + "Of2022"


for _path, _endpoint, _shape in _SAME:
    router.add_api_route(
        f"/v1/{_path}", _endpoint, methods=["GET"], operation_id=_operation(_endpoint.__name__), response_model=_shape
    )
