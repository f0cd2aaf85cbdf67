"""Variables, secrets and files that values refer to: not defined, not put in, or not there."""

from collections.abc import Iterator

from nectary.fluentbit.document import Property, Section
from nectary.fluentbit.findings import Stage
from nectary.fluentbit.nodes import ListNode, Node, Scalar
from nectary.fluentbit.validate.report import Report, shown
from nectary.fluentbit.variables import TEMPLATE, is_set, references, trapped

_Text = tuple[str, str, int, int, str]
"""value, file, line, column, subject"""


def check(report: Report) -> None:
    """Every value that has `${` or `{{` in it. Documents without any cost one search."""
    if not any("${" in source.text or "{{" in source.text for source in report.document.sources):
        return
    for value, file, line, column, subject in _texts(report):
        if "${" in value:
            _variables(report, value, (file, line, column), subject)
        if "{{" in value:
            _templates(report, value, (file, line, column), subject)


def _texts(report: Report) -> Iterator[_Text]:
    for section in report.document.sections:
        owner = _owner(section)
        for prop in section.properties:
            yield from _of_property(prop, owner)
        for group in section.groups:
            for prop in group.properties:
                yield from _of_property(prop, f"{owner}.{group.name}")
    for variable in report.document.variables:
        if "{{" in variable.value:
            place = variable.value_line, variable.value_column
            yield variable.value.replace("${", ""), variable.file, *place, f"env.{variable.name}"


def _of_property(prop: Property, owner: str) -> Iterator[_Text]:
    if prop.nested is not None:
        for scalar in _scalars(prop.nested):
            yield scalar.text, prop.file, scalar.line, scalar.column, f"{owner}.{prop.name}"
    elif "{" in prop.value:
        yield prop.value, prop.file, prop.value_line, prop.value_column, f"{owner}.{prop.name}"


def _scalars(node: Node) -> Iterator[Scalar]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Scalar):
            if "{" in node.text:
                yield node
        elif isinstance(node, ListNode):
            waiting.extend(node.items)
        else:
            waiting.extend(value for _, value in node.pairs)


def _owner(section: Section) -> str:
    name = section.get("name")
    return f"{section.kind}.{name[:200]}" if name else str(section.kind)


def _variables(report: Report, value: str, where: tuple[str, int, int], subject: str) -> None:
    trap = trapped(value)
    if trap >= 0:
        file, line, column = where
        # A classic value stands in the text letter for letter; a YAML one may be quoted or folded.
        offset = trap if report.classic and "\n" not in value else 0
        message = 'a "}" stands before this "${", so Fluent Bit does not put the value in'
        report.warn((file, line, column + offset), "env_not_expanded", subject, message, "put the variable before the brace")
    told: set[str] = set()
    for reference in references(value):
        if reference.name in told:
            continue
        told.add(reference.name)
        if reference.default is None and is_set(reference.name, report.variables, report.around.env) is False:
            message = f"the variable ${{{reference.name[:100]}}} is not set, so nothing is put in"
            remedy = f"set it, or give a default: ${{{reference.name[:100]}:-word}}"
            report.warn(where, "env_unset", subject, message, remedy)


def _templates(report: Report, value: str, where: tuple[str, int, int], subject: str) -> None:
    around = report.around
    for kind, name in sorted(set(TEMPLATE.findall(value))):
        if kind == "secrets" and around.secrets is not None and name not in around.secrets:
            remedy = report.did_you_mean(name, around.secrets) or "create the secret first"
            report.error(where, "unknown_secret", subject, f"there is no secret {shown(name)}", remedy, Stage.NEVER)
        elif kind == "files" and around.has_file_named(name) is False:
            files = () if around.files is None or callable(around.files) else around.files
            remedy = report.did_you_mean(name, files) or "add the file first"
            report.error(where, "unknown_file", subject, f"there is no file {shown(name)}", remedy, Stage.NEVER)
