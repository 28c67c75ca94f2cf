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
    "partition key": "SELECT p.partrelid::regclass::text, pg_get_partkeydef(p.partrelid) FROM pg_partitioned_table p",
    "publication": "SELECT r.prrelid::regclass::text, pg_get_expr(r.prqual, r.prrelid) FROM pg_publication_rel r",
}
"""Per kind of definition a query of names and texts; publications have expressions from version 15 on."""

_WORDS = {
    "comment on": "SELECT pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description FROM pg_description d"
    " WHERE d.classoid <> 'pg_subscription'::regclass"
    " UNION ALL SELECT pg_describe_object(d.classoid, d.objoid, 0), d.description FROM pg_shdescription d"
    " WHERE d.classoid <> 'pg_database'::regclass OR d.objoid = (SELECT oid FROM pg_database"
    " WHERE datname = current_database())",
    "label of": "SELECT l.provider, l.label FROM pg_seclabel l"
    " UNION ALL SELECT l.provider, l.label FROM pg_shseclabel l",
    "settings of": "SELECT COALESCE('role ' || r.rolname, 'database ' || d.datname, 'all'),"
    " array_to_string(s.setconfig, ' ') FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole"
    " LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setdatabase = 0 OR d.datname = current_database()",
    "name of": "SELECT 'a role', rolname FROM pg_roles WHERE oid::int8 >= 16384"
    " UNION ALL SELECT 'a database', datname FROM pg_database WHERE datname = current_database()"
    " UNION ALL SELECT 'a schema', nspname FROM pg_namespace WHERE oid::int8 >= 16384"
    " UNION ALL SELECT 'a relation', relname FROM pg_class WHERE oid::int8 >= 16384"
    " UNION ALL SELECT 'a column', attname FROM pg_attribute WHERE attrelid::int8 >= 16384 AND NOT attisdropped"
    " UNION ALL SELECT 'a type', typname FROM pg_type WHERE oid::int8 >= 16384"
    " UNION ALL SELECT 'a function', proname FROM pg_proc WHERE oid::int8 >= 16384"
    " UNION ALL SELECT 'a constraint', conname FROM pg_constraint WHERE oid::int8 >= 16384"
    " UNION ALL SELECT 'a trigger', tgname FROM pg_trigger WHERE oid::int8 >= 16384"
    " UNION ALL SELECT 'a policy', polname FROM pg_policy UNION ALL SELECT 'a rule', rulename FROM pg_rewrite"
    " UNION ALL SELECT 'a publication', pubname FROM pg_publication"
    " UNION ALL SELECT 'an event trigger', evtname FROM pg_event_trigger"
    " UNION ALL SELECT 'a foreign server', srvname FROM pg_foreign_server"
    " UNION ALL SELECT 'a tablespace', spcname FROM pg_tablespace WHERE oid::int8 >= 16384",
    "labels of enum": "SELECT enumtypid::regtype::text, enumlabel FROM pg_enum",
    "default of type": "SELECT oid::regtype::text, typdefault FROM pg_type WHERE oid::int8 >= 16384",
    "options of": "SELECT 'foreign data wrapper ' || fdwname, array_to_string(fdwoptions, ' ')"
    " FROM pg_foreign_data_wrapper"
    " UNION ALL SELECT 'foreign table ' || ftrelid::regclass, array_to_string(ftoptions, ' ') FROM pg_foreign_table"
    " UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname, array_to_string(attfdwoptions, ' ')"
    " FROM pg_attribute WHERE attfdwoptions IS NOT NULL"
    " UNION ALL SELECT 'text search dictionary ' || dictname, dictinitoption FROM pg_ts_dict",
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
        for name, text in conn.execute(sql.SQL(query).format(own=sql.SQL(_OWN.replace("%%", "%")))).fetchall():
            if text:
                yield f"definition of {kind} {name}", [text]
    for kind, query in _WORDS.items():
        words: dict[str, list[Any]] = {}
        for name, text in conn.execute(query).fetchall():
            if text:
                words.setdefault(name, []).append(text)
        yield from ((f"{kind} {name}", texts) for name, texts in words.items())
