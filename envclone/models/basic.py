"""What everything uses: a secret that does not print, an account, how far something has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Account",
    "Cage",
    "ProgressEvent",
    "Secret",
]


class Secret:
    """A string that prints as `***`; `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one place that sends it to a server."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Read from and written to the files of mode 0600 that hold a branch's own credentials (`records`)."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(str(value)),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda secret: secret.reveal()),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Cage:
    """What a program may see when root runs it: its account, and nothing of this machine but these paths.

    `writable` and `readable` are at their own places inside, `hidden` are directories below them that are not shown.
    Only `readable` can be run or loaded. With `network` it has this host's, else a loopback of its own. It begins in
    `inside`. `failing` are programs that are there and do nothing but fail.
    """

    account: Account
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    network: bool = False
    inside: Path | None = None
    failing: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far a long step has come; `total` is None while it is unknown, `unit` is 'bytes', 'rows', 'files' or ''.

    With `stage` a step of the whole deed begins, and what comes after it is of its parts; where their order is known it
    has its `number`, from 1, and `of` how many.
    """

    step: str
    done: int
    total: int | None = None
    unit: str = ""
    stage: bool = False
    number: int = 0
    of: int = 0
