"""What a snapshot must know of a cluster before its files are worth copying, and whether it can run here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from envclone.errors import ConfigError, ResourceError, UnsafeError
from envclone.stores.postgres.server.engine import Engine, has_icu, missing
from envclone.stores.postgres.server.policy import locale_exists

__all__ = [
    "UNLOGGED",
    "Database",
    "choose_database",
    "databases_sql",
    "listed",
    "measure",
    "other_collation",
    "require_room",
    "require_runnable",
]


@dataclass(frozen=True, slots=True)
class Database:
    """One database: `provider` is c (libc), i (ICU) or b (builtin), `collation_version` the one it was made with."""

    name: str
    oid: int
    template: bool
    connectable: bool
    provider: str
    collate: str
    ctype: str
    collation_version: str | None
    encoding: str = "UTF8"

    def plain(self) -> dict[str, Any]:
        """As plain JSON values, for a snapshot's details."""
        return asdict(self)


def databases_sql(major: int) -> str:
    """A query of every database in the order of Database's fields; versions of collations are known from 15 on."""
    new = "datlocprovider::pg_catalog.text, datcollate::pg_catalog.text, datctype::pg_catalog.text, datcollversion"
    old = "'c'::pg_catalog.text, datcollate::pg_catalog.text, datctype::pg_catalog.text, NULL::pg_catalog.text"
    return (
        "SELECT datname::pg_catalog.text, oid::pg_catalog.int8, datistemplate, datallowconn,"  # noqa: S608
        f" {new if major >= 15 else old},"
        " pg_catalog.pg_encoding_to_char(encoding)::pg_catalog.text"
        " FROM pg_catalog.pg_database ORDER BY datname"
    )


def choose_database(databases: Sequence[Database], wanted: str | None) -> Database:
    """The database to work on: the one that is wanted, or the only one that is not a template or `postgres`.

    Raises ConfigError listing those there are.
    """
    usable = [database for database in databases if database.connectable and not database.template]
    names = ", ".join(database.name for database in usable) or "none"
    if wanted is not None:
        for database in usable:
            if database.name == wanted:
                return database
        raise ConfigError(f"the cluster has no database '{wanted}'; there are: {names}", hint="set source.database")
    candidates = [database for database in usable if database.name != "postgres"] or usable
    if len(candidates) == 1:
        return candidates[0]
    raise ConfigError(f"which database is meant? The cluster has: {names}", hint="set source.database")


def require_runnable(
    engine: Engine, database: Database, databases: Sequence[Database], extensions: Sequence[str] | None
) -> list[str]:
    """Check that a clone can run here, and return warnings; `extensions` None means that they are not known.

    Raises ResourceError naming the extension, the locale or the collation provider that is missing, UnsafeError for
    an encoding in whose bytes nobody could be searched for.
    """
    if database.encoding != "UTF8":
        raise UnsafeError(
            f"the database '{database.name}' is encoded in {database.encoding}: pseudonyms and the search for originals"
            " in the files are made for UTF8",
            hint="convert it in production: pg_dump, CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, restore",
        )
    lacking = missing(engine, extensions or ())
    if lacking:
        raise ResourceError(
            f"the database '{database.name}' uses {_listed('extension', lacking)}, which PostgreSQL {engine.version}"
            f" in {engine.bindir} does not have",
            hint=f"install postgresql-{engine.major} with the extension's package (apt), or set"
            f" ENVCLONE_PG_BIN_{engine.major} to the bin directory of one that has it",
        )
    if database.provider == "i" and not has_icu(engine):
        raise ResourceError(
            f"the database '{database.name}' sorts with ICU, which PostgreSQL {engine.version} here was built without",
            hint=f"apt install postgresql-{engine.major}, or set ENVCLONE_PG_BIN_{engine.major}",
        )
    if database.provider != "i":
        for locale in {database.collate, database.ctype} if database.provider == "c" else {database.ctype}:
            if not locale_exists(locale):
                raise ResourceError(
                    f"the database '{database.name}' needs the locale {locale}, which this machine lacks",
                    hint=f"add '{locale}' to /etc/locale.gen and run locale-gen",
                )
    return [warning for item in databases if (warning := _collation_warning(item))]


def require_room(into: Path, needed: int) -> None:
    """Check that `needed` bytes fit where `into` is; raises ResourceError with both figures."""
    free = shutil.disk_usage(into).free
    if needed > free:
        raise ResourceError(
            f"the snapshot needs {_human(needed)}, and {into} has {_human(free)} free",
            hint="envclone gc removes what is no longer needed; or choose a larger pool (pool.path)",
        )


def measure(tree: Path) -> tuple[int, int]:
    """Bytes and number of the files in a tree."""
    total = count = 0
    for folder, _, files in os.walk(tree):
        for name in files:
            total += Path(folder, name).lstat().st_size
            count += 1
    return total, count


def other_collation(database: Database) -> str | None:
    """This machine's version of the collation when it is not the database's (glibc's own versions)."""
    here = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
    version = database.collation_version
    if database.provider != "c" or not version or here is None:
        return None
    return None if version == here.rpartition(" ")[2] else here.rpartition(" ")[2]


def _collation_warning(database: Database) -> str | None:
    """Whether text may sort otherwise here than where the database's indexes were built."""
    if (here := other_collation(database)) is None:
        return None
    return (
        f"the database '{database.name}' was built with collation version {database.collation_version}, this machine"
        f" has {here}: indexes on text may be in another order than queries expect"
    )


def _listed(noun: str, names: Sequence[str]) -> str:
    return f"the {noun}{'s' if len(names) > 1 else ''} {', '.join(sorted(names))}"


def _human(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KB", "MB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GB"


UNLOGGED = """
    SELECT pg_catalog.concat(n.nspname, '.', c.relname) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relpersistence OPERATOR(pg_catalog.=) 'u'::pg_catalog."char"
      AND c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char"
      AND pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog.>) 0 ORDER BY 1
"""
"""The unlogged tables that have rows: a backup has none of them."""


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names for a warning: the first few, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
