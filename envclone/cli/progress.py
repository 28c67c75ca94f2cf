"""How far a command has come: one line that is redrawn on a terminal, else a line every two seconds on standard error.

A copy of this process draws it, so that a loop or library that lets nobody else run still leaves no silence.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from envclone.models import ProgressEvent

if TYPE_CHECKING:
    from envclone.protocols import Progress

__all__ = ["SILENCE", "View", "reporting", "span"]

SILENCE = 2.0
"""Seconds after which a command that runs says so, and says it again."""
_DRAWN = 0.4
"""Seconds before the first line on a terminal: what ends sooner shows none."""
_REDRAWN = 0.2
_TOLD = 0.05
"""Seconds between two events of one part that are passed on."""
_ESTIMATED = 1.0
"""Seconds of a part before its end is estimated."""
_COLUMNS = 80


class View:
    """What is known of a running command, as a line for a person and as an event for a script; times in seconds."""

    def __init__(self, command: str, now: float) -> None:
        self._command = command
        self._began = self._part_began = now
        self._stage = ""
        self._number = self._of = 0
        self._part = ""
        self._done, self._total, self._unit = 0, 0, ""
        self._first = 0

    def take(self, event: ProgressEvent, now: float) -> bool:
        """Take in an event; whether another step began with it."""
        begins = event.stage and event.step != self._stage
        if event.stage:
            self._stage, self._number, self._of = event.step, event.number, event.of
        part = "" if event.stage else event.step
        if begins or part != self._part:
            self._part, self._part_began, self._first = part, now, event.done
        self._done, self._total, self._unit = event.done, event.total or 0, event.unit
        return begins

    def line(self, now: float) -> str:
        """As `step 4 of 9 · comparing rows · 61 % · 1 m 20 s left`."""
        said = [f"step {self._number} of {self._of}"] if self._of else []
        said += [one for one in (self._stage, self._part) if one] or [f"envclone {self._command}".rstrip()]
        if self._total:
            said.append(f"{self._percent()} %")
        left = self._left(now)
        said.append(span(now - self._part_began) if left is None else f"{span(left)} left")
        return " · ".join(said)

    def document(self, now: float) -> dict[str, Any]:
        """The same as an event; what is not known is left out."""
        left = self._left(now)
        known = {
            "step": self._number,
            "of": self._of,
            "what": self._stage or self._part or self._command,
            "part": self._part if self._stage else "",
        }
        if self._total:
            known |= {"done": self._done, "total": self._total, "unit": self._unit, "percent": self._percent()}
        document: dict[str, Any] = {key: value for key, value in known.items() if value or key in ("done", "percent")}
        if left is not None:
            document["seconds_left"] = round(left)
        return {"event": "progress", "command": self._command} | document | {"seconds": round(now - self._began, 1)}

    def _percent(self) -> int:
        return min(100, 100 * self._done // self._total)

    def _left(self, now: float) -> float | None:
        """Seconds that the part still takes when it goes on as it went; None while nobody can say."""
        passed, done = now - self._part_began, self._done - self._first
        if not self._total or done <= 0 or passed < _ESTIMATED:
            return None
        return passed / done * max(0, self._total - self._done)


def span(seconds: float) -> str:
    """A length of time in its two largest units: `1 m 20 s`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} m"


@contextmanager
def reporting(command: str, wanted: bool, *, as_json: bool = False) -> Iterator[Progress]:
    """What is to be told how far `command` has come, and shows it on standard error until the block ends."""
    try:
        shown = sys.stderr.fileno() if wanted else -1
    except (OSError, ValueError, AttributeError):  # standard error is closed, or no file
        shown = -1
    if shown < 0:
        yield lambda event: None
        return
    from envclone.aside import beside

    terminal = os.isatty(shown) and not as_json
    view = View(command, time.monotonic())
    sys.stderr.flush()
    with beside(lambda pipe: _show(view, pipe, shown, terminal, as_json), keeping=shown) as pipe:
        yield _teller(pipe)


def _teller(pipe: int) -> Progress:
    last: tuple[str, float] = ("", 0.0)

    def tell(event: ProgressEvent) -> None:
        nonlocal last
        now = time.monotonic()
        if not event.stage and event.step == last[0] and now - last[1] < _TOLD:
            return
        last = (event.step, now)
        words = [event.step[:400], event.done, event.total, event.unit, event.stage, event.number, event.of]
        with contextlib.suppress(OSError):  # nobody looks any more, or is too slow for this one
            os.write(pipe, json.dumps(words).encode() + b"\n")

    return tell


def _show(view: View, pipe: int, shown: int, terminal: bool, as_json: bool) -> None:
    """Show what comes through the pipe until it is closed."""
    spoken = time.monotonic()
    drawn, kept = "", b""
    while True:
        events = []
        if select.select([pipe], [], [], _REDRAWN)[0]:
            piece = os.read(pipe, 1 << 16)
            if not piece:
                break
            *lines, kept = (kept + piece).split(b"\n")
            events = [ProgressEvent(*json.loads(line)) for line in lines]
        now = time.monotonic()
        for event in events:
            if view.take(event, now) and as_json:  # at once: the next step may have come through the pipe with it
                _write(shown, json.dumps(view.document(now)) + "\n")
                spoken = now
        if terminal:
            line = view.line(now)[: _width(shown) - 1]
            if line != drawn and (drawn or now - spoken >= _DRAWN):
                _write(shown, f"\r{line}\x1b[K")
                drawn = line
        elif now - spoken >= SILENCE:
            _write(shown, (json.dumps(view.document(now)) if as_json else view.line(now)) + "\n")
            spoken = now
    if drawn:
        _write(shown, "\r\x1b[K")


def _width(shown: int) -> int:
    try:
        return os.get_terminal_size(shown).columns or _COLUMNS
    except OSError:
        return _COLUMNS


def _write(shown: int, text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that was closed, a reader that went away
        os.write(shown, text.encode(errors="replace"))
