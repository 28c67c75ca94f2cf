"""Placeholders of other drivers mean what they mean there, and parameters without a place are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from envclone.errors import UsageError
from envclone.incidents.placeholders import standard


@pytest.mark.parametrize(
    ("sql", "parameters", "text", "values"),
    [
        ("SELECT a % 2, '5%', $2, $1", [1, 2], "SELECT a %% 2, '5%%', %(2)s, %(1)s", {"1": 1, "2": 2}),
        ("SELECT $1, $1", ["x"], "SELECT %(1)s, %(1)s", {"1": "x"}),
        ("SELECT :who, a::text, ':who', x[1:2]", {"who": 1}, "SELECT %(who)s, a::text, ':who', x[1:2]", {"who": 1}),
        ("SELECT x[1:n], x[m:n], f(x)[2]:n, :n", {"n": 1}, "SELECT x[1:n], x[m:n], f(x)[2]:n, %(n)s", {"n": 1}),
        ("SELECT x[:n], f(a := :n, b => :n)", {"n": 1}, "SELECT x[%(n)s], f(a := %(n)s, b => %(n)s)", {"n": 1}),
        ("SELECT a=@who, b @> c", {"who": 1}, "SELECT a=%(who)s, b @> c", {"who": 1}),
        ("SELECT ?, b=?, '?', c @? d -- ?", [1, 2], "SELECT %s, b= %s, '?', c @? d -- ?", [1, 2]),
        ("SELECT v <-> ?::vector", [[1.0]], "SELECT v <-> %s::vector", [[1.0]]),
        ("SELECT %s, a ? 'k'", [1], "SELECT %s, a ? 'k'", [1]),
        ("SELECT %(a)s, ':b'", {"a": 1}, "SELECT %(a)s, ':b'", {"a": 1}),
        ("SELECT 'x%' = a", None, "SELECT 'x%' = a", None),
        ("SELECT 1", [], "SELECT 1", []),
        ("SELECT x[:n], x[1:n], x[ :n], x[1 :n], f(x)[2]:n, a::text, f(a := 1), ':a'", None,
         "SELECT x[:n], x[1:n], x[ :n], x[1 :n], f(x)[2]:n, a::text, f(a := 1), ':a'", None),
        ("SELECT d ? 'k', d ?| array['a'], d @? '$', d ? (k)", None,
         "SELECT d ? 'k', d ?| array['a'], d @? '$', d ? (k)", None),
        ("SELECT d ? 'k', b = ?", [1], "SELECT d ? 'k', b = %s", [1]),
        ("SELECT d ? ?, '?'", ["k"], "SELECT d ? %s, '?'", ["k"]),
        ("SELECT d ?? ?, d ??| ?, d ??& c", [1, 2], "SELECT d ? %s, d ?| %s, d ?& c", [1, 2]),
        ("SELECT d ?| ?, x[?:?], ?::int[]", [1, 2, 3, 4], "SELECT d ?| %s, x[%s:%s], %s::int[]", [1, 2, 3, 4]),
        ("SELECT a%size, $1", [1], "SELECT a%%size, %(1)s", {"1": 1}),
        ("SELECT $$ $1 ? $$, E'\\'$2' /* $3 /* ? */ */, $1", [1],
         "SELECT $$ $1 ? $$, E'\\'$2' /* $3 /* ? */ */, %(1)s", {"1": 1}),
    ],
)  # fmt: skip
def test_each_form(sql: str, parameters: Any, text: str, values: Any) -> None:
    assert standard("s", sql, parameters) == (text, values)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", [1, 2]),
        ("SELECT 1", [1]),
        ("SELECT $2", [1]),
        ("SELECT $1, $3", [1, 2, 3]),
        ("SELECT :a", {"b": 1}),
        ("SELECT ':a'", {"a": 1}),
        ("SELECT :a", {"a": 1, "b": 2}),
        ("SELECT a ?| b", [1]),
        ("SELECT %(a)s, :b", {"a": 1, "b": 2}),
        ("SELECT $1", None),
        ("SELECT $1", []),
        ("SELECT $0", [1]),
        ("SELECT $1, $3", [1, 2, 3]),
        ("SELECT a = %s", None),
        ("SELECT %(a)s", {}),
        ("SELECT %s, $1", [1]),
        ("SELECT d ? k AND b = ?", [1]),
    ],
)
def test_a_parameter_without_a_place_is_refused(sql: str, parameters: Any) -> None:
    with pytest.raises(UsageError) as caught:
        standard("s", sql, parameters)
    assert "%s, $1 or ?" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("sql", "parameters", "why"),
    [
        ("SELECT $1, $3", [1, 2, 3], "there are 3 parameters, and it does not use $2"),
        ("SELECT $2", [1], "it names $2, and there is 1 parameter"),
        ("SELECT $1", None, "it names $1, and there are no parameters"),
        ("SELECT %s, $1", [1], "it mixes %s and $1"),
        ("SELECT %(a)s, %(b)s", {"a": 1}, "it names %(b)s, and there is no such parameter"),
        ("SELECT :a, :b", {"a": 1}, "it names :b, and there is no such parameter"),
        ("SELECT 1 WHERE a = :b::uuid", None, "it names :b, and there is no such parameter"),
        ("SELECT (a = ?)", None, "it has the placeholder ?, and there are no parameters"),
        ("SELECT a IN (?, ?) ", [], "it has the placeholder ?, and there are no parameters"),
        ("SELECT 1 WHERE a = ? -- all", None, "it has the placeholder ?, and there are no parameters"),
        ("SELECT d ? k, ?", [1], "has 2 placeholders, and there is 1 parameter; the operator ? of jsonb is written ??"),
    ],
)
def test_why_is_said(sql: str, parameters: Any, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        standard("s", sql, parameters)
