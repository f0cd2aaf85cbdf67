"""The nested `telemetry` of the service and of inputs: `metrics.logs.tag_records` and nothing else."""

from nectary.fluentbit.document import Property
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.nodes import MapNode, Node, Scalar
from nectary.fluentbit.validate.report import Report, shown, start
from nectary.fluentbit.values import type_named

_PATH = ("metrics", "logs", "tag_records")
_LIMITS = {"enabled": "boolean", "max_series": "integer", "max_tag_length": "integer"}


def check_input(report: Report, owner: str, prop: Property) -> None:
    """The telemetry of an input: it can only be switched."""
    _check(report, prop, f"{owner}.telemetry", ("enabled",))


def check_service(report: Report, prop: Property) -> None:
    """The telemetry of the service: switched, and limited."""
    _check(report, prop, "service.telemetry", tuple(_LIMITS))


def _check(report: Report, prop: Property, subject: str, leaves: tuple[str, ...]) -> None:
    if prop.nested is None or prop.name != "telemetry":
        dotted = prop.name != "telemetry"
        where = (prop.file, prop.line, prop.column) if dotted else (prop.file, prop.value_line, prop.value_column)
        remedy = "only YAML can say it" if report.classic else "start with telemetry: and metrics: below it"
        report.error(where, "bad_structure", subject, "telemetry is a map", remedy, Stage.LOAD)
        return
    _level(report, (prop.file, subject), prop.nested, _PATH, leaves)


def _level(report: Report, at: tuple[str, str], node: Node, path: tuple[str, ...], leaves: tuple[str, ...]) -> None:
    file, subject = at
    if not isinstance(node, MapNode):
        message = f"{subject.rpartition('.')[2]} is a map"
        report.error((file, *start(node)), "bad_structure", subject, message, "", Stage.LOAD)
        return
    known = path[:1] or leaves
    for key, value in node.pairs:
        name = key.text.lower()
        about = f"{subject}.{key.text[:200]}"
        if name not in known:
            remedy = report.did_you_mean(name, known) or f"it takes {' and '.join(known)}"
            where = (file, key.line, key.column)
            report.error(where, "unknown_property", about, f"unknown telemetry option {shown(key.text)}", remedy, Stage.LOAD)
        elif path:
            _level(report, (file, about), value, path[1:], leaves)
        elif not isinstance(value, Scalar):
            report.error((file, *start(value)), "bad_structure", about, f'"{name}" is one value', "", Stage.LOAD)
        else:
            text = report.final(value.text)
            wants = type_named(_LIMITS[name]).problem(text) if text is not None else None
            if wants:
                where = (file, value.line, value.column)
                report.error(
                    where, "bad_value", about, f'"{name}" cannot be {shown(value.text)}', f"it takes {wants}", Stage.LOAD
                )
