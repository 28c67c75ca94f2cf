"""What the schema itself says: values can stand in a view, a default, a check, a policy, as in any column.

The server stores these as expression trees, in which a literal is spelled as numbers: a search of the bytes does not
see it, `\\d` shows it. So they are read as the server prints them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

__all__ = ["read_definitions", "read_missing", "read_numbers"]

_OWN = "n.nspname OPERATOR(pg_catalog.<>) 'information_schema' AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'"

_SOURCES = {
    "view": "SELECT c.oid::pg_catalog.regclass::pg_catalog.text, pg_catalog.pg_get_viewdef(c.oid)"
    " FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
    " WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{{v,m}}') AND {own}",
    "default": "SELECT pg_catalog.concat_ws('.', d.adrelid::pg_catalog.regclass, a.attname),"
    " pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid"
    " AND a.attnum OPERATOR(pg_catalog.=) d.adnum"
    " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.adrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE {own}",
    "constraint": "SELECT t.conname, pg_catalog.pg_get_constraintdef(t.oid) FROM pg_catalog.pg_constraint t"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.connamespace WHERE {own}",
    "index": "SELECT i.indexrelid::pg_catalog.regclass::pg_catalog.text, pg_catalog.pg_get_indexdef(i.indexrelid)"
    " FROM pg_catalog.pg_index i"
    " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE {own}",
    "policy": "SELECT p.polname, pg_catalog.concat_ws(' ', pg_catalog.pg_get_expr(p.polqual, p.polrelid),"
    " pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))"
    " FROM pg_catalog.pg_policy p",
    "trigger": "SELECT t.tgname, pg_catalog.pg_get_triggerdef(t.oid) FROM pg_catalog.pg_trigger t"
    " WHERE NOT t.tgisinternal",
    "rule": "SELECT r.rulename, pg_catalog.pg_get_ruledef(r.oid) FROM pg_catalog.pg_rewrite r"
    " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.ev_class"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
    " WHERE r.rulename OPERATOR(pg_catalog.<>) '_RETURN' AND {own}",
    "partition": "SELECT c.oid::pg_catalog.regclass::pg_catalog.text, pg_catalog.pg_get_expr(c.relpartbound, c.oid)"
    " FROM pg_catalog.pg_class c"
    " WHERE c.relpartbound IS NOT NULL",
    "statistics": "SELECT s.stxname, pg_catalog.pg_get_statisticsobjdef(s.oid) FROM pg_catalog.pg_statistic_ext s",
    "function": "SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text, pg_catalog.pg_get_functiondef(p.oid)"
    " FROM pg_catalog.pg_proc p"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace"
    " WHERE p.prokind OPERATOR(pg_catalog.=) ANY ('{{f,p,w}}')"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
    " WHERE d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e') AND {own}",
    "partition key": "SELECT p.partrelid::pg_catalog.regclass::pg_catalog.text,"
    " pg_catalog.pg_get_partkeydef(p.partrelid)"
    " FROM pg_catalog.pg_partitioned_table p",
    "publication": "SELECT pg_catalog.concat_ws(' of ', p.pubname, r.prrelid::pg_catalog.regclass),"
    " pg_catalog.pg_get_expr(r.prqual, r.prrelid) FROM pg_catalog.pg_publication_rel r"
    " JOIN pg_catalog.pg_publication p ON p.oid OPERATOR(pg_catalog.=) r.prpubid",
    "aggregate": "SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text,"
    " pg_catalog.concat_ws(' ', a.agginitval, a.aggminitval) FROM pg_catalog.pg_aggregate a"
    " JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) a.aggfnoid"
    " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace WHERE {own}",
}
"""Per kind of definition a query of names and texts."""

_SINCE = {"publication": 150000, "name of a granted setting": 150000}
"""Which versions have what not all have."""

_SEQUENCES = (
    "SELECT s.seqrelid::pg_catalog.regclass::pg_catalog.text, v.number::pg_catalog.text"
    " FROM pg_catalog.pg_sequence s CROSS JOIN LATERAL (VALUES (s.seqstart), (s.seqmin), (s.seqmax), (s.seqincrement),"
    " (s.seqcache), (pg_catalog.pg_sequence_last_value(s.seqrelid::pg_catalog.regclass))) AS v (number)"
)
_WORDS = {
    "comment on": "SELECT pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description"
    " FROM pg_catalog.pg_description d"
    " UNION ALL SELECT pg_catalog.pg_describe_object(d.classoid, d.objoid, 0), d.description"
    " FROM pg_catalog.pg_shdescription d",
    "label of": "SELECT l.provider, l.label FROM pg_catalog.pg_seclabel l"
    " UNION ALL SELECT l.provider, l.label FROM pg_catalog.pg_shseclabel l",
    "settings of": "SELECT COALESCE('role ' OPERATOR(pg_catalog.||) r.rolname,"
    " 'database ' OPERATOR(pg_catalog.||) d.datname, 'all'),"
    " pg_catalog.array_to_string(s.setconfig, ' ') FROM pg_catalog.pg_db_role_setting s"
    " LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole"
    " LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.setdatabase",
    "labels of enum": "SELECT enumtypid::pg_catalog.regtype::pg_catalog.text, enumlabel FROM pg_catalog.pg_enum",
    "default of type": "SELECT oid::pg_catalog.regtype::pg_catalog.text, typdefault FROM pg_catalog.pg_type"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
    "rows to dump of extension": "SELECT extname, pg_catalog.array_to_string(extcondition, ' ')"
    " FROM pg_catalog.pg_extension",
    "functions of extension": "SELECT e.extname, pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p"
    " JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass"
    " AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'"
    " JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid"
    " WHERE p.prokind OPERATOR(pg_catalog.=) ANY ('{f,p,w}')"
    " AND p.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
    "version of extension": "SELECT extname, extversion FROM pg_catalog.pg_extension",
    "numbers of sequence": f"{_SEQUENCES} WHERE pg_catalog.abs(v.number) OPERATOR(pg_catalog.>=) 100000000000"
    " AND v.number OPERATOR(pg_catalog.<) 9223372036854775807",  # those of fewer digits are counted
    "rules of collation": "SELECT collname, pg_catalog.concat_ws(' ', pg_catalog.to_jsonb(c) OPERATOR(pg_catalog.->>)"
    " 'collicurules', c.collcollate, c.collctype) FROM pg_catalog.pg_collation c"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
    "options of": "SELECT 'foreign data wrapper ' OPERATOR(pg_catalog.||) fdwname,"
    " pg_catalog.array_to_string(fdwoptions, ' ')"
    " FROM pg_catalog.pg_foreign_data_wrapper"
    " UNION ALL SELECT 'foreign server ' OPERATOR(pg_catalog.||) srvname,"
    " pg_catalog.concat_ws(' ', srvtype, srvversion, pg_catalog.array_to_string(srvoptions, ' '))"
    " FROM pg_catalog.pg_foreign_server"
    " UNION ALL SELECT 'foreign table ' OPERATOR(pg_catalog.||) ftrelid::pg_catalog.regclass,"
    " pg_catalog.array_to_string(ftoptions, ' ') FROM pg_catalog.pg_foreign_table"
    " UNION ALL SELECT 'column ' OPERATOR(pg_catalog.||) attrelid::pg_catalog.regclass"
    " OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) attname,"
    " pg_catalog.array_to_string(attfdwoptions OPERATOR(pg_catalog.||) attoptions, ' ')"
    " FROM pg_catalog.pg_attribute WHERE attfdwoptions IS NOT NULL OR attoptions IS NOT NULL"
    " UNION ALL SELECT 'relation ' OPERATOR(pg_catalog.||) oid::pg_catalog.regclass,"
    " pg_catalog.array_to_string(reloptions, ' ') FROM pg_catalog.pg_class WHERE reloptions IS NOT NULL"
    " UNION ALL SELECT 'tablespace ' OPERATOR(pg_catalog.||) spcname, pg_catalog.array_to_string(spcoptions, ' ')"
    " FROM pg_catalog.pg_tablespace"
    " UNION ALL SELECT 'text search dictionary ' OPERATOR(pg_catalog.||) dictname, dictinitoption"
    " FROM pg_catalog.pg_ts_dict",
}
"""What stands in the catalogs in the clear: the search of the bytes sees it too, but cannot say what it is."""

# the modifier of `char(n)` and `varchar(n)` (1042, 1043, their arrays) is four more than their length: it is not taken
# as it is, for what stands beside a number that somebody has counts as a chance of it
_NUMBERS = {
    "numbers of sequences": f"{_SEQUENCES} WHERE pg_catalog.abs(v.number) OPERATOR(pg_catalog.>=) 1000000"
    " AND pg_catalog.abs(v.number) OPERATOR(pg_catalog.<) 100000000000",
    "numbers of large objects": "SELECT 'pg_largeobject_metadata ' OPERATOR(pg_catalog.||) m.oid::pg_catalog.text,"
    " m.oid::pg_catalog.text FROM pg_catalog.pg_largeobject_metadata m"
    " WHERE m.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 1000000",
    "costs of functions": "SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text, v.number::pg_catalog.text"
    " FROM pg_catalog.pg_proc p CROSS JOIN LATERAL (VALUES (p.procost::pg_catalog.float8),"
    " (p.prorows::pg_catalog.float8)) AS v (number) WHERE v.number OPERATOR(pg_catalog.>=) 1000000",
    "limits of connections": "SELECT 'pg_authid ' OPERATOR(pg_catalog.||) r.oid::pg_catalog.text,"
    " r.rolconnlimit::pg_catalog.text FROM pg_catalog.pg_roles r"
    " WHERE r.rolconnlimit OPERATOR(pg_catalog.>=) 1000000"
    " UNION ALL SELECT 'pg_database ' OPERATOR(pg_catalog.||) d.oid::pg_catalog.text,"
    " d.datconnlimit::pg_catalog.text FROM pg_catalog.pg_database d"
    " WHERE d.datconnlimit OPERATOR(pg_catalog.>=) 1000000",
    "lengths of types": "SELECT 'pg_type ' OPERATOR(pg_catalog.||) t.oid::pg_catalog.text, v.number::pg_catalog.text"
    " FROM pg_catalog.pg_type t CROSS JOIN LATERAL (VALUES (CASE WHEN t.typbasetype OPERATOR(pg_catalog.=)"
    " ANY ('{1042,1043,1014,1015}'::pg_catalog.oid[]) THEN t.typtypmod OPERATOR(pg_catalog.-) 4"
    " ELSE t.typtypmod END)) AS v (number) WHERE v.number OPERATOR(pg_catalog.>=) 1000000"
    " AND t.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
    "sizes of aggregates": "SELECT 'pg_proc ' OPERATOR(pg_catalog.||) v.id, v.number::pg_catalog.text"
    " FROM pg_catalog.pg_aggregate a CROSS JOIN LATERAL (VALUES"
    " (a.aggfnoid::pg_catalog.oid::pg_catalog.text, a.aggtransspace),"
    " (a.aggfnoid::pg_catalog.oid::pg_catalog.text, a.aggmtransspace)) AS v (id, number)"
    " WHERE v.number OPERATOR(pg_catalog.>=) 1000000",
    "lengths of columns": "SELECT 'column ' OPERATOR(pg_catalog.||) a.attnum::pg_catalog.text"
    " OPERATOR(pg_catalog.||) ' of pg_class ' OPERATOR(pg_catalog.||) a.attrelid::pg_catalog.text,"
    " v.number::pg_catalog.text"
    " FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL (VALUES (CASE WHEN a.atttypid OPERATOR(pg_catalog.=)"
    " ANY ('{1042,1043,1014,1015}'::pg_catalog.oid[]) THEN a.atttypmod OPERATOR(pg_catalog.-) 4"
    " ELSE a.atttypmod END)) AS v (number) WHERE v.number OPERATOR(pg_catalog.>=) 1000000"
    " AND a.attrelid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
}
"""Per kind of number in the catalogs that somebody chose a query of where each is, and its digits."""

_NAMES = {
    "a role": ("pg_roles", "rolname"),
    "a database": ("pg_database", "datname"),
    "a tablespace": ("pg_tablespace", "spcname"),
    "a schema": ("pg_namespace", "nspname"),
    "a relation": ("pg_class", "relname"),
    "a type": ("pg_type", "typname"),
    "a function": ("pg_proc", "proname"),
    "a constraint": ("pg_constraint", "conname"),
    "a trigger": ("pg_trigger", "tgname"),
    "a policy": ("pg_policy", "polname"),
    "a rule": ("pg_rewrite", "rulename"),
    "a publication": ("pg_publication", "pubname"),
    "an event trigger": ("pg_event_trigger", "evtname"),
    "a foreign data wrapper": ("pg_foreign_data_wrapper", "fdwname"),
    "a foreign server": ("pg_foreign_server", "srvname"),
    "a statistics object": ("pg_statistic_ext", "stxname"),
    "an extension": ("pg_extension", "extname"),
    "a collation": ("pg_collation", "collname"),
    "a conversion": ("pg_conversion", "conname"),
    "an operator class": ("pg_opclass", "opcname"),
    "an operator family": ("pg_opfamily", "opfname"),
    "an access method": ("pg_am", "amname"),
    "a language": ("pg_language", "lanname"),
    "a text search configuration": ("pg_ts_config", "cfgname"),
    "a text search dictionary": ("pg_ts_dict", "dictname"),
    "a text search parser": ("pg_ts_parser", "prsname"),
    "a text search template": ("pg_ts_template", "tmplname"),
    "a granted setting": ("pg_parameter_acl", "parname"),
}
"""Per kind of object its catalog and the column of its name."""

_NAME = (
    "SELECT x.{column}::pg_catalog.text,"
    " {catalog} OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) x.oid::pg_catalog.text"
    " FROM pg_catalog.{table} x WHERE x.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
)
_NAMES_WITHIN = {
    "name of a column": "SELECT attname::pg_catalog.text, 'column ' OPERATOR(pg_catalog.||) attnum::pg_catalog.text"
    " OPERATOR(pg_catalog.||) ' of pg_class ' OPERATOR(pg_catalog.||) attrelid::pg_catalog.text"
    " FROM pg_catalog.pg_attribute"
    " WHERE attrelid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND NOT attisdropped"
    " AND attnum OPERATOR(pg_catalog.>) 0",
    "name of an argument": "SELECT a.name, 'pg_proc ' OPERATOR(pg_catalog.||) p.oid::pg_catalog.text"
    " FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.unnest(p.proargnames) AS a (name)"
    " WHERE p.oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
    "name of a label's provider": "SELECT provider, 'pg_seclabel' FROM pg_catalog.pg_seclabel"
    " UNION ALL SELECT provider, 'pg_shseclabel' FROM pg_catalog.pg_shseclabel",
}
"""The names that are not an object's: texts and where they stand."""


def read_missing(conn: psycopg.Connection[tuple[Any, ...]], relations: Sequence[int]) -> Iterator[tuple[int, str, str]]:
    """What rows show that are older than their column: relation, column, and the catalog's value as text.

    It stays there when no row shows it any more.
    """
    yield from conn.execute(
        "SELECT attrelid::pg_catalog.int8, attname::pg_catalog.text, attmissingval::pg_catalog.text"
        " FROM pg_catalog.pg_attribute"
        " WHERE attrelid OPERATOR(pg_catalog.=) ANY (%s::pg_catalog.oid[]) AND attmissingval IS NOT NULL",
        [list(relations)],
    ).fetchall()


def read_numbers(
    conn: psycopg.Connection[tuple[Any, ...]],
) -> Iterator[tuple[str, list[Any], Sequence[str]]]:
    """The numbers of seven digits and more in the catalogs that are no server's choice, by kind, with where each is."""
    for kind, query in _NUMBERS.items():
        if found := conn.execute(query).fetchall():
            yield kind, [digits for _, digits in found], [where for where, _ in found]


def read_definitions(
    conn: psycopg.Connection[tuple[Any, ...]],
) -> Iterator[tuple[str, list[Any], Sequence[str]]]:
    """Every definition that can hold a literal, as `(definition of <kind> <name>, [text], ())`.

    Then what the catalogs say in words: comments, labels, settings, options. Then the names of all objects that are not
    PostgreSQL's own, by kind, with the catalog and oid of each: `(name of <kind>, names, places)`.
    """
    version = conn.info.server_version
    for kind, query in _SOURCES.items():
        if version < _SINCE.get(kind, 0):
            continue
        # the queries are constants of this module; `own` is one too
        for name, text in conn.execute(sql.SQL(query).format(own=sql.SQL(_OWN))).fetchall():
            if text:
                yield f"definition of {kind} {name}", [text], ()
    for kind, query in _WORDS.items():
        words: dict[str, list[Any]] = {}
        for name, text in conn.execute(query).fetchall():
            if text:
                words.setdefault(name, []).append(text)
        yield from ((f"{kind} {name}", texts, ()) for name, texts in words.items())
    names: dict[str, Sequence[tuple[str, str]]] = {}
    for kind, (table, column) in _NAMES.items():
        if version >= _SINCE.get(f"name of {kind}", 0):
            query_ = sql.SQL(_NAME).format(
                catalog=sql.Literal(table), table=sql.Identifier(table), column=sql.Identifier(column)
            )
            names[f"name of {kind}"] = conn.execute(query_).fetchall()
    for kind, query in _NAMES_WITHIN.items():
        names[kind] = conn.execute(query).fetchall()
    for kind, found in names.items():
        if found:
            yield kind, [name for name, _ in found], [where for _, where in found]
