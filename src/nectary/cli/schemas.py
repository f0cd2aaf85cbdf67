"""`nectary schema`: what each Fluent Bit version knows, shipped with Nectary or learned from any binary."""

import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from nectary.cli import child, output
from nectary.cli.output import Column, Format, stop
from nectary.fluentbit import learn as learning
from nectary.fluentbit import schema
from nectary.fluentbit.schema import InvalidSchemaError, Schema, UnknownVersionError

app = output.group("Which Fluent Bit versions are known, and learn more.")

Folder = Annotated[
    Path | None,
    typer.Option(
        "--schemas", envvar="NECTARY_SCHEMAS", help="Folder of learned schemas.", show_default="~/.local/share/nectary/schemas"
    ),
]
_NAME = "fluentbit-{}.json"
_VERSION = re.compile(r"\d{1,6}(?:\.\d{1,6}){1,3}[A-Za-z0-9.+~-]{0,40}")
_LONGEST = 64 * 1024 * 1024


def default_folder() -> Path:
    """Where learned schemas are kept unless told otherwise: $XDG_DATA_HOME/nectary/schemas."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "nectary" / "schemas"


def find(version: str | None, folder: Path | None) -> Schema:
    """The schema of a version (None: the newest shipped); a learned one before a shipped one. Stops the command for another."""
    wanted = (version or "").strip().removeprefix("v")
    if version is None:
        return schema.load()
    if _VERSION.fullmatch(wanted):
        path = (folder or default_folder()) / _NAME.format(wanted)
        if path.is_file():
            return _kept(path)
    try:
        return schema.load(wanted)
    except UnknownVersionError:
        known = ", ".join(sorted({*schema.known_versions(), *_learned(folder)}))
        stop(f'no schema for Fluent Bit "{version}"; known: {known}; `nectary schema learn --fluent-bit PATH` adds one')


def _kept(path: Path) -> Schema:
    try:
        if path.stat().st_size > _LONGEST:
            stop(f"{path} is too large to be a schema")
        return schema.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        stop(f"{path} cannot be used: {error}; learn it again")


def _learned(folder: Path | None) -> dict[str, Path]:
    """The learned versions and their files."""
    found = {}
    for path in (folder or default_folder()).glob(_NAME.format("*")):
        version = path.name.removeprefix("fluentbit-").removesuffix(".json")
        if _VERSION.fullmatch(version) and path.is_file():
            found[version] = path
    return found


@app.command()
def learn(
    fluent_bit: Annotated[str, typer.Option("--fluent-bit", help="The binary to ask: a path, or a name on the PATH.")],
    save: Annotated[Path | None, typer.Option(help="File or existing folder to keep it in [the folder of --schemas].")] = None,
    folder: Folder = None,
) -> None:
    """Run `fluent-bit -J` and keep what it lists, for --fluent-bit-version."""
    data = listing(fluent_bit)
    version = str(data["fluent_bit"]["version"])
    if not _VERSION.fullmatch(version):
        stop(f"{fluent_bit} calls itself version {version!r}, which is none", 1)
    target = save or folder or default_folder()
    if save is None or save.is_dir():
        target /= _NAME.format(version)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, learning.as_text(data))
    except OSError as error:
        stop(f"cannot write {target}: {error.strerror}")
    count = sum(map(len, data["plugins"].values()))
    typer.echo(f"Fluent Bit {version}: {count} plugins, kept in {target}")


def listing(program: str) -> dict[str, Any]:
    """What a binary lists with -J, as a schema's plain data. Stops the command when it cannot be run or lists nothing."""
    found = child.program(program)
    if found is None:
        stop(f"there is no program {program} to run")
    with tempfile.TemporaryDirectory(prefix="nectary-learn-") as folder:
        ended = child.run([found, "-J"], folder=Path(folder), environment={}, seconds=30, output=learning.LONGEST)
    if ended.code != 0:
        how = "took longer than 30 s" if ended.code is None else f"ended with {ended.code}"
        stop(f"{program} -J {how}, so it is no Fluent Bit, or one too old to list its plugins", 1)
    try:
        data = learning.listing_to_data(ended.out)
        schema.parse(learning.as_text(data))
    except InvalidSchemaError as error:
        stop(f"{program}: {error}", 1)
    return data


def _replace(target: Path, text: str) -> None:
    """Write whole or not at all."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@app.command("list")
def show_all(folder: Folder = None, shown: Annotated[Format, typer.Option("--output", "-o")] = Format.TABLE) -> None:
    """The versions there are; a learned one counts before a shipped one."""
    learned = _learned(folder)
    rows = []
    for version in sorted(
        {*schema.known_versions(), *learned}, key=lambda text: [int(part) for part in re.findall(r"\d+", text)]
    ):
        path = learned.get(version)
        known = _kept(path) if path else schema.load(version)
        count = sum(map(len, known.plugins.values()))
        rows.append(
            {"version": version, "from": "learned" if path else "shipped", "plugins": count, "file": str(path) if path else ""}
        )
    columns = [
        Column("VERSION", lambda row: row["version"]),
        Column("FROM", lambda row: row["from"]),
        Column("PLUGINS", lambda row: str(row["plugins"])),
        Column("FILE", lambda row: row["file"]),
    ]
    output.show(rows, columns, shown)
