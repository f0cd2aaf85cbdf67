"""A configuration in another format: on standard output, or in a folder with its side files."""

from collections.abc import Iterable
from pathlib import Path

import typer

from nectary.cli import files
from nectary.cli.output import plain, stop
from nectary.fluentbit import findings, formats, references
from nectary.fluentbit.convert import Conversion, convert
from nectary.fluentbit.document import ConfigError, Document, Format, Problem
from nectary.fluentbit.side_files import Written, convert_all
from nectary.fluentbit.variables import TEMPLATE


def to_output(document: Document, wanted: Format, *, lossy: bool) -> None:
    """Write the one text to standard output."""
    try:
        made = convert(document, wanted)
    except ConfigError as error:
        _stop_for(error)
    _list(made.findings, files.texts(document))
    if not made.lossless and not lossy:
        stop("the text would say less than before, so nothing is written; --out DIR keeps side files, --lossy leaves out", 1)
    typer.echo(_bytes(made), nl=False)


def to_folder(document: Document, wanted: Format, folder: str, *, force: bool, lossy: bool) -> None:
    """Write main and side files to a folder, all or none, and name them on standard output."""
    if wanted is document.format:
        stop(f"{document.file} is {wanted} already")
    read = [document]

    def look(path: str) -> Document | None:
        found = _side_file(document.file, path)
        if found is not None:
            read.append(found)
        return found

    try:
        made = convert_all(document, wanted, look)
    except ConfigError as error:
        _stop_for(error)
    _list(made.findings, files.texts(*read))
    if not made.lossless and not lossy:
        stop("the files would say less than before, so none is written; --lossy writes what fits", 1)
    _write(made, Path(folder), [Path(one.file) for one in read], force=force)
    for sentence in _beside(document, made, Path(folder)):
        typer.echo(plain(f"note: {sentence}"), err=True)


def _write(made: Written, folder: Path, sources: Iterable[Path], *, force: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {source.resolve() for source in sources}
        for name, _ in made.files:
            place = folder / name
            if place.resolve() in kept:
                stop(f"{place} is one of the files to convert; choose another folder")
            if place.exists() and not force:
                stop(f"{place} is there already; --force replaces it")
        for name, one in made.files:
            (folder / name).write_bytes(_bytes(one))
            typer.echo(plain(str(folder / name)))
    except (OSError, ValueError) as error:
        stop(f"cannot write to {folder}: {getattr(error, 'strerror', None) or error}")


def _side_file(main: str, path: str) -> Document | None:
    """What a path of the main file names on this machine; None where that is nothing, or only an agent can say."""
    if "${" in path or TEMPLATE.search(path) or "\0" in path:
        return None
    place = files.beside(main, path)
    data = None if place is None else files.read(place)
    if place is None or data is None:
        return None
    return files.parse(files.Given(place, data, formats.format_of(place)))


def _beside(document: Document, made: Written, folder: Path) -> Iterable[str]:
    """Files that the configuration looks for beside itself and that will not be there."""
    home = Path(document.file).parent
    if folder.resolve() == home.resolve():
        return
    new = {name for name, _ in made.files}
    paths = {path.path for path in references.find(made.files[0][1].document).paths if "file read" in path.role}
    for path in sorted(paths - new):
        if not Path(path).is_absolute() and "\0" not in path and (home / path).is_file():
            yield f"{path} is looked for beside {folder / made.files[0][0]}, and is not copied there"


def _bytes(made: Conversion) -> bytes:
    encoding = made.document.sources[0].encoding if made.document.sources else "utf-8"
    return made.text.encode(encoding)


def _list(found: Iterable[Problem], texts: dict[str, str]) -> None:
    noted = findings.in_order(map(findings.from_problem, found))
    typer.echo(findings.as_report(noted, texts), err=True, nl=False)


def _stop_for(error: ConfigError) -> None:
    noted = findings.in_order(map(findings.from_problem, error.problems))
    typer.echo(findings.as_report(noted, files.texts(error.document)), err=True, nl=False)
    raise typer.Exit(1)
