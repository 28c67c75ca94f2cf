"""Batches of columns are put together in their order, and what is not packed stays as it is."""

from __future__ import annotations

import numpy as np

from envclone.packed import Columns, merged, pack


def _batch(first: int, *, table: str = "t", others: bool = False) -> Columns:
    texts = [None if number % 3 == 1 else f"né{number}" for number in range(first, first + 4)]
    columns = {"t.a": pack(texts), "t.b": pack([str(text) for text in texts])}
    return Columns(table, pack([f"({first},{i})" for i in range(4)]), columns, {"t.c": [[1]] * 4} if others else {})


def test_batches_are_put_together_up_to_a_size() -> None:
    batches = [_batch(4 * number) for number in range(10)]
    found = list(merged(iter(batches), 400))
    assert 1 < len(found) < 10
    for address in ("t.a", "t.b"):
        every = [text for batch in found for text in batch.packed[address].texts()]
        assert every == [text for batch in batches for text in batch.packed[address].texts()]
        plain = np.concatenate([batch.packed[address].plain for batch in batches])
        assert (np.concatenate([batch.packed[address].plain for batch in found]) == plain).all()
    assert sum(map(len, found)) == 40
    assert [place for batch in found for place in batch.places.texts()][5] == "(4,1)"


def test_what_is_of_another_table_or_not_packed_stays_apart() -> None:
    batches = [_batch(0), _batch(4), _batch(8, table="u"), _batch(12, others=True), _batch(16, others=True), _batch(20)]
    found = list(merged(iter(batches)))
    assert [len(batch) for batch in found] == [8, 4, 4, 4, 4]
    assert found[2] is batches[3] and found[3] is batches[4]
