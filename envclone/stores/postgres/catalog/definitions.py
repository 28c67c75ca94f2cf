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
    " WHERE p.prokind OPERATOR(pg_catalog.=) ANY ('{{f,p}}')"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
    " WHERE d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e') AND {own}",
    "partition key": "SELECT p.partrelid::pg_catalog.regclass::pg_catalog.text,"
    " pg_catalog.pg_get_partkeydef(p.partrelid)"
    " FROM pg_catalog.pg_partitioned_table p",
    "publication": "SELECT r.prrelid::pg_catalog.regclass::pg_catalog.text, pg_catalog.pg_get_expr(r.prqual, r.prrelid)"
    " FROM pg_catalog.pg_publication_rel r",
}
"""Per kind of definition a query of names and texts; publications have expressions from version 15 on."""

_WORDS = {
    "comment on": "SELECT pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description"
    " FROM pg_catalog.pg_description d"
    " WHERE d.classoid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_subscription'::pg_catalog.regclass"
    " UNION ALL SELECT pg_catalog.pg_describe_object(d.classoid, d.objoid, 0), d.description"
    " FROM pg_catalog.pg_shdescription d"
    " WHERE d.classoid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_database'::pg_catalog.regclass"
    " OR d.objoid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database"
    " WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())",
    "label of": "SELECT l.provider, l.label FROM pg_catalog.pg_seclabel l"
    " UNION ALL SELECT l.provider, l.label FROM pg_catalog.pg_shseclabel l",
    "settings of": "SELECT COALESCE('role ' OPERATOR(pg_catalog.||) r.rolname,"
    " 'database ' OPERATOR(pg_catalog.||) d.datname, 'all'),"
    " pg_catalog.array_to_string(s.setconfig, ' ') FROM pg_catalog.pg_db_role_setting s"
    " LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole"
    " LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.setdatabase"
    " WHERE s.setdatabase OPERATOR(pg_catalog.=) 0 OR d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()",
    "name of": "SELECT 'a role', rolname FROM pg_catalog.pg_roles"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
    " UNION ALL SELECT 'a database', datname FROM pg_catalog.pg_database"
    " WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
    " UNION ALL SELECT 'a schema', nspname FROM pg_catalog.pg_namespace"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
    " UNION ALL SELECT 'a relation', relname FROM pg_catalog.pg_class"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
    " UNION ALL SELECT 'a column', attname FROM pg_catalog.pg_attribute"
    " WHERE attrelid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384 AND NOT attisdropped"
    " UNION ALL SELECT 'a type', typname FROM pg_catalog.pg_type"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
    " UNION ALL SELECT 'a function', proname FROM pg_catalog.pg_proc"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
    " UNION ALL SELECT 'a constraint', conname FROM pg_catalog.pg_constraint"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
    " UNION ALL SELECT 'a trigger', tgname FROM pg_catalog.pg_trigger"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384"
    " UNION ALL SELECT 'a policy', polname FROM pg_catalog.pg_policy UNION ALL SELECT 'a rule', rulename"
    " FROM pg_catalog.pg_rewrite"
    " UNION ALL SELECT 'a publication', pubname FROM pg_catalog.pg_publication"
    " UNION ALL SELECT 'an event trigger', evtname FROM pg_catalog.pg_event_trigger"
    " UNION ALL SELECT 'a foreign server', srvname FROM pg_catalog.pg_foreign_server"
    " UNION ALL SELECT 'a tablespace', spcname FROM pg_catalog.pg_tablespace"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
    "labels of enum": "SELECT enumtypid::pg_catalog.regtype::pg_catalog.text, enumlabel FROM pg_catalog.pg_enum",
    "default of type": "SELECT oid::pg_catalog.regtype::pg_catalog.text, typdefault FROM pg_catalog.pg_type"
    " WHERE oid::pg_catalog.int8 OPERATOR(pg_catalog.>=) 16384",
    "options of": "SELECT 'foreign data wrapper ' OPERATOR(pg_catalog.||) fdwname,"
    " pg_catalog.array_to_string(fdwoptions, ' ')"
    " FROM pg_catalog.pg_foreign_data_wrapper"
    " UNION ALL SELECT 'foreign table ' OPERATOR(pg_catalog.||) ftrelid::pg_catalog.regclass,"
    " pg_catalog.array_to_string(ftoptions, ' ') FROM pg_catalog.pg_foreign_table"
    " UNION ALL SELECT 'column ' OPERATOR(pg_catalog.||) attrelid::pg_catalog.regclass"
    " OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) attname, pg_catalog.array_to_string(attfdwoptions, ' ')"
    " FROM pg_catalog.pg_attribute WHERE attfdwoptions IS NOT NULL"
    " UNION ALL SELECT 'text search dictionary ' OPERATOR(pg_catalog.||) dictname, dictinitoption"
    " FROM pg_catalog.pg_ts_dict",
}
"""What stands in the catalogs in the clear: the search of the bytes sees it too, but cannot say what it is.

Left out is what `defang` removes: subscriptions, other databases, the options of foreign servers and user mappings.
"""


def read_definitions(conn: psycopg.Connection[tuple[Any, ...]]) -> Iterator[tuple[str, list[Any]]]:
    """Every definition that can hold a literal, as `(definition of <kind> <name>, [text])`.

    Then what the catalogs say in words: comments, labels, settings, options, names.
    """
    for kind, query in _SOURCES.items():
        if kind == "publication" and conn.info.server_version < 150000:
            continue
        # the queries are constants of this module; `own` is one too
        for name, text in conn.execute(sql.SQL(query).format(own=sql.SQL(_OWN))).fetchall():
            if text:
                yield f"definition of {kind} {name}", [text]
    for kind, query in _WORDS.items():
        words: dict[str, list[Any]] = {}
        for name, text in conn.execute(query).fetchall():
            if text:
                words.setdefault(name, []).append(text)
        yield from ((f"{kind} {name}", texts) for name, texts in words.items())
