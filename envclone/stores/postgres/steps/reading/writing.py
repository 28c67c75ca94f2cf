"""Statements that may change a branch's tables and indexes: a list of kinds; none defines code or changes who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envclone.stores.postgres.steps.reading import known
from envclone.stores.postgres.steps.reading.grammar import Refused, parse, words
from envclone.stores.postgres.steps.reading.statement import WORDS, Uses

if TYPE_CHECKING:
    from envclone.stores.postgres.steps.reading.catalog import Catalog

__all__ = ["REMEDY", "acts", "alone", "functions", "of_statement"]

REMEDY = (
    "one SELECT, INSERT, UPDATE, DELETE, MERGE, TRUNCATE, ANALYZE, VACUUM, REINDEX, or CREATE, ALTER, DROP of a table,"
    " index or statistics"
)
_KINDS = words(
    """
    SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt TruncateStmt VacuumStmt ReindexStmt IndexStmt CreateStmt
    CreateTableAsStmt AlterTableStmt DropStmt CreateStatsStmt RenameStmt RefreshMatViewStmt ExplainStmt
    """
)
_OBJECTS = words("OBJECT_TABLE OBJECT_INDEX OBJECT_STATISTIC_EXT OBJECT_MATVIEW OBJECT_COLUMN OBJECT_TABCONSTRAINT")
_SEQUENCES = frozenset(("nextval", "setval"))
_ALONE = frozenset(("VacuumStmt", "ReindexStmt", "IndexStmt", "DropStmt"))
_SETTINGS = frozenset(("current_setting", "set_config"))


def of_statement(sql: str) -> Uses:
    """What one such statement uses. Raises Refused, saying why, for any other."""
    statements = parse(sql)
    if len(statements) != 1:
        raise Refused("it is not a statement" if not statements else f"it is {len(statements)} statements, not one")
    ((kind, fields),) = statements[0].items()
    if kind not in _KINDS:
        raise Refused(f"{WORDS.get(kind, kind.removesuffix('Stmt'))} is not among what may change a branch")
    named = fields.get("removeType") or fields.get("renameType") or fields.get("objtype")
    if kind in ("DropStmt", "RenameStmt", "AlterTableStmt", "CreateTableAsStmt") and named not in _OBJECTS:
        raise Refused("it is about another kind of object than a table, an index or statistics")
    uses = Uses()
    _walk(statements[0], uses)
    if any(name.lower() == "pg_settings" for _, name in uses.relations):
        raise Refused("it reads the server's settings, which name places of this machine to the branch's login")
    return uses


def acts(name: str) -> bool:
    """Whether a function reaches beyond tables and indexes, or tells a setting."""
    lower = name.lower()
    return lower in _SETTINGS or (lower not in _SEQUENCES and known.acts(lower))


def functions(catalog: Catalog, uses: Uses) -> list[str]:
    """Why the functions that are called may not run, in words: those of the application only read, as in a recording.

    What makes SQL out of text would run anything; the server's own are judged by `acts`.
    """
    called = Uses(functions=uses.functions, notation=uses.notation, operators=uses.operators)
    return [one for one in catalog.problems(called) if one.partition(".")[0] != "pg_catalog"]


def alone(sql: str) -> bool:
    """Whether a statement can be one that the server runs in no transaction block."""
    ((kind, fields),) = parse(sql)[0].items()
    return kind in _ALONE and (kind == "VacuumStmt" or "concurrent" in str(fields).lower())


def _walk(tree: Any, uses: Uses) -> None:
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            for key, value in node.items():
                if key == "FuncCall":
                    uses.functions.add(("", _last(value.get("funcname", ()))))
                elif key == "ColumnRef" and len(value.get("fields", ())) > 1:
                    uses.notation.add(_last(value["fields"]))
                elif key == "A_Indirection":
                    uses.notation.update(_text(one) for one in value.get("indirection", ()) if "String" in one)
                elif key == "A_Expr":
                    uses.operators.add(_last(value.get("name", ())))
                elif key == "RangeVar" or (key == "relation" and isinstance(value, dict) and "relname" in value):
                    uses.relations.add((str(value.get("schemaname", "")), str(value.get("relname", ""))))
                elif key == "AlterTableCmd" and value.get("subtype") in _CHANGES_OWNER:
                    raise Refused("it changes whose a table is, its triggers, rules or policies")
                elif key in ("tablespacename", "tableSpace"):
                    raise Refused("it names a tablespace")
                elif key[:1].isupper() and key.endswith("Stmt") and key not in _KINDS:
                    raise Refused(f"{WORDS.get(key, key.removesuffix('Stmt'))} is not among what may change a branch")
                pending.append(value)


_CHANGES_OWNER = frozenset(
    f"AT_{name}"
    for name in (
        "ChangeOwner", "EnableTrig", "EnableAlwaysTrig", "EnableReplicaTrig", "DisableTrig", "EnableTrigAll",
        "DisableTrigAll", "EnableTrigUser", "DisableTrigUser", "EnableRule", "EnableAlwaysRule", "EnableReplicaRule",
        "DisableRule", "EnableRowSecurity", "DisableRowSecurity", "ForceRowSecurity", "NoForceRowSecurity",
        "SetTableSpace", "GenericOptions",
    )
)  # fmt: skip


def _last(names: Any) -> str:
    return _text(names[-1]) if names else ""


def _text(node: Any) -> str:
    return str(node.get("String", {}).get("sval", ""))
