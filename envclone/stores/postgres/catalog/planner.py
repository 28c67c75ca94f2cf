"""What decides plans beside settings, in a form that can be compared: statistics, sizes, parameters of indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Any

import psycopg

from envclone.address import joined, written
from envclone.profiles.servers import SETTINGS

__all__ = ["planner"]

_SET = """
    SELECT coalesce(r.rolname, ''), s.setdatabase OPERATOR(pg_catalog.<>) 0::pg_catalog.oid, u.one
    FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole
    LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.setdatabase,
      LATERAL pg_catalog.unnest(s.setconfig) AS u (one)
    WHERE s.setrole OPERATOR(pg_catalog.<>) 10::pg_catalog.oid
      AND coalesce(d.datname, pg_catalog.current_database())
        OPERATOR(pg_catalog.=) pg_catalog.current_database()
    ORDER BY 1, 2, 3"""
_SAID = frozenset((*SETTINGS, "search_path", "row_security", "default_text_search_config"))
"""Settings whose values are told: of others, such as an application's own, a value can be somebody's."""

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
      CASE WHEN c.reltuples::pg_catalog.int8 OPERATOR(pg_catalog.<) 0 THEN 'never analysed,'
        ELSE pg_catalog.concat_ws(' ', c.reltuples::pg_catalog.int8, 'rows in') END, c.relpages, 'pages,',
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

_BUILDS = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname), pg_catalog.pg_relation_filenode(c.oid::pg_catalog.regclass)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) 'i' AND a.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384
      AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%' ORDER BY 1"""
"""The file of each index of an extension's method. A copy of the files keeps its number; `REINDEX` and whatever else
builds the index again gives it another one."""

_TABLES = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname), pg_catalog.pg_relation_filenode(c.oid::pg_catalog.regclass)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}')
      AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{pg_catalog,information_schema}')
      AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\\_%' ORDER BY 1"""
"""The file of each table: `VACUUM FULL`, `CLUSTER` and `TRUNCATE`, which no counter counts, write another one."""

_VECTORS = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname, a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}') AND a.attnum OPERATOR(pg_catalog.>) 0
      AND t.typname OPERATOR(pg_catalog.=) ANY ('{vector,halfvec,sparsevec}') ORDER BY 1"""


def planner(conn: psycopg.Connection[Any], kept: Collection[str]) -> dict[str, str]:
    """Digests of the statistics of `kept` columns (addresses) per table, sizes of tables, parameters of indexes.

    And in which file each vector index was built and each table written, and what roles and databases set that decides
    answers and plans.

    The connection needs to see all statistics: a superuser's, or one that may read all data and is under no policy.
    """
    digests: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for schema, name, column, inherited, text in conn.execute(_STATISTICS) if kept else ():
        table = written([schema, name])
        if joined(table, column) in kept:
            digest = digests.setdefault(table, hashlib.blake2b(digest_size=8))
            digest.update(f"{column}\0{inherited}\0{text}\0".encode())
            counts[table] = counts.get(table, 0) + 1
    found = {f"statistics {table}": f"{counts[table]} columns, {one.hexdigest()}" for table, one in digests.items()}
    found |= {f"size {table}": size for table, size in conn.execute(_SIZES)}
    found |= {f"vectors {name}": text for name, text in conn.execute(_VECTORS)}
    found |= {f"build {name}": f"file {number}" for name, number in conn.execute(_BUILDS)}
    found |= {f"table {name}": f"file {number}" for name, number in conn.execute(_TABLES)}
    found["settings of roles and databases"] = "; ".join(_told(conn)) or "none"
    return found | {f"index {name}": text.strip() for name, text in conn.execute(_INDEXES)}


def _told(conn: psycopg.Connection[Any]) -> Iterator[str]:
    """What `ALTER ROLE` and `ALTER DATABASE … SET` have set, one by one."""
    for role, here, text in conn.execute(_SET):
        name = text.partition("=")[0]
        who = f"role {role}" + (" in the database" if here else "") if role else "the database"
        if name in _SAID or name.startswith("enable_"):
            yield f"{text} of {who}"
