"""How long to wait before something that failed is tried again."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits that double from `first` to `longest` seconds; forgotten once it worked `steady` seconds. Times are monotonic."""

    first: float = 1.0
    longest: float = 300.0
    steady: float = 60.0
    failures: int = 0
    due: float = 0.0
    _worked_since: float | None = None

    def failed(self, now: float) -> float:
        """Note a failure; the seconds to wait."""
        if self._worked_since is not None and now - self._worked_since >= self.steady:
            self.failures = 0
        self._worked_since = None
        self.failures += 1
        wait = min(self.longest, self.first * 2.0 ** min(self.failures - 1, 30))
        self.due = now + wait
        return wait

    def worked(self, now: float) -> None:
        """Note that it works from now on."""
        self._worked_since = now

    def is_due(self, now: float) -> bool:
        return now >= self.due

    def forget(self) -> None:
        self.failures, self.due, self._worked_since = 0, 0.0, None
