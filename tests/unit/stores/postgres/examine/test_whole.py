"""A statement that puts searches together is changed as one, in each of its queries."""

from __future__ import annotations

import pytest

from envclone.stores.postgres.examine.whole import Whole, whole_of

HYBRID = """
WITH meant AS (SELECT id, rank() OVER (ORDER BY embedding <=> $1) AS r FROM chunks WHERE tenant_id = $2
               ORDER BY embedding <=> $1 LIMIT 20),
     said AS (SELECT id, rank() OVER (ORDER BY score DESC) AS r FROM words WHERE tenant_id = $2 AND word = $3
              ORDER BY score DESC LIMIT 20)
SELECT coalesce(meant.id, said.id) AS id FROM meant FULL JOIN said ON meant.id = said.id
ORDER BY 1.0 / (60 + meant.r) + 1.0 / (60 + said.r) DESC LIMIT 5
"""
BITS = """
SELECT id
FROM (SELECT id, embedding FROM chunks ORDER BY binary_quantize(embedding)::bit(8) <~> $1::bit(8) LIMIT 20) few
ORDER BY embedding <=> $2 LIMIT 5
"""


def _whole(sql: str, key: str | None = None) -> Whole:
    found = whole_of(sql, key)
    assert found is not None
    return found


def test_a_fusion() -> None:
    found = _whole(HYBRID)
    assert (found.key, len(found.arms), found.limit, found.reranks) == ("id", 1, "5", "")
    assert found.conditions == ("tenant_id = $2", "word = $3")
    free = found.asked(limit=9, without=["tenant_id = $2"], only=None, unlimited=False)
    assert "tenant_id" not in free and "word = $3" in free and "LIMIT 9" in free and free.count("LIMIT 20") == 2
    alone = found.asked(limit=None, without=(), only=4, unlimited=False)
    assert alone.count("ANY($4)") + alone.count("ANY ($4)") == 2 and "LIMIT 5" not in alone


def test_a_second_order_behind_few_bits() -> None:
    found = _whole(BITS)
    assert found.reranks.startswith("binary_quantize(embedding)")
    assert "LIMIT 20" not in found.asked(limit=None, without=(), only=None, unlimited=True)


def test_a_second_order_behind_a_column_of_bits() -> None:
    few = "(SELECT id, {} FROM c ORDER BY {} <~> $1 LIMIT 20) few"
    found = _whole(f"SELECT id FROM {few.format('embedding, bits', 'bits')} ORDER BY embedding <=> $2 LIMIT 5")
    assert found.reranks == "bits"
    assert _whole(f"SELECT id FROM {few.format('bits', 'bits')} ORDER BY bits <~> $2 LIMIT 5").reranks == ""


def test_what_is_excepted_is_a_condition() -> None:
    found = _whole("(SELECT id FROM c ORDER BY v <=> $1 LIMIT 9) EXCEPT (SELECT id FROM c WHERE owner_id = 2) LIMIT 5")
    assert found.conditions == ("EXCEPT SELECT id FROM c WHERE owner_id = 2",) and found.fields == (("owner_id",),)
    free = found.asked(limit=7, without=found.conditions, only=None, unlimited=False)
    assert "EXCEPT" not in free and "LIMIT 7" in free and "LIMIT 9" in free
    assert "EXCEPT" in found.asked(limit=7, without=(), only=None, unlimited=False)


def test_of_a_kind_each_is_asked_for_alone() -> None:
    first = "SELECT DISTINCT ON (doc) id, doc, v <=> $1 AS d FROM c ORDER BY doc, d"
    found = _whole(f"SELECT id FROM ({first}) t ORDER BY d LIMIT 5").asked(
        limit=None, without=(), only=2, unlimited=False
    )
    assert found.count("ANY($2)") + found.count("ANY ($2)") == 2


def test_groups() -> None:
    found = _whole("SELECT doc, min(v <=> $1) AS d FROM c WHERE lang = 'en' AND t = 2 GROUP BY doc ORDER BY d LIMIT 5")
    assert (found.key, found.arms, found.conditions) == ("doc", (), ("lang = 'en'", "t = 2"))
    assert "WHERE t = 2" in found.asked(limit=7, without=["lang = 'en'"], only=None, unlimited=False)
    first = "SELECT DISTINCT ON (doc) id, doc, v <=> $1 AS d FROM c ORDER BY doc, d"
    assert _whole(f"SELECT * FROM ({first}) t ORDER BY d LIMIT 5", "id").key == "id"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM c ORDER BY v <=> $1 LIMIT 5",
        "SELECT id FROM (SELECT id FROM c ORDER BY v <=> $1 LIMIT 5) t",
        "SELECT id FROM c ORDER BY id LIMIT 5",
        "SELECT id FROM c UNION ALL SELECT id FROM d LIMIT 5",
        "SELECT count(*) FROM c",
    ],
)
def test_what_is_none(sql: str) -> None:
    assert whole_of(sql, None) is None


@pytest.mark.parametrize("how", ["UNION ALL", "INTERSECT"])
def test_a_set_operation_is_a_whole(how: str) -> None:
    arm = "SELECT id, v <=> $1 AS d FROM c WHERE lang = '{}' ORDER BY d LIMIT 4"
    sql = f"({arm.format('en')}) {how} ({arm.format('de')}) ORDER BY d LIMIT 6"
    found = _whole(sql)
    assert (found.key, len(found.arms), found.limit) == ("id", 2, "6")
    assert found.conditions == ("lang = 'en'", "lang = 'de'")
    free = found.asked(limit=9, without=["lang = 'en'"], only=None, unlimited=False)
    assert "'en'" not in free and "'de'" in free and "LIMIT 9" in free and how in free


def test_a_place_in_an_order_is_known_as_one() -> None:
    found = _whole(
        "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY v <=> $1) AS r FROM c) x WHERE r <= 3 LIMIT 3"
    )
    assert found.ranks == {"r"}
