"""Refusals: the one family of errors that a caller is told about."""

from typing import Any, ClassVar


class Refusal(Exception):
    """Something that was asked for and will not be done.

    `error` is the stable sentence clients match on (the contract's word for it); `detail` is the variable part: what was
    refused, the value, and what would do. Raised anywhere, rendered once, in edge/refusals.py.
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        error: str,
        detail: str | None = None,
        *,
        index: int | None = None,
        retry_after: int | None = None,
        quota_limit: int | None = None,
        quota_remaining: int | None = None,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.detail = detail
        self.index = index
        self.retry_after = retry_after
        self.quota_limit = quota_limit
        self.quota_remaining = quota_remaining

    def body(self) -> dict[str, Any]:
        """The published error body: `error` always, the rest where it says something."""
        said = {
            "error": self.error,
            "detail": self.detail,
            "index": self.index,
            "quotaLimit": self.quota_limit,
            "quotaRemaining": self.quota_remaining,
        }
        return {key: value for key, value in said.items() if value is not None}


class Malformed(Refusal):
    status = 400


class Unauthenticated(Refusal):
    status = 401


class Forbidden(Refusal):
    status = 403


class NotFound(Refusal):
    status = 404


class MethodNotAllowed(Refusal):
    status = 405


class Conflict(Refusal):
    status = 409


class Gone(Refusal):
    status = 410


class TooLarge(Refusal):
    status = 413


class Unsupported(Refusal):
    status = 415


class Invalid(Refusal):
    status = 422


class Busy(Refusal):
    status = 429


class NotServed(Refusal):
    """Something of the published API that this server knowingly does not do (see contract/differences.toml)."""

    status = 501


class Unavailable(Refusal):
    status = 503


class Unstartable(Exception):
    """The program cannot start; the message is the one sentence its operator reads."""
