"""What the schema itself says: values can stand in a view, a default, a check, a policy, as in any column.

The server stores these as expression trees, in which a literal is spelled as numbers: a search of the bytes does not
see it, `\\d` shows it. So they are read as the server prints them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["read_definitions"]

_OWN = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'"

_SOURCES = {
    "view": "SELECT c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND {own}",
    "default": "SELECT d.adrelid::regclass::text || '.' || a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d"
    " JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
    " JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own}",
    "constraint": "SELECT t.conname, pg_get_constraintdef(t.oid) FROM pg_constraint t"
    " JOIN pg_namespace n ON n.oid = t.connamespace WHERE {own}",
    "index": "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own}",
    "policy": "SELECT p.polname, concat_ws(' ', pg_get_expr(p.polqual, p.polrelid),"
    " pg_get_expr(p.polwithcheck, p.polrelid))"
    " FROM pg_policy p",
    "trigger": "SELECT t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT t.tgisinternal",
    "rule": "SELECT r.rulename, pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND {own}",
    "partition": "SELECT c.oid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c"
    " WHERE c.relpartbound IS NOT NULL",
    "statistics": "SELECT s.stxname, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s",
    "function": "SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p"
    " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p')"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') AND {own}",
    "publication": "SELECT r.prrelid::regclass::text, pg_get_expr(r.prqual, r.prrelid) FROM pg_publication_rel r",
}
"""Per kind of definition a query of names and texts; publications have expressions from version 15 on."""


def read_definitions(conn: psycopg.Connection[tuple[Any, ...]]) -> Iterator[tuple[str, list[Any]]]:
    """Every definition that can hold a literal, as `(definition of <kind> <name>, [text])`."""
    for kind, query in _SOURCES.items():
        if kind == "publication" and conn.info.server_version < 150000:
            continue
        # the queries are constants of this module; `own` is one too
        for name, text in conn.execute(sql.SQL(query).format(own=sql.SQL(_OWN.replace("%%", "%")))).fetchall():
            if text:
                yield f"definition of {kind} {name}", [text]
