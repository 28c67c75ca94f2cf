"""Questions to production's catalog, each name and operator with its schema."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "BY_SOURCE",
    "DEFINITION",
    "DEFINITIONS",
    "DOMAINS",
    "EXPRESSIONS",
    "FAMILY",
    "FUNCTIONS",
    "FUNCTIONS_BY_OID",
    "IMPLICIT",
    "OF_AGGREGATES",
    "OPERATORS",
    "RELATIONS",
    "Function",
]


class Function(NamedTuple):
    """A row of pg_proc; `least` and `most` are how many arguments it takes."""

    oid: int
    schema: str
    name: str
    kind: str
    volatile: bool
    language: str
    source: str
    config: list[str] | None
    least: int
    most: int
    defaults: str | None
    sqlbody: str | None
    extension: bool


_FUNCTIONS = """
    SELECT p.oid::pg_catalog.int8, n.nspname::pg_catalog.text, p.proname::pg_catalog.text,
           p.prokind::pg_catalog.text, p.provolatile OPERATOR(pg_catalog.=) 'v'::pg_catalog."char",
           l.lanname::pg_catalog.text, p.prosrc, p.proconfig, p.pronargs OPERATOR(pg_catalog.-) p.pronargdefaults,
           CASE WHEN p.provariadic OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN 1000 ELSE p.pronargs END,
           pg_catalog.pg_get_expr(p.proargdefaults, 0::pg_catalog.oid), pg_catalog.pg_get_function_sqlbody(p.oid),
           EXISTS (SELECT FROM pg_catalog.pg_depend d
                   WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                     AND d.objid OPERATOR(pg_catalog.=) p.oid
                     AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char")
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
"""
FUNCTIONS = _FUNCTIONS + " WHERE p.proname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[])"
FUNCTIONS_BY_OID = _FUNCTIONS + " WHERE p.oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])"
BY_SOURCE = (
    _FUNCTIONS + " WHERE p.prosrc OPERATOR(pg_catalog.=) %s::pg_catalog.text"
    " AND p.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid"
)
DEFINITION = "SELECT pg_catalog.pg_get_functiondef(%s::pg_catalog.oid)"
OF_AGGREGATES = """
    SELECT f.oid::pg_catalog.int8 FROM pg_catalog.pg_aggregate a, pg_catalog.unnest(ARRAY[
        a.aggtransfn::pg_catalog.oid, a.aggfinalfn::pg_catalog.oid, a.aggcombinefn::pg_catalog.oid,
        a.aggserialfn::pg_catalog.oid, a.aggdeserialfn::pg_catalog.oid, a.aggmtransfn::pg_catalog.oid,
        a.aggminvtransfn::pg_catalog.oid, a.aggmfinalfn::pg_catalog.oid]) f (oid)
    WHERE a.aggfnoid::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
      AND f.oid OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
"""
OPERATORS = """
    SELECT f.oid::pg_catalog.int8 FROM pg_catalog.pg_operator o, pg_catalog.unnest(ARRAY[
        o.oprcode::pg_catalog.oid, o.oprrest::pg_catalog.oid, o.oprjoin::pg_catalog.oid]) f (oid)
    WHERE o.oprname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[])
      AND o.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
      AND f.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
"""
RELATIONS = """
    SELECT c.oid::pg_catalog.int8, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.name[])
"""
FAMILY = """
    WITH RECURSIVE family AS (
        SELECT o.oid FROM pg_catalog.unnest(%s::pg_catalog.oid[]) o (oid)
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i
              JOIN family f ON f.oid OPERATOR(pg_catalog.=) i.inhparent)
    SELECT f.oid::pg_catalog.int8 FROM family f
"""
DEFINITIONS = """
    SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text,
           CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'v'::pg_catalog."char"
                THEN pg_catalog.pg_get_viewdef(c.oid) END
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
"""
EXPRESSIONS = """
    SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, x.what, x.text
    FROM (SELECT p.polrelid AS relation, 'a policy'::pg_catalog.text AS what,
                 pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS text FROM pg_catalog.pg_policy p
          WHERE p.polrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
          UNION ALL
          SELECT i.indrelid, 'an index', pg_catalog.pg_get_expr(i.indexprs, i.indrelid) FROM pg_catalog.pg_index i
          WHERE i.indrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
          UNION ALL
          SELECT i.indrelid, 'an index', pg_catalog.pg_get_expr(i.indpred, i.indrelid) FROM pg_catalog.pg_index i
          WHERE i.indrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
          UNION ALL
          SELECT k.conrelid, 'a constraint', pg_catalog.pg_get_expr(k.conbin, k.conrelid)
          FROM pg_catalog.pg_constraint k WHERE k.conrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])
          UNION ALL
          SELECT d.adrelid, 'a generated column', pg_catalog.pg_get_expr(d.adbin, d.adrelid)
          FROM pg_catalog.pg_attrdef d
          JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid
               AND a.attnum OPERATOR(pg_catalog.=) d.adnum
               AND a.attgenerated OPERATOR(pg_catalog.<>) ''::pg_catalog."char"
          WHERE d.adrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[])) x
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) x.relation
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE x.text IS NOT NULL
"""
IMPLICIT = """
    SELECT f.oid::pg_catalog.int8 FROM (
        SELECT c.castfunc AS oid FROM pg_catalog.pg_cast c
        WHERE c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
        UNION SELECT a.amproc::pg_catalog.oid FROM pg_catalog.pg_amproc a
        WHERE a.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
        UNION SELECT o.oprcode::pg_catalog.oid FROM pg_catalog.pg_amop a
        JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
        WHERE a.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
        UNION SELECT r.rngcanonical::pg_catalog.oid FROM pg_catalog.pg_range r
        UNION SELECT r.rngsubdiff::pg_catalog.oid FROM pg_catalog.pg_range r
    ) f WHERE f.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
                        AND d.objid OPERATOR(pg_catalog.=) f.oid
                        AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog."char")
"""
DOMAINS = """
    SELECT n.nspname::pg_catalog.text, t.typname::pg_catalog.text, pg_catalog.pg_get_constraintdef(k.oid)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) k.contypid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
    WHERE t.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
      AND k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char"
"""
