from __future__ import annotations

from typing import Any

import pytest

from envclone.stores.postgres.steps.parameters import bind, plain


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT %s::vector",
        "SELECT %s :: public.vector(3)",
        "SELECT %s::halfvec",
        "SELECT CAST(%s AS vector(3))",
        "ORDER BY e <-> %s",
        "ORDER BY e <=> (%s)",
        "ORDER BY %s <#> e",
        "ORDER BY e OPERATOR(public.<->) %s LIMIT 1",
        "ORDER BY e <+> %s::vector LIMIT %%",
    ],
)
def test_numbers_beside_vectors_become_a_vector_s_text(sql: str) -> None:
    assert bind(sql, [[1.0, 0.25, -3]]) == ["[1,0.25,-3]"]


@pytest.mark.parametrize("sql", ["id = ANY(%s)", "%s::float8[]", "%s::vector_like", "e <-> x AND id = ANY(%s)"])
def test_other_lists_stay_arrays(sql: str) -> None:
    assert bind(sql, [[1.0, 0.25]]) == [[1.0, 0.25]]


def test_each_placeholder_is_judged_by_itself() -> None:
    sql = "SELECT id, e <-> %(q)s::vector FROM t WHERE id = ANY(%(ids)s) AND a LIKE '5%%' ORDER BY e <-> %(q)s::vector"
    assert bind(sql, {"q": [1], "ids": [1]}) == {"q": "[1]", "ids": [1]}
    assert bind("SELECT '%%', %s, %s::vector", [[2], [2]]) == [[2], "[2]"]
    assert bind("%s::vector[]", [[[1], [2]]]) == [["[1]", "[2]"]]


def test_vectors_keep_every_bit() -> None:
    values = [0.1, 1e-45, 3.4028235e38, -0.30000000000000004]
    (text,) = bind("%s::vector", [values])  # type: ignore[misc]
    assert [float(part) for part in text[1:-1].split(",")] == values


def test_documents_become_json() -> None:
    assert bind("%s", [{"ä": 1}]) == ['{"ä": 1}']
    assert bind("%s", [[{"a": 1}]]) == ['[{"a": 1}]']
    assert bind("%s", None) is None
    assert bind("%s::jsonb, CAST(%s AS json), %s::jsonb[]", [[1, "a"]] * 3) == ['[1, "a"]', '[1, "a"]', [1, "a"]]
    assert bind("%(d)s :: json->0", {"d": [1, None]}) == {"d": "[1, null]"}
    assert bind("%s", [1, 2]) == [1, 2]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (b"\x00\xff", "00ff"),
        ([1, [None, b"a"]], [1, [None, "61"]]),
        ({"a": {1: float("inf")}}, {"a": {"1": "Infinity"}}),
        (True, True),
    ],
)
def test_results_are_what_json_holds(value: Any, expected: Any) -> None:
    assert plain(value) == expected
