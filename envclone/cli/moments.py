"""The options that name a moment, for every command that can be of one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.models.moments import Target

__all__ = ["moment_options", "target_of"]

F = TypeVar("F", bound=Callable[..., Any])


def moment_options(command: F) -> F:
    """Adds `--at`, `--lsn`, `--xid`, `--restore-point`, `--before` and `--timeline`: the command gets one `target`."""

    @wraps(command)
    def called(
        *arguments: Any, at: str | None, lsn: str | None, xid: str | None, point: str | None, before: bool,
        timeline: int | None, **others: Any,
    ) -> Any:  # fmt: skip
        return command(*arguments, target=target_of(at, lsn, xid, point, before, timeline), **others)

    for option in (
        click.option("--timeline", type=click.IntRange(1), help="The timeline of the moment, after a promotion."),
        click.option("--before", is_flag=True, help="Just before it: without what ended at that very moment."),
        click.option("--restore-point", "point", metavar="NAME", help="As of pg_create_restore_point(NAME)."),
        click.option("--xid", metavar="ID", help="As of the end of this transaction, which is in it."),
        click.option("--lsn", metavar="LSN", help="As of this position of the log, such as 0/3000148."),
        click.option("--at", metavar="TIME", help="As of this time, such as 2026-11-28T09:30:00Z, by the track."),
    ):
        called = option(called)
    return cast(F, called)


def target_of(
    at: str | None, lsn: str | None, xid: str | None, point: str | None, before: bool, timeline: int | None
) -> Target | None:
    """The moment that the options name; None when they name none. Raises UsageError."""
    named = [("time", at), ("lsn", lsn), ("xid", xid), ("restore point", point)]
    given = [(by, value) for by, value in named if value is not None]
    if not given:
        if before or timeline:
            raise UsageError("--before and --timeline want a moment", hint="--at, --lsn, --xid or --restore-point")
        return None
    if len(given) > 1:
        raise UsageError("a moment has one name", hint="one of --at, --lsn, --xid and --restore-point")
    from envclone.models.moments import By, Target

    by, value = given[0]
    return Target(By(by), _CHECKED[by](value), not before, timeline or 0)


def _time(text: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise UsageError(f"'{text}' is no time", hint="as in ISO 8601: 2026-11-28T09:30:00Z") from exc
    if moment.tzinfo is None:
        raise UsageError(f"'{text}' names no time zone", hint=f"{text}Z, or {text}+01:00")
    return moment.astimezone(dt.UTC).isoformat()


def _position(text: str) -> str:
    high, _, low = text.partition("/")
    try:
        if len(high) > 8 or len(low) > 8:
            raise ValueError
        return f"{int(high, 16):X}/{int(low, 16):X}"
    except ValueError as exc:
        raise UsageError(f"'{text}' is no LSN", hint="as pg_current_wal_lsn() prints it: 0/3000148") from exc


def _transaction(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**64):
        raise UsageError(f"'{text}' is no transaction's id", hint="as pg_current_xact_id() prints it")
    return text


def _point(text: str) -> str:
    if not text or len(text.encode()) > 63 or not text.isprintable():
        raise UsageError("a restore point's name has 1 to 63 printable characters")
    return text


_CHECKED: dict[str, Callable[[str], str]] = {
    "time": _time, "lsn": _position, "xid": _transaction, "restore point": _point,
}  # fmt: skip
