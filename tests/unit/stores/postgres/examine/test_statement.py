"""Searches in recorded statements, cut into pieces."""

from __future__ import annotations

import pytest

from envclone.stores.postgres.examine.joined import separated
from envclone.stores.postgres.examine.statement import compared_of, inlined, renumbered, search_of
from envclone.stores.postgres.steps.reading.grammar import Refused


def test_the_pieces_of_a_search() -> None:
    found = search_of(
        "SELECT c.id, 1 - (c.embedding <=> $1) AS score FROM chunks c JOIN docs d ON d.id = c.doc"
        " WHERE d.tenant = $2 AND (a OR b) AND c.x = d.y ORDER BY score DESC LIMIT $3 OFFSET 2",
        "id",
    )
    assert (found.key, found.vector, found.qualifier, found.asked) == ("c.id", "embedding", "c", "$1")
    assert (found.limit, found.offset, found.descending) == ("$3", "2", True)
    assert found.conditions == ("d.tenant = $2", "a OR b") and found.fields == (("tenant", "docs.tenant"), ("a", "b"))
    assert found.joins == ("c.x = d.y",), "a join's condition stays"
    assert found.relations == (("", "chunks", "c"), ("", "docs", "d"))


def test_a_search_inside_another_statement() -> None:
    found = search_of(
        "WITH n AS (SELECT id FROM t ORDER BY e <-> $1::vector LIMIT 5) SELECT * FROM n JOIN u ON true", None
    )
    assert (found.key, found.tables, found.limit) == ("id", "t", "5")


def test_the_query_that_compares_vectors_in_groups() -> None:
    found = compared_of("SELECT doc, min(e <=> $1) AS d FROM t WHERE lang = 'en' GROUP BY doc ORDER BY d LIMIT 5", None)
    assert (found.key, found.vector, found.score, found.tables) == ("doc", "e", "e <=> $1", "t")
    inner = "SELECT DISTINCT ON (doc) doc, e <=> $1 AS d FROM t ORDER BY doc, d"
    assert compared_of(f"SELECT doc FROM ({inner}) best ORDER BY d LIMIT 5", None).key == "doc"
    with pytest.raises(Refused):
        compared_of("SELECT id FROM t ORDER BY id LIMIT 5", None)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM t ORDER BY id LIMIT 5",
        "SELECT id FROM t ORDER BY e <-> $1",
        "SELECT doc FROM t GROUP BY doc ORDER BY min(e <-> $1) LIMIT 5",
        "SELECT * FROM match_documents($1, 5)",
        "not SQL at all",
    ],
)
def test_what_is_no_search_is_refused(sql: str) -> None:
    with pytest.raises(Refused):
        search_of(sql, None)


def test_parameters_are_numbered_again_or_written_in() -> None:
    assert renumbered("SELECT a FROM b WHERE c = $3 AND d = $1 AND e = $3", [1, 2, "x"]) == (
        "SELECT a FROM b WHERE c = $1 AND d = $2 AND e = $1",
        ["x", 1],
    )
    text = inlined("SELECT $1::vector, $2, $3, $4, $5", ["[1,2]", 7, "it's", None, ["a", 2]])
    assert text == "SELECT '[1,2]'::vector, 7, 'it''s', NULL, '{a,2}'"


def test_what_a_join_asks_of_one_table_is_a_condition() -> None:
    sql = "SELECT p.id FROM p JOIN t ON t.id = p.tenant AND t.slug = $2 ORDER BY p.v <=> $1 LIMIT 5"
    found = search_of(separated(sql), "id")
    assert found.conditions == ("t.slug = $2",) and "slug" not in found.tables
    assert found.fields == (("slug", "t.slug"),)
    left = sql.replace("JOIN", "LEFT JOIN")
    assert separated(left) == left


def test_a_query_within_a_condition_is_no_join() -> None:
    absent = "NOT EXISTS (SELECT FROM b WHERE b.p = p.id)"
    found = search_of(f"SELECT p.id FROM p WHERE {absent} ORDER BY p.v <=> $1 LIMIT 5", "id")
    assert found.joins == () and len(found.conditions) == 1
