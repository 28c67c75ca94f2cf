"""A shard's snapshot on the server, from before it is made until it is gone there, whatever happens in between.

The server names a snapshot itself (`<collection>-shard-<n>-<its clock>.snapshot`) and says the name when it is done. So
a note says first what was there before and what the server's clock was, then the name. Who comes later removes what the
note names; where the command died before it knew the name, the one snapshot of that shard that was not there before and
that the server began within a minute of the request. Two that could be it are left to a person.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

from envclone.errors import UnsafeError
from envclone.interrupts import deferred
from envclone.protocols import Note, Notes
from envclone.stores.intake import printable
from envclone.stores.qdrant.live.client import Answer, Client, Failed, path

__all__ = ["Made", "Unnoted", "made", "place", "settle"]

_NAME = re.compile(r"(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)\.snapshot")
_SLACK = dt.timedelta(seconds=60)
"""Within this after the request the server begins with it; it writes the second in which it began into the name."""
_PATIENCE = dt.timedelta(hours=24)
"""A snapshot that did not appear in this time never will."""
_LAST_LOOK = 10.0
"""Seconds that a command which is being ended waits for a snapshot whose name it does not know."""
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Made:
    """A snapshot that the server has: its name, bytes and SHA-256."""

    name: str
    size: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Unnoted:
    """Notes that nobody keeps, for callers without a pool: what is made is removed, unless the process is killed."""

    @contextlib.contextmanager
    def begin(self, facts: Mapping[str, Any]) -> Iterator[Unnoted]:
        """Nothing is written."""
        yield self

    def add(self, facts: Mapping[str, Any]) -> None:
        """Nothing is written."""

    def done(self) -> None:
        """Nothing is removed."""


def place(collection: str, shard: int) -> str:
    """Where the API has the snapshots of a shard."""
    return f"{path('collections', collection, 'shards', shard)}/snapshots"


@contextlib.contextmanager
def made(
    client: Client, collection: str, shard: int, notes: Notes, *, entry: str, problems: list[str]
) -> Iterator[Made]:
    """Have a node make a snapshot of one of its shards; at the end it is removed there.

    `entry` is the address that the stack file names. What could not be removed is told in `problems`, and its note
    stays. Raises Failed, UnsafeError when the server gives no checksum.
    """
    where = place(collection, shard)
    listed = client.get(where)
    facts = {
        "entry": entry,
        "url": client.url,
        "collection": collection,
        "shard": shard,
        "before": [one.name for one in _listed(listed)],
        "asked": listed.date,
    }
    with notes.begin(facts) as note:
        found: Made | None = None
        refused, patience = False, _LAST_LOOK
        try:
            try:
                found = _of(client.post(f"{where}?wait=true").result)
            except Failed as exc:
                refused, patience = 400 <= exc.status < 500, 0.0
                if exc.status:
                    raise
                found = _awaited(client, where, facts, min(client.waits.making, client.waits.lost))
                if found is None:
                    raise
            if found is None:
                raise UnsafeError(
                    "the server did not say what snapshot it made",
                    hint="is it of a version from 1.13 on?",
                )
            note.add({"name": found.name})
            if not found.checksum:
                raise UnsafeError(
                    "the server gives no checksum for its snapshot",
                    hint="servers from 1.13 on give one: upgrade it, or see where it keeps its snapshots",
                )
            yield found
        finally:
            with deferred():
                if refused:
                    note.done()
                else:
                    _end(client, where, facts, found, note, problems, patience)


def _end(
    client: Client,
    where: str,
    facts: Mapping[str, Any],
    found: Made | None,
    note: Note,
    problems: list[str],
    patience: float,
) -> None:
    """Remove what was made; what stays is told, with its note. A signal waits for this, so it does not take long."""
    client = replace(client, waits=replace(client.waits, silence=min(client.waits.silence, _LAST_LOOK)))
    try:
        found = found or _awaited(client, where, facts, min(patience, client.waits.making))
        if found is not None:
            _remove(client, where, found.name)
            note.done()
            return
        why = "its name is not known yet"
    except (Failed, UnsafeError) as exc:
        why = exc.message
    problems.append(
        f"a snapshot of the shard {facts['collection']}/{facts['shard']} may still be on the server ({why}): "
        "envclone gc removes it"
    )


def _remove(client: Client, where: str, name: str) -> None:
    """Remove a snapshot there; one that is gone already is as good. Raises Failed."""
    for attempt in range(_TRIES):
        try:
            client.delete(where + path(name))
            return
        except Failed as exc:
            if exc.status == 404:
                return
            if attempt == _TRIES - 1 or 300 <= exc.status < 500:
                raise
        time.sleep(client.waits.between * 2**attempt)


def _awaited(client: Client, where: str, facts: Mapping[str, Any], seconds: float) -> Made | None:
    """The snapshot whose making was asked for, once it is listed.

    None when it is not within so many seconds, or the server does not answer several times.
    """
    until = time.monotonic() + seconds
    pause = client.waits.between / 4
    unanswered = 0
    while True:
        try:
            if found := _ours(_listed(client.get(where)), facts):
                return found
            unanswered = 0
        except Failed:
            unanswered += 1
        if unanswered > 2 * _TRIES or time.monotonic() + pause > until:
            return None
        time.sleep(pause)
        pause = min(pause * 2, 30.0)


def settle(client: Client, facts: Mapping[str, Any]) -> bool:
    """Remove what a note of a command that is gone tells of; False when it may still appear.

    Raises Failed, UnsafeError when it cannot be told which one it is.
    """
    where = place(str(facts["collection"]), int(facts["shard"]))
    try:
        listed = client.get(where)
    except Failed as exc:
        if exc.status == 404:  # the collection is gone, and its snapshots with it
            return True
        raise
    name = facts.get("name")
    if isinstance(name, str):
        if any(one.name == name for one in _listed(listed)):
            _remove(client, where, name)
        return True
    if found := _ours(_listed(listed), facts):
        _remove(client, where, found.name)
        return True
    asked, now = _clock(str(facts.get("asked", ""))), _clock(listed.date)
    return asked is None or now is None or now - asked > _PATIENCE


def _ours(listed: Sequence[Made], facts: Mapping[str, Any]) -> Made | None:
    """The one of these that a request made. Raises UnsafeError when several could be it."""
    asked = _clock(str(facts.get("asked", "")))
    if asked is None:
        return None
    begins = f"{facts['collection']}-shard-{facts['shard']}-"
    found = []
    for one in listed:
        match = _NAME.fullmatch(one.name.removeprefix(begins)) if one.name.startswith(begins) else None
        if match is None or one.name in facts["before"]:
            continue
        with contextlib.suppress(ValueError):
            began = dt.datetime(*map(int, match.groups()), tzinfo=dt.UTC)  # type: ignore[misc, arg-type]
            if -dt.timedelta(seconds=1) <= began - asked <= _SLACK:
                found.append(one)
    if len(found) > 1:
        raise UnsafeError(
            f"of the shard {facts['collection']}/{facts['shard']} the server has {len(found)} snapshots of the minute "
            f"in which one was asked for: {', '.join(printable(one.name) for one in found)}",
            hint="remove by hand which of them nobody needs: DELETE /collections/NAME/shards/N/snapshots/SNAPSHOT",
        )
    return found[0] if found else None


def _listed(answer: Answer) -> list[Made]:
    items = answer.result if isinstance(answer.result, list) else []
    return [one for one in map(_of, items) if one is not None]


def _of(found: Any) -> Made | None:
    """A snapshot as the API describes it; None when it does not."""
    if not isinstance(found, dict):
        return None
    name, size, checksum = found.get("name"), found.get("size"), found.get("checksum")
    if (
        not isinstance(name, str)
        or not name.endswith(".snapshot")
        or "/" in name
        or not isinstance(size, int)
        or size < 0
    ):
        return None
    return Made(name, size, checksum if isinstance(checksum, str) else "")


def _clock(date: str) -> dt.datetime | None:
    try:
        found = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
