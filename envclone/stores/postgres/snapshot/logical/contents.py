"""What a dump holds, from `pg_restore --list`, and who restores it: production's code never runs as a superuser.

Creating a constraint, an index or a partition evaluates expressions of production's, and so does every row that is
copied into a table with a check. These entries are restored by a login without rights. What a superuser alone may make
(extensions, schemas, classes of operators, publications) evaluates nothing, and neither do access lists.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Entry", "parse", "runs", "stage"]

_LINE = re.compile(r"(\d+); (\d+) (\d+) (.+)")
_KINDS = (
    "ACCESS METHOD", "ACL", "BLOB COMMENTS", "BLOB METADATA", "BLOB", "BLOBS", "CAST", "COMMENT", "DATABASE PROPERTIES",
    "DATABASE", "DEFAULT ACL", "EVENT TRIGGER", "EXTENSION", "MATERIALIZED VIEW DATA", "OPERATOR CLASS",
    "OPERATOR FAMILY", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "PUBLICATION", "SCHEMA", "SECURITY LABEL",
    "SUBSCRIPTION TABLE", "SUBSCRIPTION", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE",
)  # fmt: skip
"""The kinds that are treated in a way of their own; every other one is restored by the login without rights."""

_SUPERUSERS = frozenset((
    "ACL", "BLOB COMMENTS", "BLOB METADATA", "BLOB", "BLOBS", "CAST", "DEFAULT ACL", "EVENT TRIGGER", "EXTENSION",
    "OPERATOR CLASS", "OPERATOR FAMILY", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "PUBLICATION", "SCHEMA",
    "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE",
))  # fmt: skip
_LEFT_OUT = frozenset((
    "DATABASE PROPERTIES", "DATABASE", "MATERIALIZED VIEW DATA", "SECURITY LABEL", "SUBSCRIPTION TABLE", "SUBSCRIPTION",
))  # fmt: skip
"""A subscription would connect to production; a view's rows are taken as they are; the database is made before."""
_LISTS = frozenset(("ACL", "DEFAULT ACL"))
_FIRST = frozenset(("SCHEMA", "EXTENSION"))
"""Before all others: an extension's script, which a superuser runs, must find no function of production's."""
_LAST = frozenset(("EVENT TRIGGER", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "PUBLICATION"))
_EXTENSION = re.compile(r"(?:COMMENT - EXTENSION|EXTENSION -) (\S+)")
_STAGES = {"first": _FIRST, "lists": _LISTS, "last": _LAST}
_COMMENTED = re.compile(
    r"\S+ (ACCESS METHOD|CAST|EVENT TRIGGER|EXTENSION|LANGUAGE|LARGE OBJECT|OPERATOR CLASS|OPERATOR FAMILY|PUBLICATION"
    r"|SCHEMA|TEXT SEARCH PARSER|TEXT SEARCH TEMPLATE) "
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list; `stage` is 'first', 'now', 'lists' (when all objects are there) or 'last'."""

    line: str
    kind: str
    superuser: bool
    stage: str


def parse(listing: str, without: Collection[str] = ()) -> list[Entry]:
    """The entries that are restored, in their order; those of the extensions `without` are not."""
    found = []
    for line in listing.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue  # a comment
        rest = match[4]
        kind = next((kind for kind in _KINDS if rest == kind or rest.startswith(f"{kind} ")), "")
        if kind in _LEFT_OUT or ((one := _EXTENSION.match(rest)) and one[1] in without):
            continue
        superuser = kind in _SUPERUSERS
        when = next((name for name, kinds in _STAGES.items() if kind in kinds), "now")
        if kind == "COMMENT" and (on := _COMMENTED.match(rest.removeprefix("COMMENT "))):
            superuser, when = True, "last" if on[1] in ("EVENT TRIGGER", "PUBLICATION") else "now"
        found.append(Entry(line.strip(), kind, superuser, when))
    return found


def stage(entries: Iterable[Entry], name: str) -> list[Entry]:
    """The entries of one stage."""
    return [entry for entry in entries if entry.stage == name]


def runs(entries: Iterable[Entry]) -> Iterator[tuple[bool, Sequence[Entry]]]:
    """Neighbours that one login restores: whether it is the superuser, and the entries."""
    for superuser, group in itertools.groupby(entries, key=lambda entry: entry.superuser):
        yield superuser, list(group)
