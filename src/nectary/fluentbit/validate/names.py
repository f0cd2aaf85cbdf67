"""Names of plugins that do not exist, and which were meant."""

from nectary.fluentbit.findings import Stage
from nectary.fluentbit.validate.report import Report, shown


def unknown_plugin(report: Report, kind: str, name: str, where: tuple[str, int, int]) -> None:
    """A plugin that does not exist: with the nearest name, or the kind it belongs to."""
    base = name.partition("://")[0]
    if report.schema.is_private(kind, name):
        remedy = "Fluent Bit makes this one by itself; it cannot be configured"
    elif others := [other for other in report.schema.kinds_of(base) if other != kind]:
        remedy = f'"{base.lower()}" is one of the {others[0]} plugins'
    else:
        remedy = report.did_you_mean(base, report.schema.names(kind))
    subject = f"{kind}.{name[:200]}"
    report.error(where, "unknown_plugin", subject, f"unknown {kind} plugin {shown(name)}", remedy, Stage.LOAD)
