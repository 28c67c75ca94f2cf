"""Placeholders of other drivers mean what they mean there, and parameters without a place are refused."""

from __future__ import annotations

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
        ("SELECT a=@who, b @> c", {"who": 1}, "SELECT a=%(who)s, b @> c", {"who": 1}),
        ("SELECT ?, b=?, '?', c @? d -- ?", [1, 2], "SELECT %s, b= %s, '?', c @? d -- ?", [1, 2]),
        ("SELECT v <-> ?::vector", [[1.0]], "SELECT v <-> %s::vector", [[1.0]]),
        ("SELECT %s, a ? 'k'", [1], "SELECT %s, a ? 'k'", [1]),
        ("SELECT %(a)s, :b", {"a": 1, "b": 2}, "SELECT %(a)s, :b", {"a": 1, "b": 2}),
        ("SELECT 'x%' = ?", None, "SELECT 'x%' = ?", None),
        ("SELECT 1", [], "SELECT 1", []),
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
    ],
)
def test_a_parameter_without_a_place_is_refused(sql: str, parameters: Any) -> None:
    with pytest.raises(UsageError) as caught:
        standard("s", sql, parameters)
    assert "%s, $1 or ?" in (caught.value.hint or "")
