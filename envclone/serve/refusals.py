"""What a service refuses, each with the status of HTTP that says so; and the status of every error of the library."""

from __future__ import annotations

from typing import Any, ClassVar

from envclone.errors import (
    BusyError,
    ConfigError,
    EnvcloneError,
    NotReproducedError,
    ResourceError,
    UnreachableError,
    UnsafeError,
    UsageError,
)

__all__ = [
    "Forbidden",
    "Gone",
    "NotAllowed",
    "NotFound",
    "TooLarge",
    "TooMany",
    "Unauthenticated",
    "document",
    "status_of",
]


class _Refused(EnvcloneError):
    status: ClassVar[int] = 400


class Unauthenticated(_Refused):
    """Nobody, or somebody who could not prove it."""

    exit_code = 4
    status = 401


class Forbidden(_Refused):
    """The role does not allow it."""

    exit_code = 4
    status = 403


class NotFound(_Refused):
    """It is not there, or not for this one."""

    exit_code = 2
    status = 404


class NotAllowed(_Refused):
    """It is there, and not to be asked in this way; `allow` names the ways, as the header of that name does."""

    exit_code = 2
    status = 405

    def __init__(self, message: str, *, allow: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.allow = allow


class Gone(_Refused):
    """It was there once, and is handed out no more."""

    exit_code = 4
    status = 410


class TooLarge(_Refused):
    """More was sent than is read."""

    exit_code = 2
    status = 413


class TooMany(_Refused):
    """A rate or a quota is used up; `retry_after` is in seconds."""

    exit_code = 8
    status = 429

    def __init__(self, message: str, *, retry_after: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


_STATUS: tuple[tuple[type[EnvcloneError], int], ...] = (
    (UsageError, 400),
    (ConfigError, 422),
    (UnsafeError, 409),
    (BusyError, 409),
    (NotReproducedError, 409),
    (UnreachableError, 502),
    (ResourceError, 503),
)


def status_of(exc: BaseException) -> int:
    """The status of HTTP of an error."""
    if isinstance(exc, _Refused):
        return exc.status
    return next((status for kind, status in _STATUS if isinstance(exc, kind)), 500)


def document(exc: BaseException, said: str, hint: str | None) -> dict[str, Any]:
    """An error as an answer's body, by the names of `--json`; `said` and `hint` are cleaned already."""
    code = exc.exit_code if isinstance(exc, EnvcloneError) else 1
    kind = type(exc).__name__ if isinstance(exc, EnvcloneError) else "InternalError"
    return {"error": {"type": kind, "message": said, "hint": hint, "exit_code": code, "status": status_of(exc)}}
