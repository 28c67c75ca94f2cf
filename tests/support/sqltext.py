"""Every SQL text in Python files, and what in it names no schema: relations, functions, types, operators."""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pglast.parser import ParseError, parse_sql_json

__all__ = ["SqlText", "Unparsed", "collect", "unqualified"]

_STARTS = re.compile(
    r"\s*(SELECT|WITH|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|SET|GRANT|REVOKE|COPY|BEGIN|SHOW|DECLARE|FETCH"
    r"|ANALYZE|VACUUM|TRUNCATE|DO|CALL|EXPLAIN|REFRESH|LOCK|RESET|CHECKPOINT|REINDEX|CLUSTER|COMMENT ON|\{\w*\} ROLE"
    r"|ROLLBACK|COMMIT)(\s+[\w\"({%*'.]|\s*;|\s*$)"
)
_MARKS = re.compile(
    r"\bpg_catalog\.|\bOPERATOR\(|\w::[a-z{]|\b(FROM|JOIN) (pg_|\{|ONLY )|%s::|\bSELECT \w.* FROM "
    r"|\b(NOT )?(IN|LIKE|ANY|BETWEEN) [('{%]|\bIS (NOT )?(NULL|DISTINCT)\b"
)
_TRIVIAL = re.compile(r"[\s,;()|]*|\s*(AND|OR|UNION ALL|ONLY|PUBLIC|ALTER|CREATE)\s*")
_FORMAT = re.compile(r"\{\w*\}")
_PARAMETER = re.compile(r"%\(\w+\)s|%[stb]|%%")
_CALLS = {"execute", "executemany", "copy", "SQL", "stream"}

_CONTEXTS = (
    "{}", "UPDATE s.t SET {}", "SELECT {}", "SELECT 1 {}", "SELECT 1 FROM s.t {}", "SELECT 1 FROM s.t WHERE true {}",
    "SELECT 1 FROM {}", "SELECT 1::{}", "CREATE TABLE s.t ({})", "ALTER TABLE s.t {}", "CREATE TABLE s.t {}",
    "WITH {} SELECT 1", "SELECT x OPERATOR(s.=) {}", "ALTER ROLE r {}",
)  # fmt: skip
"""What stands around a part that is not a statement of its own."""

_HOLES = (
    "zz.zz",
    "zz",
    "(zz)",
    "1",
    "'zz'",
    "zz = zz",
    "SELECT zz.zz",
    "ALTER",
    "GRANT",
    "OPERATOR(zz.=)",
    "=",
    "zz.zz AS zz",
    "",
)
"""What stands for something that is put in later: a name, an expression, a number, a word, nothing."""

_HINTS = {
    "{column}": ("zz",),
    "{expression}": ("zz",),
    "{operator}": ("OPERATOR(zz.=)",),
    "{symbol}": ("=",),
    "{type}": ("zz.zz",),
    "{verb}": ("ALTER",),
}
"""What stands for a hole whose name says what it is."""

_REG = {"regclass", "regproc", "regprocedure", "regtype", "regoper", "regoperator", "regcollation", "regconfig"}
_NAMED = {"to_regclass", "to_regtype", "to_regproc", "to_regprocedure", "to_regoper", "to_regcollation"}


_SHAPES = {"relname": "RangeVar", "typemod": "TypeName", "collname": "CollateClause", "objname": "ObjectWithArgs"}


class Unparsed(Exception):
    """An SQL text, or what looks like one, that PostgreSQL's parser refuses in every context."""


@dataclass(frozen=True, slots=True)
class SqlText:
    """One SQL text of a file, with `{}` where something is put in later; `sure` when it is given to the driver."""

    file: Path
    line: int
    text: str
    sure: bool


def collect(path: Path) -> list[SqlText]:
    """The SQL texts of a Python file: what is executed or composed, and every constant that reads like SQL."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found: dict[tuple[int, int], SqlText] = {}
    inner: set[int] = set()
    given: set[int] = set()
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # strings that explain a constant
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and getattr(node.func, "attr", "") in _CALLS:
            for part in _branches(node.args[0]):
                given.add(id(part))
    for node in ast.walk(tree):  # breadth first: what is put together comes before its parts
        if (
            id(node) in inner
            or id(node) in docs | bare
            or not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
        ):
            continue
        text = _text(node, constants)
        if text is None:
            continue
        inner |= {id(part) for part in ast.walk(node)}
        sure = id(node) in given
        if (sure or _STARTS.match(text) or _MARKS.search(text)) and not _TRIVIAL.fullmatch(_FORMAT.sub("", text)):
            found[node.lineno, node.col_offset] = SqlText(path, node.lineno, text, sure)
    return [found[place] for place in sorted(found)]


def unqualified(text: str) -> list[str]:
    """What a text looks up by way of the search path, described; raises Unparsed when it cannot be parsed."""
    tree = _parse(_PARAMETER.sub(lambda match: "%" if match[0] == "%%" else "$1", text))
    ctes = {node["ctename"] for kind, node in _nodes(tree) if kind == "CommonTableExpr"}
    return sorted({problem for kind, node in _nodes(tree) for problem in _judge(kind, node, ctes)})


def _branches(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from _branches(node.body)
        yield from _branches(node.orelse)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("encode", "format"):
        yield from _branches(node.func.value)
    else:
        yield node


def _text(node: ast.expr, constants: Mapping[str, ast.expr]) -> str | None:
    """A string's text with `{}` for what is not constant; None when it is not a string."""
    if isinstance(node, ast.Constant):
        value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
        return value if isinstance(value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
                known = constants.get(part.value.id)
                parts.append((_text(known, constants) if known is not None else None) or "{}")
            else:
                parts.append("{}")
        return "".join(parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [
            _text(constants[side.id], constants) or "{}"
            if isinstance(side, ast.Name) and side.id in constants
            else _text(side, constants)
            for side in (node.left, node.right)
        ]
        return None if sides == [None, None] else "".join("{}" if side is None else side for side in sides)
    return None


def _parse(text: str) -> Any:
    """The parse tree of a statement or of a part of one, with something fitting in its holes."""
    holes = list(_FORMAT.finditer(text))
    names = list(dict.fromkeys(match[0] if match[0] != "{}" else f"{{{match.start()}}}" for match in holes))
    choices = [_HINTS.get(name, _HOLES) for name in names]
    uniform = [tuple(choice[number % len(choice)] for choice in choices) for number in range(len(_HOLES))]
    fillings = [*uniform, *(itertools.product(*choices) if len(names) <= 3 else ())]
    wholes = [_filled(text, dict(zip(names, filling, strict=True))) for filling in fillings]
    contexts = ("SELECT x {} x",) if text.startswith("OPERATOR(") else _CONTEXTS
    for context, whole in itertools.product(contexts, wholes):
        with contextlib.suppress(ParseError):
            return json.loads(parse_sql_json(context.replace("{}", whole)))
    raise Unparsed(text)


def _filled(text: str, holes: Mapping[str, str]) -> str:
    return _FORMAT.sub(lambda match: holes[match[0] if match[0] != "{}" else f"{{{match.start()}}}"], text)


def _nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every node of a parse tree with its kind."""
    if isinstance(tree, dict):
        for kind, node in tree.items():
            if isinstance(node, dict):
                # a field of one kind only shows its name instead of the kind's
                yield next((of for key, of in _SHAPES.items() if key in node), kind), node
            yield from _nodes(node)
    elif isinstance(tree, list):
        for node in tree:
            yield from _nodes(node)


def _name(parts: list[Any]) -> list[str]:
    return [part["String"]["sval"] for part in parts if "String" in part]


def _judge(kind: str, node: dict[str, Any], ctes: set[str]) -> Iterator[str]:
    if kind == "RangeVar":
        if "schemaname" not in node and node["relname"] not in ctes | {"zz"} and node.get("relpersistence") != "t":
            yield f"relation {node['relname']}"
    elif kind == "TypeName":
        if len(names := _name(node.get("names", []))) == 1 and names != ["zz"]:
            yield f"type {names[0]}"
    elif kind == "FuncCall":
        names = _name(node["funcname"])
        if len(names) == 1 and names != ["zz"]:
            yield f"function {names[0]}"
        if names[-1] in _NAMED:
            yield from _literal(node.get("args", [{}])[0])
    elif kind == "A_Expr":
        if len(names := _name(node.get("name", []))) == 1:
            yield f"operator {names[0]} ({node['kind'].removeprefix('AEXPR_')})"
    elif kind == "SubLink":
        if "testexpr" in node and len(_name(node.get("operName", []))) < 2:
            yield "operator = (IN with a query)"
    elif kind == "CaseExpr":
        if "arg" in node:
            yield "operator = (CASE with a value)"
    elif kind == "JoinExpr":
        if "usingClause" in node or node.get("isNatural"):
            yield "operator = (JOIN with USING or NATURAL)"
    elif kind == "SortBy":
        if len(_name(node.get("useOp", []))) == 1:
            yield "operator (ORDER BY USING)"
    elif kind == "CollateClause":
        if len(names := _name(node["collname"])) == 1 and names != ["zz"]:
            yield f"collation {names[0]}"
    elif kind == "IndexElem":
        if len(_name(node.get("opclass", []))) == 1:
            yield "operator class"
    elif kind == "ObjectWithArgs":
        if len(names := _name(node["objname"])) == 1 and names != ["zz"]:
            yield f"object {names[0]}"
    elif kind == "DropStmt" and node["removeType"] in ("OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_TYPE"):
        for item in node["objects"]:
            names = _name(item["List"]["items"]) if "List" in item else ["zz"]
            if len(names) == 1 and names != ["zz"]:
                yield f"object {names[0]}"
    elif kind == "TypeCast" and _name(node["typeName"].get("names", []))[-1:] in [[name] for name in _REG]:
        yield from _literal(node["arg"])


def _literal(node: dict[str, Any]) -> Iterator[str]:
    value = node.get("A_Const", {}).get("sval", {}).get("sval")
    if value is not None and "." not in value:
        yield f"name '{value}' in a literal"
