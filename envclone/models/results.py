"""What a replay saw: of the limits, and of each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

__all__ = [
    "Cassette",
    "Counters",
    "Egress",
    "Heard",
    "StepResult",
]


@dataclass(frozen=True, slots=True)
class Cassette:
    """What is played to a branch's services for the time of a replay: masked exchanges, as plain JSON values.

    `changes` are put in place of what the application asks for (`model`, `temperature`, `prompt`); with `timing` a
    stream is as slow as it was recorded. With `live` the real addresses answer, behind a guard that lets out what looks
    like somebody's only where it is among `known`.
    """

    exchanges: tuple[Mapping[str, Any], ...]
    changes: Mapping[str, Any] = field(default_factory=dict)
    timing: bool = False
    live: bool = False
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Egress:
    """What left a sealed network, or tried to: `packets` and bytes on interfaces other than the loopback.

    `connections` went through the gate to destinations that the stack file allows, with `sent` bytes; `refused` asked
    the gate for others; `unrouted` are packets that the kernel had no way for.
    """

    interfaces: tuple[str, ...] = ()
    packets: int = 0
    connections: int = 0
    sent: int = 0
    refused: int = 0
    unrouted: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What services asked of a cassette, in order, as plain values; None of an egress that cannot be seen.

    `clocks` are the services whose clocks were to show another time, and what they were told; '' when nothing shows it.
    """

    calls: tuple[Mapping[str, Any], ...] = ()
    egress: Egress | None = None
    clocks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a part's limits did: processes killed for memory, greatest memory (bytes), periods and seconds throttled.

    `memory_refused` counts how often the limit was hit, `pids_refused` forks that failed for it; bytes are those of
    block devices. `restarts` counts how often the part itself was started again, `exit_code` is that of its last end.
    `temp_files` and their bytes, `writing` transactions, and statements that ran into a timeout, are what a database
    server says of itself.
    """

    oom_kills: int = 0
    memory_peak: int = 0
    throttled_periods: int = 0
    throttled_seconds: float = 0.0
    memory_refused: int = 0
    pids_refused: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    restarts: int = 0
    exit_code: int | None = None
    temp_files: int = 0
    temp_bytes: int = 0
    timeouts: int = 0
    writing: int = 0

    def since(self, before: Counters) -> Counters:
        """What was added; the peak is that of the whole time, for the kernel keeps no other."""
        added: dict[str, Any] = {
            one.name: round(getattr(self, one.name) - getattr(before, one.name), 6)
            for one in fields(self)
            if one.name not in ("memory_peak", "exit_code")
        }
        return replace(self, **added)


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step of an incident returned.

    `columns` are the names in order; `origins` the address of the field each column shows ('' when computed);
    `rows` hold plain JSON values; `scores` and `ids` are set for a vector search; `error` is the server's message
    when the step failed, for a failure can be what is to be reproduced.
    """

    columns: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    ids: tuple[str | int, ...] = ()
    scores: tuple[float, ...] = ()
    error: str | None = None
    seconds: float = 0.0
