"""Everything around the sections: headers Fluent Bit ignores or guesses, commands, env entries, and what fleets refuse."""

from nectary.fluentbit.document import Kind, Section
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.validate.report import Report, key_place, shown, value_place

_HEADERS = ("SERVICE", "INPUT", "FILTER", "OUTPUT", "CUSTOM", "PARSER", "MULTILINE_PARSER", "STREAM_TASK", "UPSTREAM")
_TOP_LEVEL = (
    *("service", "pipeline", "env", "includes", "customs", "parsers", "multiline_parsers", "stream_processor", "plugins"),
    *("upstream_servers", "extensions"),
)


def check(report: Report) -> None:
    """What is about no single option."""
    document = report.document
    for section in document.sections:
        if section.kind is Kind.OTHER:
            _unknown(report, section)
        elif section.abbreviated:
            message = f"[{section.header[:60]}] is short for [{section.kind.upper()}]"
            report.warn(section.place, "abbreviated_section", "", message, f"write [{section.kind.upper()}]")
        elif section.kind is Kind.PLUGINS:
            _shared_objects(report, section)
    for command in document.commands:
        message = f"Fluent Bit has no command {shown('@' + command.word.lstrip('@'))} and ignores it"
        remedy = report.did_you_mean(command.word.lstrip("@"), ("SET", "INCLUDE"))
        report.warn(command.place, "unknown_command", "", message, remedy)
    _variables(report)
    if report.around.fleet:
        _fleet(report)


def _unknown(report: Report, section: Section) -> None:
    names = _HEADERS if report.classic else _TOP_LEVEL
    remedy = report.did_you_mean(section.header.strip(), names) or "use one of " + ", ".join(names)
    message = f"Fluent Bit knows no section {shown(section.header)} and ignores it"
    report.warn(section.place, "unknown_section", "", message, remedy)


def _shared_objects(report: Report, section: Section) -> None:
    for prop in section.properties:
        path = report.final(prop.value)
        if path and report.around.has_file(path) is False:
            report.error(value_place(prop), "file_missing", "", f"there is no file {shown(path)}", "", Stage.LOAD)


def _variables(report: Report) -> None:
    for variable in report.document.variables:
        if not variable.name:
            message = "this entry of env has no name, so it is dropped"
            report.warn(variable.place, "env_without_name", "", message, 'add "name"')
            continue
        uri = variable.uri or variable.value
        if uri.startswith("file://") and report.around.has_file(uri.removeprefix("file://")) is False:
            message = f"there is no file {shown(uri.removeprefix('file://'))}"
            if report.classic:  # only logged: @SET goes on without a value
                report.warn(variable.value_place, "file_missing", "", message, "the variable will be empty")
            else:
                report.error(variable.value_place, "file_missing", "", message, "", Stage.LOAD)


def _fleet(report: Report) -> None:
    """Agents add the calyptia section themselves; a second one in what they download breaks them."""
    for section in report.document.of(Kind.CUSTOM):
        name = section.find("name")
        if name is not None and (report.final(name.value) or "").lower() == "calyptia":
            message = "a fleet's configuration must not hold the calyptia section: each agent adds its own"
            report.error(key_place(name), "calyptia_in_fleet", "custom.calyptia", message, "remove the section", Stage.START)
