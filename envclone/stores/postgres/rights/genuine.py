"""Whether a database's own functions, operators and views still are the server's: the operator's statements use them.

Production's superuser can replace `pg_catalog.upper` by a function in SQL, and the planner puts its text into every
statement that calls it. So this is asked before anything else, without a function or operator in the question, and
compared here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg

from envclone.errors import UnsafeError

__all__ = ["require"]

FIRST_NORMAL_OID = 16384
_FUNCTION = re.compile(r"^insert \( (\d+) (\S+) \d+ \d+ (\d+) ", re.MULTILINE)
_REFERENCE = re.compile(r":(?:funcid|opfuncid|opno|aggfnoid|winfnoid|relid|hashfuncid) (\d+)")
_TYPES = """SELECT oid, typname, typinput::pg_catalog.oid, typoutput::pg_catalog.oid, typreceive::pg_catalog.oid,
            typsend::pg_catalog.oid FROM pg_catalog.pg_type"""


def require(conn: psycopg.Connection[Any], sharedir: Path) -> None:
    """Compare with the server's own list in `sharedir`; raises UnsafeError naming what was replaced."""
    wrong = [*_casts(conn), *_functions(conn, sharedir), *_operators(conn), *_types(conn), *_views(conn)]
    if wrong:
        raise UnsafeError(
            f"in the database '{conn.info.dbname}' somebody replaced what belongs to the server: {wrong[0]}",
            problems=wrong[:20],
            hint="no statement can be trusted there; put it back in production (dump, initdb, restore), and take a new"
            " snapshot",
        )


def _casts(conn: psycopg.Connection[Any]) -> list[str]:
    rows = conn.execute("SELECT oid, castfunc FROM pg_catalog.pg_cast").fetchall()
    return [f"the cast {oid}" for oid, function in rows if oid < FIRST_NORMAL_OID <= function]


def _functions(conn: psycopg.Connection[Any], sharedir: Path) -> list[str]:
    languages = _known(sharedir / "postgres.bki")
    rows = conn.execute("SELECT oid, proname, prolang FROM pg_catalog.pg_proc").fetchall()
    # what initdb's scripts define in SQL beside the list has numbers from 10000 on, and none of our statements uses it
    return [
        f"the function pg_catalog.{name}"
        for oid, name, language in rows
        if oid < FIRST_NORMAL_OID and language != languages.get(oid, language)
    ]


def _operators(conn: psycopg.Connection[Any]) -> list[str]:
    rows = conn.execute("SELECT oid, oprname, oprcode::pg_catalog.oid FROM pg_catalog.pg_operator").fetchall()
    return [f"the operator {name} ({oid})" for oid, name, code in rows if oid < FIRST_NORMAL_OID <= code]


def _types(conn: psycopg.Connection[Any]) -> list[str]:
    rows = conn.execute(_TYPES).fetchall()
    return [f"the type {name}" for oid, name, *used in rows if oid < FIRST_NORMAL_OID <= max(used)]


def _views(conn: psycopg.Connection[Any]) -> list[str]:
    rows = conn.execute("SELECT ev_class, ev_action FROM pg_catalog.pg_rewrite").fetchall()
    return [
        f"the view {oid}"
        for oid, action in rows
        if oid < FIRST_NORMAL_OID and any(int(n) >= FIRST_NORMAL_OID for n in _REFERENCE.findall(str(action)))
    ]


@lru_cache(maxsize=4)
def _known(bki: Path) -> dict[int, int]:
    """The language of each function in the bootstrap file, by its number."""
    text = bki.read_text(errors="replace")
    begin = text.index("create pg_proc ")
    part = text[begin : text.index("close pg_proc", begin)]
    return {int(oid): int(language) for oid, _, language in _FUNCTION.findall(part)}
