"""What a branch's PostgreSQL is asked about a search, and how its answers are read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "BREADTHS",
    "BY_INDEX",
    "EXACT",
    "INDEX",
    "NAMESAKES",
    "READER",
    "TABLE",
    "UNBOUNDED",
    "column",
    "command",
    "fields",
    "numbers",
    "quoted",
    "scan",
    "select",
]

EXACT = {"enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_seqscan": "on", "enable_sort": "on"}
"""Also where the step forbids what an exact search is made of: with all forbidden the index may be the cheapest."""
BY_INDEX = {"enable_seqscan": "off", "enable_sort": "off"}
BREADTHS = {
    "hnsw": ("hnsw.ef_search", 40, (10, 20, 40, 80, 100, 200, 400, 800, 1000)),
    "ivfflat": ("ivfflat.probes", 1, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)),
}
"""The setting, its default (pgvector's documentation), and values that are tried."""
UNBOUNDED = {
    "hnsw": {
        "hnsw.iterative_scan": "strict_order",
        "hnsw.max_scan_tuples": "2147483647",
        "hnsw.scan_mem_multiplier": "100",
    },
    "ivfflat": {"ivfflat.iterative_scan": "relaxed_order", "ivfflat.max_probes": "32768"},
}
_VECTOR = re.compile(r"[\[{]([-+0-9.eE,\s]*)[\]}]")
TABLE = """
    SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, a.attname::pg_catalog.text,
           pg_catalog.row_security_active(c.oid),
           pg_catalog.current_setting('hnsw.ef_search', true), pg_catalog.current_setting('ivfflat.probes', true),
           pg_catalog.current_setting('hnsw.iterative_scan', true),
           pg_catalog.current_setting('hnsw.max_scan_tuples', true),
           (SELECT f.attname::pg_catalog.text FROM pg_catalog.pg_attribute f
            WHERE f.attrelid OPERATOR(pg_catalog.=) c.oid AND f.attnum OPERATOR(pg_catalog.>) 0 AND NOT f.attisdropped
            ORDER BY f.attnum LIMIT 1),
           (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ')
            FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) s),
           (SELECT coalesce(pg_catalog.jsonb_agg(o.attname ORDER BY o.attnum), '[]') FROM pg_catalog.pg_attribute o
            WHERE o.attrelid OPERATOR(pg_catalog.=) c.oid AND o.atttypid OPERATOR(pg_catalog.=) a.atttypid
              AND o.atttypmod OPERATOR(pg_catalog.=) a.atttypmod AND o.attnum OPERATOR(pg_catalog.<>) a.attnum
              AND NOT o.attisdropped)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) AND a.attname OPERATOR(pg_catalog.=) $2
"""
INDEX = """
    SELECT m.amname::pg_catalog.text, pg_catalog.array_to_string(i.reloptions, ',')
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class i ON i.oid OPERATOR(pg_catalog.=) x.indexrelid
    JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) i.relam
    WHERE i.relname OPERATOR(pg_catalog.=) $2
      AND (x.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) OR x.indrelid OPERATOR(pg_catalog.=) ANY (
           SELECT t.relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) t)
           OR EXISTS (SELECT 1 FROM pg_catalog.pg_class v WHERE v.relkind OPERATOR(pg_catalog.=) 'v'::pg_catalog."char"
                      AND v.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)))
"""

READER = """
    SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
    WHERE r.rolbypassrls AND r.rolcanlogin AND NOT r.rolsuper
      AND pg_catalog.has_table_privilege(r.oid, pg_catalog.to_regclass($1), 'SELECT')
    ORDER BY 1 LIMIT 1
"""
"""An ordinary role that no policy binds, such as production's superuser is in a branch."""


NAMESAKES = """
    SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE n.nspname::pg_catalog.text OPERATOR(pg_catalog.<>) $1 AND c.relname::pg_catalog.text OPERATOR(pg_catalog.=) $2
      AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}')
      AND n.nspname::pg_catalog.text OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)'
    ORDER BY 1 LIMIT 20
"""
"""The schemas, but for one, that have a table of a name."""


def select(targets: str, tables: str, conditions: Sequence[str], rest: str = "") -> str:
    """A statement of pieces that PostgreSQL's own grammar gave, and of quoted names."""
    where = " AND ".join(f"({one})" for one in conditions)
    return " ".join(["SELECT", targets, "FROM", tables, *(["WHERE", where] if where else []), rest]).strip()


def scan(explained: Any) -> tuple[Mapping[str, Any] | None, bool]:
    """The scan of an index that gives the order, and whether rows are left out behind it."""
    plan = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
    pending = [(plan, False)]
    while pending:
        node, late = pending.pop()
        if node.get("Node Type") == "Index Scan" and "Order By" in node:
            return node, late or "Filter" in node
        joins = node.get("Node Type") in ("Nested Loop", "Hash Join", "Merge Join") or "Filter" in node
        pending += [(one, late or joins) for one in node.get("Plans", ())]
    return None, False


def command(role: str | None, settings: Mapping[str, str], text: str) -> str:
    """What somebody pastes into psql."""
    lines = ["BEGIN READ ONLY;", *([f"SET LOCAL ROLE {quoted(role)};"] if role else [])]
    lines += [f"SET LOCAL {name} = '{value.replace(chr(39), chr(39) * 2)}';" for name, value in settings.items()]
    return "\n".join([*lines, f"{text};", "ROLLBACK;"])


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def column(alias: str, name: str) -> str:
    """A column of an alias."""
    return f"{quoted(alias)}.{quoted(name)}"


def fields(value: Any) -> Mapping[str, Any]:
    """A row's fields."""
    value = json.loads(value) if isinstance(value, str) else value
    return value if isinstance(value, Mapping) else {}


def numbers(value: Any) -> tuple[float, ...] | None:
    """A vector's text as numbers; none for a sparse one and for bits, None where there is no vector."""
    if value is None:
        return None
    match = _VECTOR.fullmatch(str(value))
    try:
        return tuple(float(one) for one in match[1].split(",")) if match and match[1] else ()
    except ValueError:
        return ()
