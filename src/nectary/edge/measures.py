"""What the server measures of itself, for GET /metrics in the Prometheus text format."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter, that nobody reads


class Measures:
    """The server's own counters; one registry a server, so that two in a process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "nectary_requests_total", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "nectary_request_seconds",
            "Seconds from request to answer.",
            ["route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.agents = Gauge("nectary_agents_seen", "Agents heard of lately.", registry=self.registry)
        self.registrations = Counter(
            "nectary_agent_registrations_total", "Agents registered, again too.", registry=self.registry
        )
        self.samples = Counter("nectary_samples_total", "Metric posts of agents taken in.", registry=self.registry)
        self.left_out = Counter(
            "nectary_series_left_out_total", "Series that agents sent and we do not keep.", registry=self.registry
        )
        self.refused = Counter("nectary_samples_refused_total", "Metric posts refused.", ["reason"], registry=self.registry)

    def watch(self, *, buffer: Callable[[], int], database: Callable[[], int]) -> None:
        """Measures that are read when somebody looks."""
        Gauge("nectary_metrics_buffer", "Metric posts not written yet.", registry=self.registry).set_function(buffer)
        Gauge("nectary_database_bytes", "Size of the embedded database.", registry=self.registry).set_function(database)
