"""The form in which two values of a column are equal: what means the same, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest

from envclone.models import FieldKind
from envclone.stores.postgres.catalog.tables import Column
from envclone.stores.postgres.prove.digest import canonical


def _column(kind: FieldKind, base: str) -> Column:
    return Column("c", base, kind, True, False, False, False, False, True, base)


JSON, JSONB = _column(FieldKind.JSON, "json"), _column(FieldKind.JSON, "jsonb")
ARRAY, TEXT = _column(FieldKind.ARRAY, "text[]"), _column(FieldKind.TEXT, "text")
SAME: Sequence[tuple[Column, Any, Any]] = [
    (JSON, '{"a": 1, "b": [true, null]}', '{"a":1,"b":[ true,null ]}'),
    (JSON, '"\\u00e9"', '"\u00e9"'),
    (JSONB, '{"a": 1, "b": {"c": 2, "d": 3}}', '{"b": {"d": 3, "c": 2}, "a": 1}'),
    (JSONB, '{"a": 1, "a": 2}', '{"a": 2}'),
]
"""Documents that say the same: blanks, escapes; of jsonb the order of members, and of equal keys the last one."""
OTHER: Sequence[tuple[Column, Sequence[Any]]] = [
    (JSONB, [None, "null", "0", "-0", "1.10", "1.1", "11e-1", '"1.1"', "true", "false", '"true"', '""', "[]", "{}"]),
    (JSONB, ['{"a": null}', '{"a": 1}', '{"a": "1"}', '{"b": 1}', '{"a": [1]}', '{"a": {"n": "1"}}', '[["a", 1]]']),
    (JSONB, ["[1, 2]", "[2, 1]", "[1]", "[1, 2, 2]", '[["n", "1"], 2]', '[{"n": "1"}, 2]', '{"o": [["a", 1]]}']),
    (JSONB, ['{"n": "1"}', "1", '{"o": []}', "{}", '{"a": {"b": 1}}', '{"a": {"b": 2}}', '{"a": {}}']),
    (JSON, ['{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1, "a": 1, "b": 2}', '{"a": 3, "a": 1, "b": 2}']),
    (ARRAY, [None, [], [None], [""], ["a"], ["a", "a"], ["a", None], [None, "a"], ["a,a"], [["a"]]]),
    (TEXT, [None, "", "\0", "a", "a ", "A", "\u00e9", "e\u0301", "\\u00e9"]),
]
"""Values of which no two mean the same."""


@pytest.mark.parametrize(("column", "one", "other"), SAME)
def test_what_means_the_same_is_equal(column: Column, one: Any, other: Any) -> None:
    form = canonical(column)
    assert form(one) == form(other)


@pytest.mark.parametrize(("column", "values"), OTHER)
def test_what_means_something_else_is_not(column: Column, values: Sequence[Any]) -> None:
    form = canonical(column)
    assert [(one, other) for one, other in combinations(values, 2) if form(one) == form(other)] == []
