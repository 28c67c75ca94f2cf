"""Run as a program: does one job of the service, tells how far it is, and writes down what it gave or why not.

A signal unwinds it as it does a command: nothing half made is left.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from envclone.errors import EnvcloneError
from envclone.interrupts import Interrupted, interruptible
from envclone.models import ProgressEvent
from envclone.pool import files
from envclone.serve.jobs import Job, tell

__all__ = ["main"]

_OFTEN = 0.25
"""Seconds between two events of a step that is under way."""


def main(file: Path, pool: Path, place: Path) -> int:
    """Do the job that lies in a directory; returns the exit code."""
    with interruptible():
        try:
            result = _done(file, pool, place)
        except Interrupted as exc:
            return exc.exit_code
        except KeyboardInterrupt:
            return 130
        except Exception as exc:  # noqa: BLE001 - the boundary: every error becomes a line
            files.write_json(place / "error.json", _failure(exc, file, pool))
            return exc.exit_code if isinstance(exc, EnvcloneError) else 1
        files.write_json(place / "result.json", result)
        return 0


def _done(file: Path, pool: Path, place: Path) -> Any:
    from envclone.api import open_stack
    from envclone.serve.ledger import Ledger
    from envclone.serve.seat import outgoing_of
    from envclone.serve.state import State
    from envclone.serve.work import work_of

    job = Job(**files.read_json(place / "job.json"))
    stack = open_stack(file, pool=pool, progress=_Told(place))
    outgoing = outgoing_of(stack)
    done = work_of(job.verb)(stack, job, Ledger(State(stack.project.pool, stack.project.name)), outgoing)
    return outgoing.result(done)


def _failure(exc: Exception, file: Path, pool: Path) -> dict[str, Any]:
    """What failed, cleaned; of an unexpected error its class alone: its text can quote data."""
    from envclone.api import open_stack
    from envclone.serve.seat import outgoing_of

    if not isinstance(exc, EnvcloneError):
        return {"type": "InternalError", "message": f"an error of envclone itself ({type(exc).__name__})", "hint": None}
    try:
        outgoing = outgoing_of(open_stack(file, pool=pool))
    except EnvcloneError:
        return {"type": type(exc).__name__, "message": "the stack file or the pool cannot be opened", "hint": None}
    problems = [str(one) for one in getattr(exc, "problems", ())][:3]
    said = "; ".join([exc.message, *(one for one in problems if one not in exc.message)])
    return {
        "type": type(exc).__name__,
        "message": outgoing.text(" ".join(said.split())),
        "hint": outgoing.text(exc.hint) if exc.hint else None,
        "exit_code": exc.exit_code,
    }


class _Told:
    """Progress as events of the job: each step, and of a step under way four a second at most."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._last = ("", 0.0)

    def __call__(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        if not event.stage and now - self._last[1] < _OFTEN:
            return
        self._last = (event.step, now)
        share = round(event.done / event.total, 4) if event.total else None
        tell(
            self._place,
            {
                "event": "progress",
                "step": event.number or None,
                "of": event.of or None,
                "said": event.step[:400],
                "stage": event.stage,
                "share": share,
                "done": event.done,
                "total": event.total,
                "unit": event.unit,
            },
        )


if __name__ == "__main__":
    sys.exit(main(*(Path(one) for one in sys.argv[1:4])))
