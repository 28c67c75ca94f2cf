"""A view is read as the tables that it reads, and its conditions as the statement's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from envclone.stores.postgres.examine.views import opened

VIEWS = {
    '"kb"."own"': " SELECT p.id AS passage, p.v AS meaning FROM (kb.p JOIN kb.d ON (d.id = p.doc)) WHERE p.org = 'a';",
    '"kb"."english"': " SELECT id, body, v FROM kb.p WHERE (lang = 'en'::text);",
    '"kb"."newest"': " SELECT id, v FROM kb.english WHERE (year > 2020);",
    '"kb"."counted"': " SELECT count(*) AS n, lang FROM kb.p GROUP BY lang;",
    '"kb"."numbered"': " SELECT id, row_number() OVER (ORDER BY id) AS n FROM kb.p;",
}


def _ask(text: str, given: Sequence[Any]) -> Sequence[Sequence[Any]]:
    return [[VIEWS[given[0]]]] if given[0] in VIEWS else []


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT id FROM kb.english ORDER BY v <=> $1 LIMIT 5",
         "SELECT english.id AS id FROM kb.p english WHERE english.lang = 'en'::text ORDER BY english.v <=> $1 LIMIT 5"),
        ("SELECT e.id FROM kb.english e WHERE e.body <> '' ORDER BY e.v <=> $1 LIMIT 5",
         "SELECT e.id AS id FROM kb.p e WHERE e.body <> '' AND e.lang = 'en'::text ORDER BY e.v <=> $1 LIMIT 5"),
        ("SELECT passage AS id FROM kb.own ORDER BY meaning <=> $1 LIMIT 5",
         "SELECT p.id AS id FROM kb.p JOIN kb.d ON d.id = p.doc WHERE p.org = 'a' ORDER BY p.v <=> $1 LIMIT 5"),
        ("SELECT n.id FROM kb.newest n LIMIT 5",
         "SELECT n.id AS id FROM kb.p n WHERE n.year > 2020 AND n.lang = 'en'::text LIMIT 5"),
        ("SELECT c.id FROM kb.c c JOIN (SELECT cut AS id, v FROM kb.e WHERE kind = 'a') m USING (id)"
         " ORDER BY m.v <=> $1",
         "SELECT c.id AS id FROM kb.c c JOIN kb.e m ON c.id = m.cut WHERE m.kind = 'a' ORDER BY m.v <=> $1"),
        ("SELECT s.id FROM (SELECT id, v FROM kb.p WHERE lang = 'en') s ORDER BY s.v <=> $1 LIMIT 5",
         "SELECT s.id AS id FROM kb.p s WHERE s.lang = 'en' ORDER BY s.v <=> $1 LIMIT 5"),
    ],
)  # fmt: skip
def test_a_view_that_chooses_rows_and_columns_is_opened(sql: str, read: str) -> None:
    assert opened(sql, _ask) == read


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n FROM kb.counted",
        "SELECT id FROM kb.numbered",
        "SELECT id FROM kb.p ORDER BY v <=> $1 LIMIT 5",
        "SELECT x.id FROM kb.x x LEFT JOIN kb.english e ON e.id = x.id",
        "SELECT s.id FROM (SELECT id FROM kb.p ORDER BY v <=> $1 LIMIT 9) s",
        "SELECT o.passage FROM kb.own o JOIN kb.p p ON p.id = o.passage",  # two tables would be called p
    ],
)
def test_what_a_view_computes_stays_in_it(sql: str) -> None:
    assert opened(sql, _ask) == sql
