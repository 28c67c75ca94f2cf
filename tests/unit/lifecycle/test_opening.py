"""Clones are opened side by side, and closed as the block ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from envclone.lifecycle.opening import Clone, sessions
from envclone.models import StoreSnapshot
from envclone.protocols import Store

SNAPSHOT = cast(StoreSnapshot, None)
"""Handed on as it is."""


class _Store:
    """Opens a clone by waiting at a barrier, and notes how it was closed."""

    def __init__(self, barrier: threading.Barrier | None = None, *, fails: bool = False) -> None:
        self.waits = barrier is not None
        self.barrier, self.fails = barrier, fails
        self.threads = 0
        self.closed: list[type[BaseException] | None] = []

    @contextmanager
    def open(self, directory: Path, snapshot: StoreSnapshot, *, log: Path) -> Iterator[Any]:
        self.threads = threading.active_count()
        if self.barrier is not None:
            self.barrier.wait(10)
        if self.fails:
            raise RuntimeError("does not start")
        try:
            yield directory.name
        except BaseException as exc:
            self.closed.append(type(exc))
            raise
        self.closed.append(None)


def _clones(**stores: _Store) -> dict[str, Clone]:
    return {
        name: Clone(cast(Store, store), Path("/clones") / name, SNAPSHOT, Path("/clones/log"))
        for name, store in stores.items()
    }


def test_servers_are_waited_for_at_once_and_what_is_done_meanwhile_does_not_wait() -> None:
    barrier = threading.Barrier(3)  # passed only by two openings and by what is done meanwhile together
    one, other = _Store(barrier), _Store(barrier)
    with sessions(_clones(one=one, other=other), lambda: void(barrier.wait(10))) as opened:
        assert dict(opened) == {"one": "one", "other": "other"}
        assert not one.closed
    assert one.closed == other.closed == [None]


def test_what_makes_copies_of_the_process_is_opened_before_there_is_a_thread() -> None:
    before = threading.active_count()
    server, files = _Store(threading.Barrier(1)), _Store()
    with sessions(_clones(server=server, files=files)) as opened:
        assert list(opened) == ["server", "files"]
    assert files.threads == before


def test_one_that_does_not_open_closes_the_others_with_its_error() -> None:
    barrier = threading.Barrier(2)
    good, bad, files = _Store(barrier), _Store(barrier, fails=True), _Store()
    with pytest.raises(RuntimeError, match="does not start"), sessions(_clones(files=files, good=good, bad=bad)):
        pass
    assert good.closed == files.closed == [RuntimeError]


def test_an_error_of_the_block_reaches_every_session() -> None:
    server, files = _Store(threading.Barrier(1)), _Store()
    with pytest.raises(KeyError), sessions(_clones(server=server, files=files)):
        raise KeyError("in the block")
    assert server.closed == files.closed == [KeyError]


def void(_: object) -> None:
    """Nothing of what was given."""


class _Settling:
    """A session that notes when it was waited for."""

    def __init__(self, waited: list[int]) -> None:
        self._waited = waited

    def ready(self) -> None:
        self._waited.append(threading.active_count())


def test_what_was_only_begun_is_waited_for_when_no_thread_is_left() -> None:
    waited: list[int] = []

    class Begun(_Store):
        @contextmanager
        def open(self, directory: Path, snapshot: StoreSnapshot, *, log: Path) -> Iterator[Any]:
            yield _Settling(waited)

    before = threading.active_count()
    with sessions(_clones(server=_Store(threading.Barrier(1)), files=Begun()), lambda: void(waited)):
        assert waited == [before]
