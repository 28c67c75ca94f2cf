"""The process that a file of Python hooks runs in: `python -m envclone.hooks.child FILE`, JSON lines in and out.

It first says which hooks the file has. Each request `{"hook", "batch"}` is answered by `{"values"}`, and while it works
a hook can ask `{"mask", "values"}`. An exception is answered by its type and line: its message could hold a value.
Whatever a hook prints goes to the standard error, which is shown by `envclone hooks test` and thrown away elsewhere.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from envclone.hooks.author import REGISTERED, Registered

__all__ = ["main"]


class _Asking:
    """The context of a hook: questions to envclone over the pipe."""

    def __init__(self, incoming: TextIO, outgoing: TextIO) -> None:
        self._in = incoming
        self._out = outgoing

    def mask(self, domain: str, values: Sequence[str | None]) -> list[str | None]:
        present = [value for value in values if value is not None]
        _say(self._out, {"mask": domain, "values": present})
        answer = json.loads(self._in.readline())
        if "error" in answer:
            raise LookupError(answer["error"])
        masked = iter(answer["values"])
        return [None if value is None else next(masked) for value in values]


def main(path: str) -> int:
    """Serve the hooks of one file until the standard input ends."""
    outgoing = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a hook prints must not be taken for an answer
    incoming = sys.stdin
    try:
        runpy.run_path(path, run_name="envclone_hooks")
    except BaseException as exc:  # noqa: BLE001  (SystemExit of a hook's file, too, is told and not obeyed)
        _say(outgoing, _told(exc, path))
        return 1
    hooks = {one.name: one for one in REGISTERED}
    _say(
        outgoing,
        {
            "hooks": [
                {"name": one.name, "stage": one.stage, "writes": one.writes, "reads": list(one.reads)}
                for one in REGISTERED
            ]
        },
    )
    context = _Asking(incoming, outgoing)
    while line := incoming.readline():
        request = json.loads(line)
        try:
            _say(outgoing, {"values": _call(hooks[request["hook"]], context, request["batch"])})
        except BaseException as exc:  # noqa: BLE001  (a hook may raise anything: it is told with its file and line)
            _say(outgoing, _told(exc, path))
    return 0


def _call(one: Registered, context: _Asking, batch: Mapping[str, Sequence[str | None]]) -> list[Any]:
    values = list(one.function(context, batch))
    rows = len(next(iter(batch.values())))
    if len(values) != rows:
        raise TypeError(f"{len(values)} values for {rows} rows")
    if one.stage in ("verify", "judge"):
        return [bool(value) for value in values]
    for value in values:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"a value of type {type(value).__name__}, where only texts and None can be")
    return values


def _told(exc: BaseException, path: str) -> dict[str, Any]:
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == path]
    line = exc.lineno if isinstance(exc, SyntaxError) else frames[-1].lineno if frames else None
    said = str(exc) if isinstance(exc, TypeError) and not frames else ""
    own = exc.__traceback__
    while own is not None and own.tb_frame.f_code.co_filename != path:
        own = own.tb_next  # how it was called is not the author's business
    traceback.print_exception(type(exc), exc, own, file=sys.stderr)
    return {"error": type(exc).__name__, "line": line, "said": said}


def _say(out: TextIO, document: Mapping[str, Any]) -> None:
    out.write(json.dumps(document) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
