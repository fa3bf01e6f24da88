"""Errors, named by what must be done about them.

    PipelineError
    ├── ConfigError      a person must set something: says which variable, and where to get it
    ├── AuthError        a token is revoked or lacks a scope: mark the connection, tell the owner once, no retry
    ├── TransientError   wait and try again
    ├── RejectedError    the platform refuses this request for good
    └── DataError        a file or an answer is not what it should be: says where, what was found, what was expected

``hint`` says in one sentence what a person can do about it. Messages never hold a token or a buyer's address.
"""

from __future__ import annotations


class PipelineError(Exception):
    """Base of every error this package raises on purpose.

    Attributes:
        code: the stable word for this kind of error, as documented in ``docs/errors.md``.
        message: what happened, to what.
        hint: what to do about it; may be empty.
        retryable: whether trying the same thing again can help.
        operation: what was asked of whom, where that is known: ``GET /v2/user of api.example.com``.
    """

    code = "error"
    retryable = False
    operation = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments: without this an error can't cross a process boundary.
        return (_rebuild, (type(self), self.message, {**self.__dict__}))


def _rebuild(cls: type[PipelineError], message: str, state: dict[str, object]) -> PipelineError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigError(PipelineError):
    """A person must set something."""

    code = "config"


class AuthError(PipelineError):
    """A token is revoked or lacks a scope.

    Attributes:
        revoked: the token is gone for good; False where it is good but may not do this.
    """

    code = "auth"

    def __init__(self, message: str, *, hint: str = "", revoked: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.revoked = revoked


class TransientError(PipelineError):
    """Waiting helps.

    Attributes:
        retry_after: seconds the platform asked us to wait, when it said so.
    """

    code = "transient"
    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RejectedError(PipelineError):
    """The platform refuses this request for good."""

    code = "rejected"


class DataError(PipelineError):
    """A file or an answer isn't what it should be.

    Attributes:
        file, sheet, row, column: where; row counts from 1 as a spreadsheet shows it.
        found, expected: what stood there, and what should have.
    """

    code = "data"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        file: str | None = None,
        sheet: str | None = None,
        row: int | None = None,
        column: str | None = None,
        found: str | None = None,
        expected: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.sheet = sheet
        self.row = row
        self.column = column
        self.found = found
        self.expected = expected

    def where(self) -> dict[str, str | int]:
        """The parts of the place that are known, for JSON and for mails."""
        parts = {
            "file": self.file,
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "found": self.found,
            "expected": self.expected,
        }
        return {key: value for key, value in parts.items() if value is not None}
