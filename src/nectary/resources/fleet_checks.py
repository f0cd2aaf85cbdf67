"""Fleet checks: whether the agents of a fleet could run a config, for the version it names and for each that they report."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from nectary.db import tables
from nectary.db.transaction import ReadTx
from nectary.errors import Invalid, Refusal
from nectary.fluentbit import diff as by_meaning
from nectary.fluentbit import findings, formats, schema, validate
from nectary.fluentbit.document import ConfigError, Document, Format, Kind
from nectary.fluentbit.findings import Finding
from nectary.fluentbit.reading import Read
from nectary.fluentbit.schema import Schema
from nectary.fluentbit.validate import Surroundings, published
from nectary.fluentbit.variables import TEMPLATE
from nectary.resources import config_texts, fleet_configs, schemas
from nectary.resources.fleet_revisions import BAD_CONFIG
from nectary.shape import Shape

agents, files = tables.agents, tables.fleet_files

NAMED = 20
"""Agents named of each version that cannot run a config."""
_MOST_VERSIONS = 50
_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Candidate:
    """What agents may be given: a text, its format, and the files that will lie beside it, by name."""

    text: str
    format: Format
    files: Mapping[str, bytes]

    def read(self, path: str) -> bytes | None:
        """Includes are the fleet's own files. What stands at an absolute path on a host nobody here can tell."""
        if path.startswith("/") or path[1:3] in (":\\", ":/"):
            return b""
        return self.files.get(posixpath.normpath(path))


class CheckFinding(Shape):
    severity: str
    file: str
    line: int
    column: int
    kind: str
    subject: str
    message: str
    remedy: str
    stage: str


class VersionCheck(Shape):
    """known: there is a schema of just this version; else it was held against that of `checkedAgainst`, and nothing is refused
    for it. names: some of its agents, where it cannot run the config or is not known."""

    version: str
    known: bool
    checked_against: str
    runs: bool
    agents: int
    names: list[str]
    findings: list[CheckFinding]


class FleetCheck(Shape):
    """sound: it would be published. added: what agents are given beside the author's own text, a line each. unservable: formats
    that agents may ask for and the config cannot be said in, with why."""

    sound: bool
    minimum: VersionCheck
    versions: list[VersionCheck]
    added: list[str]
    unservable: dict[str, str]


# -- One text ------------------------------------------------------------------------------------------------------------


def problems(candidate: Candidate, about: Schema) -> list[Finding]:
    """Every problem of a config and of what it includes and names, for one version. Raises nothing."""
    found, _ = _look(candidate, about)
    return found


def _look(candidate: Candidate, about: Schema) -> tuple[list[Finding], Document | None]:
    names = frozenset(candidate.files)
    try:
        document = config_texts.parse(candidate.text, candidate.format, read=candidate.read)
    except ConfigError as error:
        told = {"schema": about, "read": candidate.read, "files": names, "fleet": True}
        return validate.check(candidate.text, candidate.format, **told), error.document  # type: ignore[arg-type]
    parsers, found = _parsers(document, candidate.read, about)
    around = Surroundings(files=names, parsers=parsers, fleet=True)
    return findings.in_order([*found, *validate.examine(document, schema=about, around=around)]), document


def _parsers(document: Document, read: Read, about: Schema) -> tuple[frozenset[str] | None, list[Finding]]:
    """The names of all parsers in the files that the service names, and what is wrong in these; None: not all can be told."""
    names: set[str] = set()
    found: list[Finding] = []
    known = True
    for prop in document.service:
        if prop.name != "parsers_file":
            continue
        path = prop.value.strip()
        elsewhere = "${" in path or TEMPLATE.search(path) or path.startswith("/") or path[1:3] in (":\\", ":/")
        data = None if elsewhere else read(path)
        if data is None:
            known = False
            continue
        try:
            other = formats.parse(data, path, read=read)
        except ConfigError as error:
            found += [findings.from_problem(problem) for problem in error.problems]
            known = False
            continue
        found += validate.examine(other, schema=about)
        names |= {section.get("name") or "" for section in other.of(Kind.PARSER, Kind.MULTILINE_PARSER)}
    return (frozenset(names) if known else None), found


def require_runs_something(candidate: Candidate) -> None:
    """Refuse a config that takes agents' pipelines away: Fluent Bit runs one without inputs and outputs, doing nothing."""
    try:
        document = config_texts.parse(candidate.text, candidate.format, read=candidate.read)
    except ConfigError:
        return
    if not document.of(Kind.INPUT, Kind.OUTPUT) and not document.includes:
        raise Invalid(BAD_CONFIG, "it has no input and no output: the fleet's agents would run nothing at all")


# -- A fleet -------------------------------------------------------------------------------------------------------------


async def files_of(tx: ReadTx, fleet_id: UUID) -> dict[str, bytes]:
    """The fleet's files as they now are."""
    rows = await tx.execute(select(files.c.name, files.c.contents).where(files.c.fleet_id == fleet_id))
    return {row.name: row.contents for row in rows}


async def check(tx: ReadTx, fleet: Row[Any], candidate: Candidate, learned: Path | None) -> FleetCheck:
    """Hold a config against the version the fleet names, and against each that its agents report."""
    minimum = _of_version(fleet.min_fluent_bit_version or schema.DEFAULT_VERSION, 0, candidate, learned)
    versions = await _versions(tx, fleet, candidate, learned)
    sound = minimum.runs and all(one.runs or not one.known for one in versions)
    return FleetCheck(
        sound=sound, minimum=minimum, versions=versions, added=_added(candidate), unservable=_unservable(candidate)
    )


async def _versions(tx: ReadTx, fleet: Row[Any], candidate: Candidate, learned: Path | None) -> list[VersionCheck]:
    """A check for each version that agents of the fleet report, the commonest first."""
    counted = select(agents.c.version, func.count().label("many")).where(agents.c.fleet_id == fleet.id)
    counted = counted.group_by(agents.c.version).order_by(func.count().desc()).limit(_MOST_VERSIONS)
    versions = []
    for row in (await tx.execute(counted)).all():
        one = _of_version(row.version, row.many, candidate, learned)
        if not (one.runs and one.known):
            those = select(agents.c.name).where(agents.c.fleet_id == fleet.id, agents.c.version == row.version)
            names = (await tx.execute(those.order_by(agents.c.name).limit(NAMED))).scalars()
            one = one.model_copy(update={"names": list(names)})
        versions.append(one)
    return versions


def _of_version(version: str, many: int, candidate: Candidate, learned: Path | None) -> VersionCheck:
    exact = schemas.find(version, learned)
    about = exact or _nearest(version)
    found = problems(candidate, about)
    return VersionCheck(
        version=schemas.plain(version),
        known=exact is not None,
        checked_against=about.version,
        runs=not findings.errors(found),
        agents=many,
        names=[],
        findings=[CheckFinding.model_validate(findings.as_object(finding)) for finding in found[:_MOST_FINDINGS]],
    )


def _nearest(version: str) -> Schema:
    return schema.load(schema.nearest(version))


def _added(candidate: Candidate) -> list[str]:
    try:
        own = config_texts.parse(candidate.text, candidate.format)
        given = config_texts.parse(fleet_configs.reloadable(candidate.text, candidate.format), candidate.format)
    except ConfigError:
        return []
    return by_meaning.as_text(by_meaning.diff(own, given)).splitlines()


def _unservable(candidate: Candidate) -> dict[str, str]:
    """Agents ask for classic unless told otherwise (fleet_config_legacy_format), and get nothing that it cannot hold."""
    found = {}
    for to in (Format.CLASSIC, Format.YAML):
        try:
            config_texts.converted(candidate.text, candidate.format, to, BAD_CONFIG, read=candidate.read)
        except Refusal as refusal:
            found[str(to)] = refusal.detail or refusal.error
    return found


def require_startable(candidate: Candidate, version: str, learned: Path | None) -> None:
    """Refuse what no agent of a Fluent Bit version could start with. Raises Invalid with the first error in `detail`."""
    about = schemas.find(version, learned) or _nearest(version)
    found, document = _look(candidate, about)
    if first := next(iter(findings.errors(found)), None):
        main = document is None or first.file == document.file
        detail = published.detail(found, document, schema=about) or first.message
        raise Invalid(BAD_CONFIG, detail if main else f"in the file {first.file}: {detail}")


def require_no_calyptia(candidate: Candidate) -> None:
    """Refuse a calyptia section, whatever else is let pass: it would register every agent twice."""
    for finding in problems(candidate, schema.load()):
        if finding.kind == "calyptia_in_fleet":
            raise Invalid(BAD_CONFIG, f"line {finding.line}: {finding.message}")


async def require_sound(tx: ReadTx, fleet: Row[Any], candidate: Candidate, learned: Path | None) -> None:
    """Refuse a config that agents of the fleet could not start with, naming those. Raises Invalid.

    A version without a schema of its own is no reason to refuse: nobody knows what it takes.
    """
    require_startable(candidate, fleet.min_fluent_bit_version, learned)
    told = [_told(one) for one in await _versions(tx, fleet, candidate, learned) if one.known and not one.runs]
    if told:
        raise Invalid(BAD_CONFIG, "; ".join(told)[:4000])


def _told(one: VersionCheck) -> str:
    first = next(finding for finding in one.findings if finding.severity == "error")
    names = ", ".join(one.names) + (f" and {one.agents - len(one.names)} more" if one.agents > len(one.names) else "")
    return f"Fluent Bit {one.version} cannot run it, which {names} have: line {first.line}: {first.message}"


async def require_still_sound(tx: ReadTx, fleet: Row[Any], before: Mapping[str, bytes], learned: Path | None) -> None:
    """Refuse a change of files that breaks the config they lie beside, if it was sound with the files `before`."""
    version = fleet.min_fluent_bit_version
    about = schemas.find(version, learned) or _nearest(version)
    was = Candidate(fleet.raw_config, Format(fleet.config_format), before)
    if findings.errors(problems(was, about)):
        return
    now = Candidate(was.text, was.format, await files_of(tx, fleet.id))
    await require_sound(tx, fleet, now, learned)
