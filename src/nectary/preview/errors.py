"""Ways in which a preview as a whole can fail; what goes wrong with one record is in its result instead."""

from __future__ import annotations


class PreviewError(Exception):
    """A preview that gave no results."""


class ScriptError(PreviewError):
    """The script does not compile, fails when loaded, or defines no function to call; the message names chunk and line."""


class TimedOutError(PreviewError):
    """The script took too long: seconds, CPU or instructions."""


class TooLargeError(PreviewError):
    """The request, the answer, or the memory needed is beyond the limits."""


class BusyError(PreviewError):
    """Too many previews wait already."""


class ChildError(PreviewError):
    """The child process ended without an answer."""
