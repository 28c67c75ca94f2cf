"""Loads shards with `qdrant_edge`, one holder at a time: the engine locks a shard's log while it is loaded."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

from envclone.errors import BusyError, EnvcloneError, UnsafeError
from envclone.forked import begun, is_copy
from envclone.masking.shown import foreign
from envclone.stores.qdrant import wal
from envclone.stores.qdrant.layout import Shard

__all__ = [
    "ENGINE",
    "ShardState",
    "aside",
    "at_last",
    "beside",
    "catch_up",
    "engine_version",
    "forkable",
    "loaded",
    "settle",
]

ENGINE = "qdrant-edge-py"
_MODULE = "qdrant_edge"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ShardState:
    """What the engine says of a shard that it loaded."""

    points: int


def engine_version() -> str:
    """The version of the embedded engine."""
    return version(ENGINE)


def forkable() -> bool:
    """Whether a copy of this process can load shards: the engine was never used here.

    It has threads of its own for as long as the process lives, which a copy would lack and wait for. It is imported
    only where it is used.
    """
    return _MODULE not in sys.modules


def aside(work: Callable[[], _T]) -> _T:
    """What a work gives that loads shards, done by a copy of this process: what it makes copies of later has no threads
    of the engine's. Where it has some it does the work itself."""
    with beside(work) as result:
        return result()


@contextlib.contextmanager
def beside(work: Callable[[], _T]) -> Iterator[Callable[[], _T]]:
    """The same while the block goes on: what is given waits for the result."""
    if forkable():
        with begun(work) as result:
            yield result
    else:
        done = work()
        yield lambda: done


def at_last(work: Callable[[], _T]) -> _T:
    """The same of what a copy does last, which can do it itself."""
    return work() if is_copy() else aside(work)


@contextlib.contextmanager
def loaded(shard: Shard, *, wait: float = 10.0) -> Iterator[Any]:
    """A loaded shard (`qdrant_edge.EdgeShard`), flushed and closed at the end; nothing is ever optimized.

    Waits up to `wait` seconds for another holder. Raises BusyError then, UnsafeError when the engine refuses the files.
    """
    import qdrant_edge

    deadline = time.monotonic() + wait
    while True:
        try:
            with _mute():
                edge = qdrant_edge.EdgeShard.load(str(shard.path))
            break
        except BaseException as exc:  # the binding raises bare Exception, and a panic is none
            if not isinstance(exc, Exception) and not _panic(exc):
                raise
            problem = _problem(shard, exc)
            if not isinstance(problem, BusyError) or time.monotonic() >= deadline:
                raise problem from exc
            time.sleep(0.05)
    try:
        yield edge
    except BaseException as exc:
        if _panic(exc):
            raise _problem(shard, exc) from None
        raise
    finally:
        with _mute():
            edge.flush()
            edge.close()


def _panic(exc: BaseException) -> bool:
    """Whether the engine gave up over what it read: its binding has a class for that which is no Exception."""
    return type(exc).__name__ == "PanicException"


@contextlib.contextmanager
def _mute() -> Iterator[None]:
    """Without standard error, on which an engine that gives up writes where it was, and can write what it read."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def catch_up(shards: Iterable[Shard]) -> None:
    """Let the engine apply what a server that did not end cleanly left in the shards' logs; the logs stay.

    It is done once, in the snapshot: the engine does not apply it twice in the same way, and what raw and clone each
    made of it would differ.
    """
    for shard in shards:
        if wal.has_entries(shard):
            with loaded(shard):
                pass


def settle(shard: Shard) -> ShardState:
    """Let the engine finish what a stopped server left to its next start, then empty the log.

    The log's operations that no segment holds yet are applied, torn tracker writes are repaired; vectors, graphs and
    indexes stay as they are. Without it an emptied log would lose writes, or a kept one bring raw values back.
    """
    with loaded(shard) as edge:
        state = ShardState(int(edge.info().points_count))
    wal.empty(shard)
    return state


def _problem(shard: Shard, exc: BaseException) -> EnvcloneError:
    if _panic(exc):
        return UnsafeError(
            f"the engine gives up over the files of {shard.path}: they are damaged, or of a newer version",
            hint="take a new snapshot: envclone branch ENV --fresh; if that fails alike, look at production's shard",
        )
    text = foreign(str(exc).replace(str(shard.path), "it")) or type(exc).__name__
    if wal.locked(shard.path / "wal"):
        return BusyError(
            f"the shard {shard.path} is loaded by another process",
            hint="an embedded shard has one holder at a time: close it there, then try again",
        )
    return UnsafeError(
        f"the engine cannot load {shard.path}: {text}",
        hint="production's version may be newer than qdrant-edge-py: upgrade it",
    )
