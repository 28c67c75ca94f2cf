"""The search in a function of the database: its body as a statement, with what it was called with in its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envclone.stores.postgres.examine import statement as pieces
from envclone.stores.postgres.examine.procedure import Followed, substituted
from envclone.stores.postgres.steps.reading.grammar import Refused, parse, parse_plpgsql

__all__ = ["Body", "Called", "called_in", "unfolded"]

_ATOMIC = re.compile(r"\s*BEGIN\s+ATOMIC\b(.*)\bEND\s*$", re.DOTALL | re.IGNORECASE)
_FUNCTION = """
    SELECT l.lanname::pg_catalog.text, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc),
           pg_catalog.pg_get_functiondef(p.oid),
           pg_catalog.to_jsonb(coalesce(p.proargnames, '{}')),
           pg_catalog.to_jsonb(coalesce(p.proargmodes::pg_catalog.text[], '{}')),
           pg_catalog.to_jsonb(ARRAY(
               SELECT pg_catalog.format_type(t, NULL)
               FROM pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::pg_catalog.oid[]))
                    WITH ORDINALITY u (t, n) ORDER BY u.n)),
           p.pronargs::pg_catalog.int4, p.pronargdefaults::pg_catalog.int4,
           pg_catalog.pg_get_expr(p.proargdefaults, 0::pg_catalog.oid),
           pg_catalog.to_jsonb(coalesce(p.proconfig, '{}'))
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
    WHERE p.proname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND p.prokind OPERATOR(pg_catalog.=) 'f'
      AND l.lanname OPERATOR(pg_catalog.=) ANY ('{sql,plpgsql}'::pg_catalog.name[])
      AND CASE WHEN $2::pg_catalog.text OPERATOR(pg_catalog.=) ''
               THEN n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false))
               ELSE n.nspname OPERATOR(pg_catalog.=) $2::pg_catalog.name END
"""

_SHORT = {"integer": "int4", "bigint": "int8", "double precision": "float8", "boolean": "bool", "real": "float4",
          "character varying": "varchar"}  # fmt: skip

Ask = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]
"""Asks the branch: a statement with `$n`, and its values; without any those of the step."""


class Called(NamedTuple):
    """A function in the FROM of a statement: its schema ('' for none), name, and arguments by position and by name."""

    schema: str
    name: str
    given: tuple[Any, ...]
    named: Mapping[str, Any]


class Body(NamedTuple):
    """What a function asks: the statement, the settings it runs under, where it stands, and what is around it."""

    sql: str
    local: dict[str, str]
    within: str
    around: tuple[str, ...] = ()


class _Function(NamedTuple):
    language: str
    source: str
    definition: str
    names: Sequence[str]
    modes: Sequence[str]
    types: Sequence[str]
    inputs: int
    optional: int
    defaults: str | None
    config: Sequence[str]


def called_in(sql: str) -> Called | None:
    """The one function that a statement reads from; None when it reads from none, or from several."""
    import postgast

    parse(sql)
    found = list(pieces.nodes(postgast.parse(sql), "RangeFunction"))
    calls = [call for one in found for call in _calls(one)] if len(found) == 1 else []
    if len(calls) != 1:
        return None
    names = [one.string.sval for one in calls[0].funcname]
    given, named = [], {}
    for one in calls[0].args:
        if one.WhichOneof("node") == "named_arg_expr":
            named[one.named_arg_expr.name] = one.named_arg_expr.arg
        else:
            given.append(one)
    return Called(names[-2] if len(names) > 1 else "", names[-1], tuple(given), named)


def unfolded(called: Called, ask: Ask) -> Iterator[Body]:
    """The search that a function runs, with its arguments in it, and the settings that it runs under.

    Of several functions of that name each that can be read, the likeliest first. Raises Refused when none is one
    statement that the grammar can read.
    """
    found = [_Function(*row) for row in ask(_FUNCTION, [called.name, called.schema])]
    many = len(called.given) + len(called.named)
    found = [one for one in found if one.inputs - one.optional <= many <= one.inputs
             and called.named.keys() <= set(one.names)]  # fmt: skip
    if not found:
        raise Refused(f"there is no function in SQL or PL/pgSQL of the name {called.name} that takes so many arguments")
    refusal, read = Refused(""), 0
    for one in sorted(found, key=lambda one: _fits(one, called), reverse=True):
        try:
            body = _read(one, called, ask)
        except Refused as exc:
            refusal = exc
            continue
        read += 1
        yield body
    if not read:
        raise refusal


def _read(one: _Function, called: Called, ask: Ask) -> Body:
    arguments = dict(_arguments(one, called))
    local = {name: value.strip('"') for name, _, value in (setting.partition("=") for setting in one.config)}
    if one.language == "plpgsql" and _fixed(one) is None:
        followed = Followed(parse_plpgsql(one.definition), called.name, arguments, lambda text: ask(text, []))
        if not followed.queries:
            raise Refused("its function in PL/pgSQL returns no query")
        text = (
            " UNION ALL ".join(f"({one})" for one in followed.queries) if followed.queries[1:] else followed.queries[0]
        )
        lines = ", ".join(str(line) for line in dict.fromkeys(followed.lines) if line)
        within = f"the function {called.name}{f', line {lines}' if lines else ''}"
        return Body(_named(text, _outputs(one)), {**local, **followed.settings}, within, tuple(followed.around))
    text = _named(substituted(_body(one), called.name, arguments), _outputs(one))
    return Body(text, local, f"the function {called.name}")


def _fits(function: _Function, called: Called) -> int:
    """How well what is given looks like what a function takes."""
    inputs = [kind for _, kind in _inputs(function)]
    score = -abs(len(inputs) - len(called.given) - len(called.named))
    for node, kind in zip(called.given, inputs, strict=False):
        what = node.WhichOneof("node")
        cast = node.type_cast.type_name.names[-1].string.sval if what == "type_cast" else ""
        number = what == "a_const" and node.a_const.WhichOneof("val") in ("ival", "fval")
        numeric = kind in ("integer", "bigint", "smallint", "numeric", "double precision", "real")
        score += 4 * (bool(cast) and cast in (kind, _SHORT.get(kind))) + 2 * (number == numeric)
    return score


def _calls(ranged: Any) -> Iterator[Any]:
    """The call that a function in FROM is, not those in its arguments."""
    for one in ranged.functions:
        item = one.list.items[0] if one.WhichOneof("node") == "list" and len(one.list.items) else one
        if item.WhichOneof("node") == "func_call":
            yield item.func_call


def _inputs(function: _Function) -> list[tuple[str, str]]:
    """The names and types of what is given to it."""
    names = [*function.names, *[""] * (len(function.types) - len(function.names))]
    modes = function.modes or ["i"] * len(function.types)
    return [(name, kind) for name, kind, mode in zip(names, function.types, modes, strict=False) if mode in "ibv"]


def _outputs(function: _Function) -> list[str]:
    modes = function.modes or []
    return [name for name, mode in zip(function.names, modes, strict=False) if mode in "to"]


def _arguments(function: _Function, called: Called) -> Iterator[tuple[str, str]]:
    """Each argument as an expression of its type, by its name and by its number."""
    inputs = _inputs(function)
    usual = _defaults(function.defaults) if function.defaults else []
    for number, (name, kind) in enumerate(inputs):
        if number < len(called.given):
            value = pieces.text(called.given[number])
        elif name in called.named:
            value = pieces.text(called.named[name])
        else:
            place = number - (len(inputs) - len(usual))
            if place < 0:
                raise Refused(f"{called.name} is called without its argument {name or number + 1}")
            value = usual[place]
        yield str(number + 1), f"({value})::{kind}"
        if name:
            yield name, f"({value})::{kind}"


def _defaults(text: str) -> list[str]:
    import postgast

    row = postgast.parse(f"SELECT {text}").stmts[0].stmt.select_stmt.target_list
    return [pieces.text(one.res_target.val) for one in row]


def _body(function: _Function) -> str:
    """The one statement that gives its result."""
    import postgast

    if function.language == "plpgsql":
        return _fixed(function) or ""
    match = _ATOMIC.match(function.source)
    text = match[1] if match else function.source
    parse(text)
    tree = postgast.parse(text)
    if not len(tree.stmts) or tree.stmts[-1].stmt.WhichOneof("node") != "select_stmt":
        raise Refused("its function does not end in a SELECT")
    del tree.stmts[:-1]
    return str(postgast.deparse(tree))


def _fixed(function: _Function) -> str | None:
    """The one RETURN QUERY of a fixed text of a body that does nothing else; None when it has another."""
    function_tree = parse_plpgsql(function.definition)[0]["PLpgSQL_function"]
    body = function_tree["action"]["PLpgSQL_stmt_block"].get("body", ())
    kinds = [next(iter(one)) for one in body if "PLpgSQL_stmt_return" not in one]
    query = (
        body[0].get("PLpgSQL_stmt_return_query", {}).get("query") if kinds == ["PLpgSQL_stmt_return_query"] else None
    )
    return str(query["PLpgSQL_expr"]["query"]) if query else None


def _named(sql: str, outputs: Sequence[str]) -> str:
    """A statement whose columns are named as the function's are."""
    import postgast

    parse(sql)
    tree = postgast.parse(sql)
    for top in pieces.selects(tree):  # of a set operation the first names them
        if outputs and len(top.target_list) == len(outputs):
            for target, output in zip(top.target_list, outputs, strict=True):
                target.res_target.name = output
        break
    return str(postgast.deparse(tree))
