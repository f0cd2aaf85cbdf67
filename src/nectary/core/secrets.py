"""Opens what only this core instance can open, and remembers it, so that nothing is opened twice while it stays the same."""

import hashlib
from collections.abc import Sequence

from nectary import sealing
from nectary.client.core_things import KnownFile, KnownSecret
from nectary.core.runtimes import File


class Unreadable(Exception):
    """Something sealed that this core instance cannot open; the text says what, and what would do."""


class Opener:
    """Opens sealed bytes with one private key, "" for none. What was opened is kept by a digest of what was sealed."""

    def __init__(self, private_key: str) -> None:
        self._key = private_key
        self._opened: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()

    def secrets(self, *lists: Sequence[KnownSecret]) -> dict[str, bytes | Unreadable]:
        """Key -> value; a key in a later list wins. What cannot be opened stands as the reason: only who uses it suffers."""
        found: dict[str, bytes | Unreadable] = {}
        for known in lists:
            for secret in known:
                found[secret.key] = self._try(f"secret {secret.key}", secret.value)
        return found

    def files(self, *lists: Sequence[KnownFile]) -> dict[str, File | Unreadable]:
        """Name -> file; a name in a later list wins."""
        found: dict[str, File | Unreadable] = {}
        for known in lists:
            for file in known:
                opened = self._try(f"file {file.name}", file.contents) if file.encrypted else file.contents
                is_open = isinstance(opened, bytes)
                found[file.name] = File(file.name, opened, file.encrypted) if is_open else opened  # type: ignore[arg-type,assignment]
        return found

    def note(self, secrets: Sequence[KnownSecret], files: Sequence[KnownFile]) -> None:
        """These are still in use, though nobody opens them now."""
        sealed = [secret.value for secret in secrets] + [file.contents for file in files if file.encrypted]
        self._used.update(hashlib.sha256(one).digest() for one in sealed)

    def forget_unused(self) -> None:
        """Drop what nothing asked for since the last time."""
        self._opened = {digest: text for digest, text in self._opened.items() if digest in self._used}
        self._used = set()

    def _try(self, what: str, sealed: bytes) -> bytes | Unreadable:
        digest = hashlib.sha256(sealed).digest()
        self._used.add(digest)
        if digest in self._opened:
            return self._opened[digest]
        if not self._key:
            why = "this core instance was taken over without its private key"
            return Unreadable(f"{what} cannot be opened: {why}; make a new core instance, and set it there again")
        try:
            opened = sealing.unseal(self._key, sealed)
        except ValueError:
            why = "it was not sealed for this core instance's key"
            return Unreadable(f"{what} cannot be opened: {why}; set it again")
        self._opened[digest] = opened
        return opened
