"""What decides plans beside settings, in a form that can be compared: statistics, sizes, parameters of indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import psycopg

from envclone.address import joined, written

__all__ = ["planner"]

_STATISTICS = """
    SELECT s.schemaname::pg_catalog.text, s.tablename::pg_catalog.text, s.attname,
      s.inherited::pg_catalog.text, pg_catalog.concat_ws('|',
        s.null_frac, s.avg_width, s.n_distinct, s.most_common_vals::pg_catalog.text,
          s.most_common_freqs::pg_catalog.text,
        s.histogram_bounds::pg_catalog.text, s.correlation, s.most_common_elems::pg_catalog.text,
          s.most_common_elem_freqs::pg_catalog.text,
        s.elem_count_histogram::pg_catalog.text)
    FROM pg_catalog.pg_stats s
    WHERE s.schemaname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
      AND s.schemaname OPERATOR(pg_catalog.!~~) 'pg\\_%'
    ORDER BY 1, 2, 3, 4"""

_SIZES = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname), pg_catalog.concat_ws(' ',
      c.reltuples::pg_catalog.int8, 'rows in', c.relpages, 'pages,',
        c.relallvisible, 'all visible')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}')
      AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
      AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%' ORDER BY 1"""

_INDEXES = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname), pg_catalog.concat_ws(' ', a.amname,
        pg_catalog.array_to_string(c.reloptions, ' '), CASE WHEN i.indisvalid THEN '' ELSE '(not valid)' END)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
    JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
      AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%' ORDER BY 1"""

_VECTORS = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname, a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}') AND a.attnum OPERATOR(pg_catalog.>) 0
      AND t.typname OPERATOR(pg_catalog.=) ANY ('{vector,halfvec,sparsevec}') ORDER BY 1"""


def planner(conn: psycopg.Connection[Any], kept: Collection[str]) -> dict[str, str]:
    """Digests of the statistics of `kept` columns (addresses) per table, sizes of tables, parameters of indexes.

    The connection needs to see all statistics: a superuser's, or one that may read all data and is under no policy.
    """
    digests: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for schema, name, column, inherited, text in conn.execute(_STATISTICS):
        table = written([schema, name])
        if joined(table, column) in kept:
            digest = digests.setdefault(table, hashlib.blake2b(digest_size=8))
            digest.update(f"{column}\0{inherited}\0{text}\0".encode())
            counts[table] = counts.get(table, 0) + 1
    found = {f"statistics {table}": f"{counts[table]} columns, {one.hexdigest()}" for table, one in digests.items()}
    found |= {f"size {table}": size for table, size in conn.execute(_SIZES)}
    found |= {f"vectors {name}": text for name, text in conn.execute(_VECTORS)}
    return found | {f"index {name}": text.strip() for name, text in conn.execute(_INDEXES)}
