"""The text that is judged is the text that is sent."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.errors import UsageError
from envclone.stores.postgres.steps.reading.placeholders import as_sent


@pytest.mark.parametrize(
    ("sql", "values", "text", "order"),
    [
        ("SELECT '100%s' % 7", None, "SELECT '100%s' % 7", None),
        ("SELECT %s, %s", [1, 2], "SELECT $1, $2", [1, 2]),
        ("SELECT %(a)s, %(b)s, %(a)s", {"a": 1, "b": 2, "c": 3}, "SELECT $1, $2, $1", [1, 2]),
        ("SELECT 5 %% %s, 'x%%'", [1], "SELECT 5 % $1, 'x%'", [1]),
        ("SELECT %b, %t", [1, 2], "SELECT $1, $2", [1, 2]),
        ("SELECT 1", [], "SELECT 1", []),
        ("SELECT 'x%'", [], "SELECT 'x%'", None),
        ("SELECT 'x%%'", [], "SELECT 'x%'", []),
    ],
)
def test_placeholders_become_the_server_s(sql: str, values: Any, text: str, order: Any) -> None:
    assert as_sent("s", sql, values) == (text, order)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT %s", []),
        ("SELECT %s", [1, 2]),
        ("SELECT %(a)s", {}),
        ("SELECT %(a)s", [1]),
        ("SELECT %s", {"a": 1}),
        ("SELECT %d", [1]),
        ("SELECT 'x%'", [1]),
        ("SELECT %", [1]),
    ],
)
def test_what_does_not_fit_cannot_be_sent(sql: str, values: Any) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        as_sent("s", sql, values)
