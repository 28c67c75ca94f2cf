"""What a parsed statement calls and reads; anything that is not a plain reading is refused by the shape of the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from envclone.incidents.sql import Kind, tokens
from envclone.stores.postgres.steps.reading import known
from envclone.stores.postgres.steps.reading.grammar import Mode, Refused, parse, parse_plpgsql, words

__all__ = ["WORDS", "Name", "Uses", "of_expression", "of_function_body", "of_plpgsql", "of_statement"]

Name = tuple[str, str]
"""Schema ('' when none is written) and name."""

_NODES = words(
    """
    A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star Alias BitString BoolExpr Boolean BooleanTest
    CTECycleClause CTESearchClause CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef ColumnRef
    CommonTableExpr DefElem ExplainStmt Float FuncCall GroupingFunc GroupingSet Integer JoinExpr
    JsonAggConstructor JsonArgument JsonArrayAgg JsonArrayConstructor JsonArrayQueryConstructor JsonBehavior
    JsonFormat JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor JsonOutput
    JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn JsonTablePathSpec
    JsonValueExpr List MinMaxExpr NamedArgExpr NullTest ParamRef RangeFunction RangeSubselect RangeTableFunc
    RangeTableFuncCol RangeTableSample RangeVar ResTarget RowExpr SQLValueFunction SelectStmt SortBy String
    SubLink TypeCast TypeName VariableShowStmt WindowDef WithClause XmlExpr XmlSerialize
    """
)
"""Nodes of statements that read. What is not here is refused, also what a later grammar adds."""

WORDS = {
    "CopyStmt": "COPY", "DoStmt": "DO", "CallStmt": "CALL", "DeleteStmt": "DELETE", "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE", "MergeStmt": "MERGE", "TransactionStmt": "a transaction's control", "LockStmt": "LOCK",
    "VariableSetStmt": "SET", "VacuumStmt": "VACUUM or ANALYZE", "AlterSystemStmt": "ALTER SYSTEM",
    "CreateTableAsStmt": "CREATE TABLE AS", "ExecuteStmt": "EXECUTE", "PrepareStmt": "PREPARE", "NotifyStmt": "NOTIFY",
    "ListenStmt": "LISTEN", "DeclareCursorStmt": "DECLARE CURSOR", "FetchStmt": "FETCH", "LoadStmt": "LOAD",
    "CheckPointStmt": "CHECKPOINT", "DiscardStmt": "DISCARD", "TruncateStmt": "TRUNCATE",
}  # fmt: skip
_JSON_WORDS = words(
    """
    json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
    json_table json_value
    """
)
"""Key words of newer servers that an older one takes for functions: there they would be a user's."""

_COMPARISONS = ("=", "<>", "<", ">", "<=", ">=")
_BLOCKS = words(
    """
    block assign if case loop while fori fors forc foreach_a exit return return_next return_query raise assert
    execsql perform getdiag open fetch close
    """
)


@dataclass(slots=True)
class Uses:
    """What is called and read: functions, those of a user alone (`shadows`), columns that may be functions of one
    argument (`notation`), operators by name, relations."""

    functions: set[Name] = field(default_factory=set)
    shadows: set[str] = field(default_factory=set)
    notation: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=lambda: set(_COMPARISONS))
    relations: set[Name] = field(default_factory=set)


def of_statement(sql: str) -> Uses:
    """What one statement of a step uses. Raises Refused, saying why, when it is not one reading statement."""
    statements = parse(sql)
    if len(statements) != 1:
        raise Refused("it is not a statement" if not statements else f"it is {len(statements)} statements, not one")
    uses = Uses()
    _top(statements[0], uses, inside=False)
    return uses


def of_function_body(body: str) -> Uses:
    """What the statements of a function in SQL use; each must only read."""
    uses = Uses()
    text = body.strip()
    if text[:6].upper() == "RETURN":
        return of_expression(text[6:].rstrip("; \n"))
    if re.match(r"BEGIN\s+ATOMIC\b", text, re.IGNORECASE):
        text = re.sub(r"^BEGIN\s+ATOMIC|\bEND\s*;?$", "", text, flags=re.IGNORECASE)
    for statement in parse(text):
        _top(statement, uses, inside=True)
    return uses


def of_expression(text: str) -> Uses:
    """What an expression uses: a policy, a default, an index's."""
    uses = Uses()
    for statement in parse(text, Mode.EXPRESSION):
        _walk(statement, uses)
    return uses


def of_plpgsql(definition: str, body: str) -> Uses:
    """What a function in PL/pgSQL uses, by its CREATE FUNCTION. Raises Refused when it writes, or makes SQL itself."""
    uses = Uses()
    _plpgsql(parse_plpgsql(definition), uses)
    # a net below: every name before a bracket, should the tree leave an expression out
    uses.functions |= {("", name) for name in _before_brackets(body) if name != "set_config"}
    return uses


def _top(statement: dict[str, Any], uses: Uses, *, inside: bool) -> None:
    (kind, fields), *_ = statement.items()
    if kind == "VariableSetStmt" and inside:
        name = str(fields.get("name", ""))
        if fields.get("kind") == "VAR_SET_VALUE" and fields.get("is_local") and known.may_be_set(name, inside=True):
            return
        raise Refused(f"it sets '{name}'")
    if kind not in ("SelectStmt", "ExplainStmt", "VariableShowStmt"):
        raise Refused(f"{WORDS.get(kind, kind.removesuffix('Stmt'))} is not a reading statement")
    _walk(statement, uses)


def _walk(tree: Any, uses: Uses) -> None:
    """Every node below, without recursion: a tree may be deep."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            for key, value in node.items():
                if key[:1].isupper():
                    _node(key, value, uses)
                elif key == "intoClause":
                    raise Refused("SELECT INTO makes a table")
                elif key == "lockingClause":
                    raise Refused("FOR UPDATE or FOR SHARE locks production's rows")
                elif key == "useOp":
                    uses.operators.add(_last(value))
                pending.append(value)


def _node(kind: str, fields: Any, uses: Uses) -> None:
    if kind not in _NODES and kind != "PLAssignStmt":
        raise Refused(f"{WORDS.get(kind, kind)} is not allowed in a reading statement")
    if kind.startswith("Json"):
        uses.shadows.update(_JSON_WORDS)
    if kind == "FuncCall":
        _call(fields, uses)
    elif kind == "ColumnRef":
        names = fields.get("fields", ())
        if len(names) > 1 and "String" in names[-1]:
            uses.notation.add(_text(names[-1]))
    elif kind in ("A_Indirection", "PLAssignStmt"):
        uses.notation.update(_text(one) for one in fields.get("indirection", ()) if "String" in one)
    elif kind == "A_Expr":
        uses.operators.add(_last(fields.get("name", ())))
        if "LIKE" in str(fields.get("kind")):
            uses.operators.update(("~~", "!~~", "~~*", "!~~*"))
    elif kind == "SubLink" and fields.get("operName"):
        uses.operators.add(_last(fields["operName"]))
    elif kind == "RangeVar":
        uses.relations.add((str(fields.get("schemaname", "")), str(fields.get("relname", ""))))
    elif kind == "RangeTableSample":
        uses.functions.add(_name(fields.get("method", ())))


def _call(fields: dict[str, Any], uses: Uses) -> None:
    schema, name = _name(fields.get("funcname", ()))
    if name == "set_config" and schema in ("", "pg_catalog"):
        # an application's own settings, and the planner's, by a name that is written there
        arguments = fields.get("args", ())
        wanted = _constant(arguments[0]) if arguments else None
        if wanted is not None and known.may_be_set(wanted, inside=True):
            uses.shadows.add(name)
            return
    uses.functions.add((schema, name))


def _plpgsql(tree: Any, uses: Uses) -> None:
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
            continue
        if not isinstance(node, dict):
            continue
        for key, value in node.items():
            kind = key.removeprefix("PLpgSQL_stmt_") if key.startswith("PLpgSQL_stmt_") else "block"
            if key == "dynquery" or kind in ("dynexecute", "dynfors"):
                raise Refused("it makes SQL out of text and runs it")
            if kind not in _BLOCKS:
                raise Refused(f"it has a statement of the kind {kind.upper()}")
            if key == "PLpgSQL_expr":
                _expression(value, uses)
            else:
                pending.append(value)


def _expression(fields: dict[str, Any], uses: Uses) -> None:
    text, mode = str(fields.get("query", "")), Mode(int(fields.get("parseMode", 0)))
    for statement in parse(text, mode):
        if mode is Mode.STATEMENTS:
            _top(statement, uses, inside=True)
        else:
            _walk(statement, uses)


def _before_brackets(body: str) -> Iterator[str]:
    before = ""
    for token in tokens(body, placeholders=False):
        if token.kind in (Kind.SPACE, Kind.COMMENT):
            continue
        if token.text == "(" and before:
            yield before
        if token.kind is Kind.WORD:
            before = token.text.lower()
        elif token.kind is Kind.QUOTED and token.text.startswith('"'):
            before = token.text[1:-1].replace('""', '"')
        else:
            before = ""


def _constant(node: Any) -> str | None:
    while isinstance(node, dict) and "TypeCast" in node:
        node = node["TypeCast"].get("arg")
    if isinstance(node, dict) and "A_Const" in node and "sval" in node["A_Const"]:
        return str(node["A_Const"]["sval"].get("sval", ""))
    return None


def _text(node: Any) -> str:
    return str(node.get("String", {}).get("sval", ""))


def _last(names: Any) -> str:
    return _text(names[-1]) if names else ""


def _name(names: Any) -> Name:
    texts = [_text(one) for one in names]
    return (texts[-2] if len(texts) > 1 else "", texts[-1]) if texts else ("", "")
