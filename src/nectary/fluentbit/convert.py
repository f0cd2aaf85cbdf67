"""Turns a configuration into another of the three formats without loss, or says exactly what would be lost."""

from dataclasses import dataclass, replace

from nectary.fluentbit import comments, formats, meaning
from nectary.fluentbit.document import ConfigError, Document, Format, Place, Problem, Severity
from nectary.fluentbit.fit import fit
from nectary.fluentbit.reading import enough_for
from nectary.fluentbit.write import write

ENDINGS = {Format.CLASSIC: ".conf", Format.YAML: ".yaml", Format.JSON: ".json"}
"""How files of each format end."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A configuration in its new format. findings: errors for what the format cannot hold and the text leaves out, warnings for
    what it holds in another way (an include taken in, comments that JSON has not). `lossless`: no errors.
    """

    document: Document
    findings: tuple[Problem, ...]

    @property
    def text(self) -> str:
        """The new text."""
        return self.document.text

    @property
    def lossless(self) -> bool:
        """Whether it means the same as before."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def convert(document: Document, to: Format, notes: comments.ByLine | None = None) -> Conversion:
    """The document in another format (in its own: unchanged). notes: its comments, where they are not all of its text's.

    What was written is read again and must mean the same as what fits; raises ConfigError if it does not, rather than give a
    text that says something else.
    """
    if to is document.format:
        return Conversion(document, ())
    kept, findings = fit(document, to)
    written = write(kept, to, comments.by_line(document) if notes is None else notes)
    stem, dot, _ = document.file.rpartition(".")
    file = (stem if dot else document.file) + ENDINGS[to]
    result = formats.parse(written, file, to, limits=enough_for(written))
    if not meaning.same(replace(kept, includes=()), result):
        place = Place(document.file, 1, 1)
        what = f"this configuration cannot be written as {to} faithfully"
        raise ConfigError((Problem(place, "not_faithful", what, "keep its format"),), document)
    return Conversion(result, findings)
