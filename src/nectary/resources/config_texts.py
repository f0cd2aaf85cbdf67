"""Configuration texts that people hand over: their format named, checked, and written in another one."""

from collections.abc import Collection

from nectary.errors import Invalid
from nectary.fluentbit import formats, schema, validate
from nectary.fluentbit.convert import convert
from nectary.fluentbit.document import ConfigError, Document, Format, Severity
from nectary.fluentbit.findings import Finding, errors, from_problem
from nectary.fluentbit.reading import Read
from nectary.fluentbit.validate import published

_NAMES = {Format.CLASSIC: "fluent-bit.conf", Format.YAML: "fluent-bit.yaml", Format.JSON: "fluent-bit.json"}


def format_named(name: str | None, refusal: str) -> Format:
    """The format for any name clients use: `ini` (Fluent Bit, the CLI), `conf`, `yml` (file endings); none is classic.

    Raises Invalid(refusal).
    """
    try:
        return formats.format_named(name or "")
    except ValueError as error:
        raise Invalid(refusal, str(error)[:200]) from None


def parse(text: str, format: Format, *, read: Read | None = None) -> Document:
    """The text, read under the name that its format has by custom. Raises ConfigError."""
    return formats.parse(text, _NAMES[format], format, read=read)


def require_sound(
    text: str,
    format: Format,
    refusal: str,
    *,
    version: str = "",
    files: Collection[str] | None = None,
    secrets: Collection[str] | None = None,
    fleet: bool = False,
    product: bool = False,
) -> Document:
    """The text, read and free of errors for a Fluent Bit version. Raises Invalid(refusal) with the first error in `detail`.

    files, secrets: the names that will be there; None when that cannot be told yet. product: with the plugins of the
    original's own images.
    """
    about = schema.load(schema.nearest(version), product=product)
    try:
        document = parse(text, format)
    except ConfigError as error:
        found = [from_problem(problem) for problem in error.problems]
        raise Invalid(refusal, published.detail(found, schema=about)) from None
    around = validate.Surroundings(files=files, secrets=secrets, fleet=fleet, storage=not fleet)
    found = validate.examine(document, schema=about, around=around)
    if (detail := published.detail(found, document, schema=about)) is not None:
        raise Invalid(refusal, detail)
    return document


def findings(text: str, format: Format, *, fleet: bool = False) -> list[Finding]:
    """Every error of a text, for callers that let some pass. Raises nothing."""
    return errors(validate.check(text, format, fleet=fleet))


def converted(text: str, format: Format, to: Format, refusal: str, *, read: Read | None = None) -> str:
    """The text in another format, meaning the same. Raises Invalid(refusal) when it cannot be read, or would lose something."""
    if to is format:
        return text
    try:
        result = convert(parse(text, format, read=read), to)
    except ConfigError as error:
        raise Invalid(refusal, f"line {error.problems[0].place.line}: {error.problems[0].message}") from None
    lost = next((finding for finding in result.findings if finding.severity is Severity.ERROR), None)
    if lost is not None:
        raise Invalid(refusal, f"{to} cannot hold line {lost.place.line}: {lost.message}")
    return result.text
