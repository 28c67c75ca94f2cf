"""The search in a function, with what it was called with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from envclone.stores.postgres.examine.functions import called_in, unfolded
from envclone.stores.postgres.steps.reading.grammar import Refused

BODY = (
    "SELECT c.id, 1 - (c.v <=> query) FROM c WHERE c.owner = match.owner ORDER BY c.v <=> query LIMIT least(many, 50)"
)
PLPGSQL = f"""CREATE FUNCTION match(query vector, owner integer, many integer)
RETURNS TABLE (id bigint, near float8) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY {BODY};
END $$"""


def _row(language: str = "sql", source: str = BODY, definition: str = PLPGSQL, **given: Any) -> list[Any]:
    made = {
        "names": ["query", "owner", "many", "id", "near"], "modes": ["i", "i", "i", "t", "t"],
        "types": ["vector", "integer", "integer", "bigint", "float8"], "inputs": 3, "optional": 1, "defaults": "7",
        "config": ["hnsw.ef_search=200"], **given,
    }  # fmt: skip
    return [language, source, definition, *made.values()]


def _unfolded(sql: str, *rows: list[Any]) -> tuple[str, dict[str, str]]:
    called = called_in(sql)
    assert called is not None

    def ask(text: str, given: Sequence[Any]) -> Sequence[Sequence[Any]]:
        assert given == [called.name, called.schema]
        return rows

    return unfolded(called, ask)


@pytest.mark.parametrize("row", [_row(), _row("plpgsql"), _row(source=f"BEGIN ATOMIC\n {BODY};\nEND")])
def test_arguments_stand_in_the_body(row: list[Any]) -> None:
    text, settings = _unfolded("SELECT * FROM match($1, $2)", row)
    assert settings == {"hnsw.ef_search": "200"}
    assert "ORDER BY c.v <=> $1::vector" in text and "c.owner = $2::int" in text
    assert "LEAST(7::int, 50)" in text and " AS near" in text and "query" not in text


def test_arguments_by_name_and_by_number() -> None:
    text, _ = _unfolded("SELECT id FROM app.match(many => 3, query => $1, owner => 4) m", _row())
    assert "LEAST(3::int, 50)" in text and "c.owner = 4::int" in text
    text, _ = _unfolded("SELECT * FROM match($2, $1)", _row(source="SELECT id FROM c ORDER BY v <=> $1 LIMIT $3"))
    assert "v <=> $2::vector LIMIT 7::int" in text


def test_what_cannot_be_read_is_said() -> None:
    dynamic = PLPGSQL.replace(f"RETURN QUERY {BODY};", "RETURN QUERY EXECUTE 'SELECT 1';")
    for rows, why in (
        ([], "no function"),
        ([_row(), _row()], "2 functions"),
        ([_row("plpgsql", definition=dynamic)], "RETURN QUERY"),
        ([_row(source="DELETE FROM c")], "SELECT"),
    ):
        with pytest.raises(Refused, match=why):
            _unfolded("SELECT * FROM match($1, 2)", *rows)
    assert called_in("SELECT id FROM c ORDER BY v <=> $1 LIMIT 5") is None
    assert called_in("SELECT * FROM f(1), g(2)") is None
