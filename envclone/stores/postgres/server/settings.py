"""A clone's configuration: captured from production, reduced to what is safe, written whole; nothing is inherited."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.models import Change
from envclone.stores.postgres.scrub.tidy import tidy
from envclone.stores.postgres.server import pinned, policy
from envclone.stores.postgres.server.access import write_hba, write_owned
from envclone.stores.postgres.server.commandline import of_the_last_start
from envclone.stores.postgres.server.engine import Engine

if TYPE_CHECKING:
    import psycopg

__all__ = ["COMMAND_LINE", "Setting", "capture", "hidden", "parse_conf", "write_configuration"]

COMMAND_LINE = "command line"
"""The source of a setting that the server was started with."""
HIDDEN = "(not shown)"
"""Stands for a value that may hold a secret: it is never copied out of production."""

_EXTENSION_SETTINGS = (
    "hnsw.ef_search", "hnsw.iterative_scan", "hnsw.max_scan_tuples", "hnsw.scan_mem_multiplier",
    "ivfflat.probes", "ivfflat.iterative_scan", "ivfflat.max_probes",
)  # fmt: skip
"""pg_settings shows these only where their library is loaded already."""

_LINE = re.compile(r"^\s*(?P<name>[A-Za-z_][\w.$]*)\s*(?:=\s*|\s+)(?P<value>'(?:[^'\\]|\\.|'')*'|[^\s#']+)\s*(?:#.*)?$")
_INCLUDE_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that differs from the server's default.

    `value` carries its unit (`131072kB`), and is None when it may hold a secret. `source` is pg_settings' source,
    or the configuration file's name.
    """

    name: str
    value: str | None
    source: str
    context: str = ""

    def plain(self) -> dict[str, str | None]:
        """As plain JSON values, for a snapshot's details."""
        return asdict(self)


def hidden(conn: psycopg.Connection[Any]) -> list[str]:
    """The settings whose configured value this session does not see, for it was pinned."""
    rows = conn.execute(
        "SELECT name FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'client'"
        " AND name OPERATOR(pg_catalog.=) ANY (%s) ORDER BY name",
        [list(pinned.production())],
    ).fetchall()
    return [name for (name,) in rows]


def capture(conn: psycopg.Connection[Any], configured: Mapping[str, str] | None = None) -> list[Setting]:
    """The settings that production's configuration sets (not those of a role, a database or this session).

    `configured` are the values of those that are `hidden`. A role without pg_read_all_settings does not see the
    protected ones. The connection must be in autocommit mode.
    """
    import psycopg

    found: dict[str, Setting] = {}
    if configured:
        rows = conn.execute(
            "SELECT name, boot_val, context FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) ANY (%s)",
            [list(configured)],
        ).fetchall()
        for name, default, context in rows:
            if configured[name] != (default or ""):
                found[name] = _setting(name, configured[name], "configuration file", context)
    rows = conn.execute(
        "SELECT name, setting, unit, source, context FROM pg_catalog.pg_settings"
        " WHERE context OPERATOR(pg_catalog.<>) 'internal'"
        " AND source OPERATOR(pg_catalog.=) ANY"
        " (ARRAY['configuration file', 'command line', 'environment variable', 'global'])"
    ).fetchall()
    for name, value, unit, source, context in rows:
        found[name] = _setting(name, _with_unit(value, unit), source, context)
    try:  # placeholders of libraries that are not loaded, and values that a role's own settings hide
        rows = conn.execute(
            "SELECT DISTINCT ON (name) name, setting FROM pg_catalog.pg_file_settings"
            " WHERE error IS NULL AND applied ORDER BY name, seqno DESC"
        ).fetchall()
        known = {name.lower() for name in found}
        for name, value in rows:
            if name.lower() not in known:
                found[name] = _setting(name, value, "configuration file", "")
    except psycopg.errors.InsufficientPrivilege:
        rows = conn.execute(
            "SELECT name, pg_catalog.current_setting(name, true) FROM pg_catalog.unnest(%s::pg_catalog.text[]) AS name",
            [list(_EXTENSION_SETTINGS)],
        ).fetchall()
        for name, value in rows:
            if value:
                found.setdefault(name, _setting(name, value, "session", "user"))
    return [found[name] for name in sorted(found)]


def parse_conf(data: Path, unread: list[str] | None = None, config: Path | None = None) -> list[Setting]:
    """The settings of a data directory: of postgresql.conf and what it includes from there, of postgresql.auto.conf,
    and of the command line of the last start.

    `config` is the directory of postgresql.conf where that is another one, as on Debian, or the file. Files outside
    both directories are not read; their paths are added to `unread`. The last assignment counts, as in PostgreSQL.
    """
    found: dict[str, Setting] = {}
    unread = [] if unread is None else unread
    main = (config or data).resolve()
    main = main if main.is_file() else main / "postgresql.conf"
    roots = (data.resolve(), main.parent)
    for file in (main, roots[0] / "postgresql.auto.conf"):
        for name, value, source in _assignments(file, roots, 0, unread):
            found[name.lower()] = _setting(name, value, source, "")
    for name, value in of_the_last_start(roots[0]).items():
        if not name.startswith("-"):
            found[name] = _setting(name, value, COMMAND_LINE, "")
    return [found[name] for name in sorted(found)]


def write_configuration(
    data: Path,
    engine: Engine,
    captured: Sequence[Setting | Mapping[str, Any]],
    overrides: Mapping[str, str] | None = None,
) -> tuple[Change, ...]:
    """Write a clone's whole configuration and remove what its data directory must not have; the server is stopped.

    `captured` are Settings or their plain form; `overrides` win over everything. Returns every difference from
    production, for the attestation and the parity report.
    """
    given = [item if isinstance(item, Setting) else Setting(**item) for item in captured]
    overrides = dict(overrides or {})
    changes: list[Change] = []
    lines: dict[str, str] = {}
    for item in given:
        shown = HIDDEN if item.value is None else item.value
        if item.name in overrides:
            changes.append(Change(item.name, shown, overrides[item.name], "the stack file sets it"))
            continue
        verdict = policy.judge(item.name, shown, engine)
        if verdict.action == "keep" and item.value is None:
            verdict = policy.Verdict("drop", reason="it may hold a secret")
        if verdict.action == "keep" and item.value is not None:
            lines[item.name] = item.value
        elif verdict.action == "set":
            lines[item.name] = verdict.value
            changes.append(Change(item.name, shown, verdict.value, verdict.reason))
        else:
            changes.append(Change(item.name, shown, None, verdict.reason))
    names = {item.name for item in given}
    for name, (value, reason) in policy.forced().items():
        if name not in overrides:
            lines[name] = value
            if name not in names and name == "max_logical_replication_workers":
                changes.append(Change(name, None, value, reason))  # the one whose default would act
    for name, value in overrides.items():
        lines[name] = value
        if name not in names:
            changes.append(Change(name, None, value, "the stack file sets it"))
    changes += tidy(data)
    text = "# Written by envclone: production's settings without what must not come along.\n"
    write_owned(
        data / "postgresql.conf", text + "".join(f"{name} = {_quoted(lines[name])}\n" for name in sorted(lines))
    )
    write_owned(data / "postgresql.auto.conf", "# Settings of ALTER SYSTEM go here.\n")
    write_hba(data)
    return tuple(changes)


def _setting(name: str, value: str, source: str, context: str) -> Setting:
    return Setting(name, None if policy.is_secret(name) else value, source, context)


def _with_unit(value: str, unit: str | None) -> str:
    """pg_settings' number and unit as postgresql.conf takes it: `16384` of `8kB` is `131072kB`."""
    if not unit or value.startswith("-") or not value.isdigit():
        return value  # -1 and the like are not amounts
    match = re.fullmatch(r"(\d+)(\D+)", unit)
    return f"{int(value) * int(match.group(1))}{match.group(2)}" if match else f"{value}{unit}"


def _assignments(file: Path, roots: Sequence[Path], depth: int, unread: list[str]) -> Iterator[tuple[str, str, str]]:
    if not _within(file, roots):
        unread.append(str(file))
        return
    if not file.is_file():
        return
    try:
        text = file.read_text(errors="replace") if depth <= _INCLUDE_DEPTH else None
    except OSError:
        text = None
    if text is None:
        unread.append(str(file))
        return
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        name, value = match["name"].lower(), match["value"]
        if value.startswith("'"):
            value = re.sub(r"''|\\(.)", _unescaped, value[1:-1])
        place = file.parent / value
        if name == "include_if_exists" and not place.exists():
            continue
        if name in ("include", "include_if_exists"):
            yield from _assignments(place, roots, depth + 1, unread)
        elif name == "include_dir":
            if not _within(place, roots):
                unread.append(str(place))
            elif place.is_dir():
                for entry in sorted(place.glob("*.conf")):
                    if not entry.name.startswith("."):
                        yield from _assignments(entry, roots, depth + 1, unread)
        else:
            yield match["name"], value, file.name


def _within(path: Path, roots: Sequence[Path]) -> bool:
    real = path.resolve()
    return any(real.is_relative_to(root) for root in roots)


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    return "'" if escape is None else {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}.get(escape, escape)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"
