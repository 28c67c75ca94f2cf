"""The error tree: every failure a user can meet, its exit code and its remedy.

    EnvcloneError                1   anything else (a bug)
     ├─ UsageError               2   the command line cannot be meant
     ├─ ConfigError              3   the stack file or its rules are invalid
     ├─ UnsafeError              4   guard, verification or attestation failed
     ├─ NotReproducedError       5   a replay gave another answer than production
     ├─ ResourceError            6   this host cannot give what was asked for
     ├─ UnreachableError         7   a source or server could not be reached
     └─ BusyError                8   somebody else holds it

Each error is one line for the person who reads it, and a hint that says what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

__all__ = [
    "BusyError",
    "CommandError",
    "ConfigError",
    "EnvcloneError",
    "NotReproducedError",
    "Problem",
    "ResourceError",
    "UnreachableError",
    "UnsafeError",
    "UsageError",
]


class EnvcloneError(Exception):
    """Something went wrong; `message` says what, `hint` says what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context: Mapping[str, object] = context

    def __str__(self) -> str:
        return self.message


class UsageError(EnvcloneError):
    """The command line, or a library call's arguments, cannot be meant."""

    exit_code = 2


class Problem(str):
    """One line of a report of several: `path:line: what is wrong`."""

    __slots__ = ()


class ConfigError(EnvcloneError):
    """The stack file or its rules are invalid; `problems` lists every one of them."""

    exit_code = 3

    def __init__(
        self, message: str, *, problems: Sequence[str] = (), hint: str | None = None, **context: object
    ) -> None:
        super().__init__(message, hint=hint, **context)
        self.problems = tuple(problems)


class UnsafeError(EnvcloneError):
    """Guard, verification or attestation failed: nothing may be published or branched."""

    exit_code = 4

    def __init__(
        self, message: str, *, problems: Sequence[str] = (), hint: str | None = None, **context: object
    ) -> None:
        super().__init__(message, hint=hint, **context)
        self.problems = tuple(problems)


class NotReproducedError(EnvcloneError):
    """A replay ran, and its answers differ from production's."""

    exit_code = 5


class ResourceError(EnvcloneError):
    """This host lacks what was asked for: disk, memory, an engine, a kernel feature."""

    exit_code = 6


class UnreachableError(EnvcloneError):
    """A source or server could not be reached, or refused us."""

    exit_code = 7


class BusyError(EnvcloneError):
    """Another process holds the lock, the name or the port."""

    exit_code = 8


class CommandError(EnvcloneError):
    """A program that envclone ran failed; `stderr` keeps its last words, secrets redacted."""

    def __init__(
        self,
        message: str,
        *,
        argv: Sequence[str],
        returncode: int,
        stderr: str,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr = stderr
