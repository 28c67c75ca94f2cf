from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone import distinct as module
from envclone import shelf as shelves
from envclone.compiled import available
from envclone.distinct import Distinct
from envclone.packed import pack
from envclone.shelf import Shelf


@given(st.lists(st.lists(st.text(max_size=4), max_size=30), max_size=20))
def test_each_text_once_in_the_order_of_its_coming(batches: list[list[str]]) -> None:
    distinct = Distinct()
    expected: dict[str, None] = {}
    for batch in batches:
        new = distinct.add(batch)
        assert new == list(dict.fromkeys(text for text in batch if text not in expected))
        expected.update(dict.fromkeys(batch))
    assert list(distinct) == list(expected)
    assert len(distinct) == len(expected)
    assert all(distinct[i] == text for i, text in enumerate(expected))


@given(st.lists(st.lists(st.text(max_size=3), max_size=60), max_size=12))
def test_a_table_in_parts_tells_the_same_texts(batches: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_PART", 16)
        patched.setattr(module, "_FIRST", 8)
        distinct, known = Distinct(), dict[str, int]()
        for batch in batches:
            before = len(distinct)
            numbers = distinct.take(pack(batch)).tolist()
            assert {number for number in numbers if number >= before} == set(range(before, len(distinct)))
            for text, number in zip(batch, numbers, strict=True):
                assert known.setdefault(text, number) == number == distinct.numbers(pack([text]))[0]
        assert [distinct[number] for number in known.values()] == list(known) and len(known) == len(distinct)


@pytest.mark.skipif(not available(), reason="without compiled loops texts are held as objects")
def test_the_table_of_many_texts_is_in_memory_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", 1 << 14)
    monkeypatch.setattr(module, "_REFILLED", 1 << 14)
    monkeypatch.setattr(shelves, "_MOST", 1 << 20)
    held: list[int] = []
    rest = Shelf.rest

    def watched(shelf: Shelf) -> None:
        held.append(shelves._of_files())
        rest(shelf)

    monkeypatch.setattr(Shelf, "rest", watched)
    distinct = Distinct(Shelf(tmp_path))
    distinct.take(pack(["one"]))
    before, held = held[-1], []
    for first in range(0, 600_000, 4096):
        distinct.take(pack([f"{number:x}" for number in range(first, first + 4096)]))
    assert len(distinct) > 590_000
    assert max(held) < before + 6_000_000  # the table has 8 MB, the texts and where they end as many
