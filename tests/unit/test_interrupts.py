"""Signals that end a command: once, at a moment when it may be ended, whatever was ignored before."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone import interrupts


@pytest.mark.parametrize("signum", interrupts.SIGNALS)
def test_the_first_signal_ends_the_block_with_its_own_code(signum: signal.Signals) -> None:
    with pytest.raises(interrupts.Interrupted) as caught, interrupts.interruptible() as ending:
        os.kill(os.getpid(), signum)
    assert caught.value.exit_code == 128 + signum
    assert ending.first == signum
    _restore()


def test_later_signals_are_told_and_change_nothing() -> None:
    told: list[int] = []
    cleaned = False
    with pytest.raises(interrupts.Interrupted), interrupts.interruptible(told.append):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
            cleaned = True
    assert told == [signal.SIGTERM, signal.SIGHUP]
    assert cleaned
    _restore()


def test_a_step_that_must_be_whole_ends_before_the_signal_counts() -> None:
    done: list[str] = []
    with pytest.raises(interrupts.Interrupted), interrupts.interruptible():
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGHUP)
            with interrupts.deferred():
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]
    _restore()


@pytest.mark.parametrize("late", [True, False])
def test_what_is_made_is_announced_though_a_signal_came(late: bool) -> None:
    done: list[str] = []
    with interrupts.interruptible() as ending, interrupts.announcing():
        with interrupts.deferred():
            if not late:
                os.kill(os.getpid(), signal.SIGTERM)
            interrupts.made()
        if late:
            os.kill(os.getpid(), signal.SIGTERM)
        with interrupts.deferred():
            pass
        done.append("announced")
    assert (done, ending.first) == (["announced"], signal.SIGTERM)
    _restore()


def test_before_it_is_made_or_where_nobody_announces_a_signal_ends_it() -> None:
    for announced in (True, False):
        with pytest.raises(interrupts.Interrupted), interrupts.interruptible():
            if announced:
                with interrupts.announcing():
                    os.kill(os.getpid(), signal.SIGTERM)
            with interrupts.deferred():
                interrupts.made()
                os.kill(os.getpid(), signal.SIGTERM)
        _restore()


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts.interruptible() as ending:
            os.kill(os.getpid(), signal.SIGHUP)
        assert ending.first is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_without_a_signal_everything_is_as_it_was() -> None:
    before = [signal.getsignal(signum) for signum in interrupts.SIGNALS]
    with interrupts.interruptible(), interrupts.deferred():
        pass
    assert [signal.getsignal(signum) for signum in interrupts.SIGNALS] == before


def _restore() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_module_is_imported_whole_before_a_signal_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_module.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(0.1)\nWHOLE = True\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(interrupts.Interrupted), interrupts.interruptible():
        import slow_module  # type: ignore[import-not-found]

        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            time.sleep(0.01)
    assert slow_module.WHOLE
    _restore()


def _pass_until(signalled: bool) -> None:
    deadline = time.monotonic() + 10
    while signalled and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize("moment", ["__enter__", "__exit__"])
def test_a_block_has_what_it_gives_back_before_a_signal_counts(moment: str) -> None:
    held: list[str] = []

    @contextlib.contextmanager
    def lock() -> Iterator[None]:
        held.append("lock")
        try:
            yield
        finally:
            held.remove("lock")

    def arrive(frame: types.FrameType, event: str, _: object) -> object:
        if frame.f_code.co_filename != contextlib.__file__ or frame.f_code.co_name != moment:
            return None
        if event == ("return" if moment == "__enter__" else "call"):
            sys.settrace(None)  # as the interpreter does it: between the generator and the block
            handler = signal.getsignal(signal.SIGTERM)
            assert isinstance(handler, interrupts.Ending)
            handler(signal.SIGTERM, frame)
        return arrive

    with interrupts.interruptible():
        try:
            sys.settrace(arrive)
            with lock():
                assert held
                _pass_until(moment == "__enter__")
            _pass_until(True)
        except interrupts.Interrupted:  # whose trace still has the generator
            assert held == []
        else:
            pytest.fail("the signal was lost")
        finally:
            sys.settrace(None)
    _restore()


def test_the_first_that_came_during_an_import_is_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slower_module.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\nos.kill(os.getpid(), signal.SIGHUP)\n"
        "time.sleep(0.05)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(interrupts.Interrupted) as caught, interrupts.interruptible():
        import slower_module  # type: ignore[import-not-found]  # noqa: F401

        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            time.sleep(0.01)
    assert caught.value.exit_code == 143
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]  # none sends another
    _restore()
