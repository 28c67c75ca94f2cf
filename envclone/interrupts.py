"""How a command is ended from outside: SIGINT, SIGTERM and SIGHUP each unwind it as Ctrl-C does, once."""

from __future__ import annotations

import contextlib
import signal
import types
from collections.abc import Callable, Iterator

__all__ = ["SIGNALS", "Ending", "Interrupted", "announcing", "deferred", "ignore", "interruptible", "made"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a command: a person, a service manager, a terminal that is closed."""


class Interrupted(KeyboardInterrupt):
    """A signal ended the command; `exit_code` is 128 and the signal's number, as a shell reports it.

    It is a KeyboardInterrupt, so that libraries which cancel a running query on Ctrl-C do so here too.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.exit_code = 128 + signum


_PAUSE = 0.01
"""Seconds after which a signal is looked at again that came while it could not be raised."""
_AGAIN = signal.SIGALRM
"""What the system sends when they have passed."""


class Ending:
    """The handler of SIGNALS: it raises at the first one, or at the end of the blocks that may not be cut.

    `first` is the signal that ended the command, None before one came.
    """

    def __init__(self, again: Callable[[int], None]) -> None:
        self._again = again
        self.first: int | None = None
        self._asked: int | None = None
        self.held = 0
        self.waiting = False
        self.announcing = self.made = False

    def __call__(self, signum: int, frame: types.FrameType | None) -> None:
        if self.first is not None:
            if signum != _AGAIN:
                self._again(signum)
            return
        if self._asked is None and signum == _AGAIN:
            return  # somebody else's alarm
        asked = self._asked = self._asked or signum
        if _importing(frame) or _between(frame):
            signal.setitimer(signal.ITIMER_REAL, _PAUSE)
            return
        self.forget()
        self.first = asked
        if self.held:
            self.waiting = True
        else:
            raise Interrupted(asked)

    def forget(self) -> None:
        """Send no signal again: one that comes after the handlers were put back would end the process."""
        if self._asked is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def release(self) -> None:
        """End a block of `deferred`; raises Interrupted when a signal came within the outermost one."""
        self.held -= 1
        if self.waiting and not self.held and self.first is not None:
            self.waiting = False
            raise Interrupted(self.first)


@contextlib.contextmanager
def interruptible(again: Callable[[int], None] = lambda signum: None) -> Iterator[Ending]:
    """Within the block the first of SIGNALS raises Interrupted in the main thread; yields what remembers it.

    Later ones call `again` and change nothing: clean-up that has begun runs to its end. A signal that was ignored when
    the block was entered stays ignored, as `nohup` and a shell's `&` ask for.
    """
    ending = Ending(again)
    before = {signum: signal.getsignal(signum) for signum in (*SIGNALS, _AGAIN)}
    mine = {signum: handler for signum, handler in before.items() if signum == _AGAIN or handler is not signal.SIG_IGN}
    for signum in mine:
        signal.signal(signum, ending)
    try:
        yield ending
    finally:
        ending.forget()
        if ending.first is None:  # after a signal the process is on its way out: nothing may cut that short
            for signum, handler in mine.items():
                signal.signal(signum, handler or signal.SIG_DFL)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let the block run to its end before a signal that came meanwhile raises Interrupted.

    For short steps that must be whole: a process started and written down, what was made removed again. Outside of
    `interruptible` it changes nothing.
    """
    ending = _handler()
    if ending is None:
        yield
        return
    ending.held += 1
    try:
        yield
    finally:
        ending.release()


@contextlib.contextmanager
def announcing() -> Iterator[None]:
    """A block that makes something and says what: from `made` on a signal is too late, and changes nothing.

    What was made and written down would stay, and nobody would know of it.
    """
    ending = _handler()
    if ending is None:
        yield
        return
    ending.announcing = True
    try:
        yield
    finally:
        ending.announcing = False
        if ending.made:
            ending.made = ending.waiting = False
            ending.held -= 1


def made() -> None:
    """What the command is for is made and written down: it is announced, whatever comes. Call it in `deferred`."""
    ending = _handler()
    if ending is not None and ending.announcing and not ending.made:
        ending.made = True
        ending.held += 1


def _handler() -> Ending | None:
    handlers = [signal.getsignal(signum) for signum in SIGNALS]
    return next((handler for handler in handlers if isinstance(handler, Ending)), None)


def _between(frame: types.FrameType | None) -> bool:
    """Whether what was interrupted enters or leaves a block: it has a lock, and nobody who gives it back.

    The generator would keep it until the error is forgotten, and the clean-up that wants it would wait for itself.
    """
    return frame is not None and frame.f_code.co_filename == contextlib.__file__


def _importing(frame: types.FrameType | None) -> bool:
    """Whether a module is being imported by what was interrupted: half there it breaks the clean-up that needs it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def ignore() -> None:
    """Ignore all of SIGNALS: for copies of a process that their parent ends."""
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
