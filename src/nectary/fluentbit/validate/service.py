"""The service section: keys Fluent Bit would ignore without a word, and values it stops on."""

from collections.abc import Callable

from nectary.fluentbit.document import Property
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.validate import telemetry
from nectary.fluentbit.validate.report import Report, key_place, shown, value_place
from nectary.fluentbit.values import SMALLEST_STACK, leading_double

_REPEATABLE = frozenset({"parsers_file", "plugins_file"})
_STOPS: dict[str, Callable[[str], bool]] = {
    # Wrong values on which the program stops (set_log_level in src/flb_config.c, flb_main in src/fluent-bit.c), "" among them;
    # all others go through atoi or count as "off".
    "log_level": lambda _: True,
    "flush": lambda text: leading_double(text) <= 0,
    "coro_stack_size": lambda text: 0 <= leading_double(text) < SMALLEST_STACK,
}
_FILES = {"parsers_file": Stage.LOAD, "plugins_file": Stage.LOAD, "streams_file": Stage.START}


def check(report: Report) -> None:
    """All service sections together: a later one continues an earlier one."""
    rules = report.schema.service
    seen: set[str] = set()
    for prop in report.document.service:
        name = prop.name
        subject = f"service.{name[:200]}"
        rule = rules.get(name)
        if name == "telemetry" or name.startswith("telemetry."):
            telemetry.check_service(report, prop)
        elif prop.nested is not None:
            message = f'"{prop.key}" of the service cannot be a list or map'
            report.error(key_place(prop), "bad_structure", subject, message, _flat(report, prop), Stage.LOAD)
        elif rule is None:
            remedy = report.did_you_mean(name, rules) or "remove it"
            message = f"the service has no option {shown(prop.key)}, Fluent Bit ignores it"
            report.warn(key_place(prop), "unknown_property", subject, message, remedy)
        else:
            _value(report, prop, subject)
        if name in seen and name not in _REPEATABLE and rule is not None:
            message = f'"{prop.key}" of the service is set again: the last one counts'
            report.warn(key_place(prop), "duplicate_property", subject, message, "remove one of them")
        seen.add(name)


def _flat(report: Report, prop: Property) -> str:
    """`storage: {path: ...}` is written `storage.path` in the service."""
    nested = getattr(prop.nested, "pairs", ())
    names = [f"{prop.name}.{key.text.lower()}" for key, _ in nested[:5]]
    known = [name for name in names if name in report.schema.service]
    return f"write {', '.join(known)}" if known else ""


def _value(report: Report, prop: Property, subject: str) -> None:
    rule = report.schema.service[prop.name]
    value = report.final(prop.value)
    if not value:
        if value == "" and prop.name in _STOPS:
            message = f'"{prop.key}" of the service is empty'
            report.error(value_place(prop), "empty_value", subject, message, f"it takes {rule.value.wants}", Stage.LOAD)
        return
    if wants := rule.value.problem(value):
        stage = Stage.LOAD if prop.name in _STOPS and _STOPS[prop.name](value) else Stage.NEVER
        message = f'"{prop.key}" of the service cannot be {shown(value)}'
        kind = "bad_port" if prop.name == "http_port" and value.lstrip("+-").isdigit() else "bad_value"
        report.error(value_place(prop), kind, subject, message, f"it takes {wants}", stage)
    elif prop.name in _FILES and report.around.has_file(value) is False:
        message = f"there is no file {shown(value)}"
        report.error(value_place(prop), "file_missing", subject, message, "add the file or correct the path", _FILES[prop.name])
