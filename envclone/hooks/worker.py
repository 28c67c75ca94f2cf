"""A hook's process: asked in JSON lines, held to a deadline, and named when it does wrong."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from envclone.accounts import service_account
from envclone.address import Address, joined
from envclone.errors import EnvcloneError, ResourceError, UnsafeError
from envclone.hooks.hooks import Hook, domain_of
from envclone.models import Cage
from envclone.process import Conversation

__all__ = ["DEADLINE", "Worker"]

DEADLINE = 60.0
"""Seconds that a hook may take for one batch, or to start."""

_PACKAGE = Path(__file__).parents[2]
_PROGRAMS = (Path("/usr/bin"), Path("/bin"), Path("/usr/local/bin"))
"""Programs of the system that a hook which is not a Python file may be written in, or call."""

MaskValues = Callable[[str, Sequence[str]], Sequence[str | None]]


class Worker:
    """The long-lived process of one file: Python hooks, or any executable that speaks the same protocol.

    `mask(domain, values)` answers what a hook asks. When root runs it, it is caged: the service account, no network, no
    file but its folder's; `hidden` (the pool) is not shown even when it lies there. Raises UnsafeError naming the file
    when it does not start, ResourceError when the cage cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        file: str,
        mask: MaskValues,
        *,
        hidden: Path | None = None,
        deadline: float = DEADLINE,
        show: bool = False,
    ) -> None:
        path = (directory / file).resolve()
        argv: list[str | Path] = (
            [sys.executable, "-P", "-m", "envclone.hooks.child", path] if file.endswith(".py") else [path]
        )
        self._file = file
        self._mask = mask
        self._deadline = deadline
        self._talk = Conversation(argv, env=_environment(), cwd=path.parent, cage=_cage(path, hidden), show=show)
        self.hooks = self._introduction()

    def call(self, name: str, batch: Mapping[str, Sequence[str | None]]) -> list[Any]:
        """What a hook makes of a batch: one value per row. Raises UnsafeError naming the hook."""
        answer = self._exchange(name, {"hook": name, "batch": {k: list(v) for k, v in batch.items()}})
        while "mask" in answer:
            answer = self._exchange(name, self._masked(answer))
        values = answer.get("values")
        rows = len(next(iter(batch.values())))
        if not isinstance(values, list) or len(values) != rows:
            raise self._failed(name, "its answer has not one value for each row")
        if not all(value is None or isinstance(value, str | bool) for value in values):
            raise self._failed(name, "its answer holds something that is not text")
        return values

    def close(self) -> None:
        """End the process."""
        self._talk.close()

    def _introduction(self) -> list[Hook]:
        answer = self._exchange("", None)
        found = answer.get("hooks")
        if not isinstance(found, list):
            raise self._failed("", 'it did not begin by saying {"hooks": […]}')
        hooks = []
        for one in found:
            try:
                stage, reads = str(one.get("stage", "mask")), tuple(map(str, one.get("reads", ())))
                place = str(one.get("writes") or (reads[0] if reads else ""))
                name = str(one["name"])
            except (AttributeError, KeyError, TypeError):
                raise self._failed("", "a hook that it has lacks its name, or the column that it is about") from None
            store, _, _ = place.partition(".")
            hooks.append(
                Hook(
                    domain_of(self._file, name),
                    self._file,
                    name,
                    stage,
                    store,
                    str(one.get("writes", "")).partition(".")[2],
                    tuple(_beside(part.removeprefix(f"{store}."), place.removeprefix(f"{store}.")) for part in reads),
                )
            )
        return hooks

    def _masked(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return {"values": list(self._mask(str(question["mask"]), [str(v) for v in question["values"]]))}
        except (EnvcloneError, KeyError, TypeError) as exc:
            return {"error": exc.message if isinstance(exc, EnvcloneError) else "no such question"}

    def _exchange(self, name: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
        line = None if document is None else json.dumps(document).encode() + b"\n"
        try:
            answer = json.loads(self._talk.exchange(line, self._deadline))
        except TimeoutError:
            raise self._failed(name, f"it did not answer within {self._deadline:.0f} s") from None
        except EOFError:
            if not self._talk.caged():
                self.close()
                raise ResourceError(
                    f"the hook {self._file} cannot be caged", hint="envclone doctor says what root lacks here"
                ) from None
            raise self._failed(name, "it ended without an answer") from None
        except ValueError:
            raise self._failed(name, "what it printed is not a line of JSON") from None
        if not isinstance(answer, dict):
            raise self._failed(name, "what it printed is not a JSON object")
        if "error" in answer:
            where = f" in line {answer['line']}" if isinstance(answer.get("line"), int) else ""
            said = f": {answer['said']}" if answer.get("said") else ""
            raise self._failed(name, f"{answer['error']}{where}{said}")
        return answer

    def _failed(self, name: str, why: str) -> UnsafeError:
        self.close()
        return UnsafeError(
            f"the hook {self._file}{f':{name}' if name else ''} failed: {why}",
            hint="its messages can hold values and are not shown; try it: envclone hooks test " + self._file,
            ended=True,  # it cannot be asked again
        )


def _beside(column: str, other: str) -> str:
    """The address of a column that is named alone: it stands in the table of the other one."""
    its, place = Address.parse(column).parts, Address.parse(other)
    if len(its) >= len(place.parts):
        return column
    return joined(place.holder, its[0] if len(its) == 1 else column)  # a column can have a dot in its name


def _environment() -> dict[str, str]:
    """What a hook may know: where this package is, and nothing of this process's own environment."""
    return {
        "PYTHONPATH": str(_PACKAGE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",  # what it prints is shown as it prints it, also when it is ended
        "HOME": "/tmp",  # noqa: S108 - in the cage that is a directory of its own
        "TMPDIR": "/tmp",  # noqa: S108 - the same
    }


def _cage(path: Path, hidden: Path | None) -> Cage | None:
    """What a hook may see: its own folder, Python, the system's programs; no network, no pool, no key.

    Nothing without root, who alone can make a cage.
    """
    if os.geteuid() != 0:
        return None
    account = service_account()
    for place, bits in ((path.parent, 0o005), (path, 0o004)):
        if place.exists() and place.stat().st_mode & bits != bits and place.stat().st_uid != account.uid:
            raise UnsafeError(
                f"the account '{account.name}', which hooks run as, cannot read {place}",
                hint=f"chmod o+r{'x' if place is path.parent else ''} {place}",
            )
    folders = [Path(sys.prefix), Path(sys.base_prefix), _PACKAGE / "envclone", *_PROGRAMS, path.parent]
    shown = tuple(dict.fromkeys(one for one in folders if one.exists() and one != Path("/")))
    return Cage(account, readable=shown, hidden=(hidden,) if hidden is not None else (), inside=path.parent)
