"""What is known about where a configuration will run: its files, secrets, parsers and environment."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything outside the text that a check may ask about; what is None is unknown and never a finding.

    files: the names that will lie beside the configuration (fleet or pipeline files), or a function that says whether a path
    is there (True, False, None for "cannot tell"). secrets: the names `{{ secrets.X }}` may use. parsers: parsers defined
    elsewhere; with names given, the list is taken as complete. env: the process environment. fleet: the text is for the
    agents of a fleet, which brings more rules. storage: whoever runs it gives the service a storage.path.
    """

    files: Collection[str] | Callable[[str], bool | None] | None = None
    secrets: Collection[str] | None = None
    parsers: Collection[str] | None = None
    env: Mapping[str, str] | None = None
    fleet: bool = False
    storage: bool = False

    def has_file(self, path: str) -> bool | None:
        """Whether the file at `path` is there; None when nobody can tell, as with absolute paths and a list of names."""
        if self.files is None:
            return None
        if callable(self.files):
            return self.files(path)
        if path.startswith("/") or path[1:3] in {":\\", ":/"}:
            return None
        return path.removeprefix("./") in self.files

    def has_file_named(self, name: str) -> bool | None:
        """Whether `{{ files.NAME }}` will be there."""
        return None if self.files is None or callable(self.files) else name in self.files


NOWHERE = Surroundings()
