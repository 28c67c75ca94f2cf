"""Large arrays lie in files without a name, are put down, and are still there; numbers are sorted in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envclone import shelf as shelves
from envclone.shelf import Column, Shelf, Sorter


def _of_files() -> int:
    return int(Path("/proc/self/statm").read_text().split()[2]) * 4096


def test_what_is_put_away_takes_no_memory_and_is_there(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    before = _of_files()
    held = shelf.lay(np.arange(2_000_000))
    held[7] = 70
    assert not list(tmp_path.iterdir())
    shelf.put_away()
    assert _of_files() < before + 4_000_000
    assert held[7] == 70 and held[1_999_999] == 1_999_999


def test_it_rests_when_much_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_MOST", 1 << 20)
    shelf = Shelf(tmp_path)
    shelf.rest()
    held = shelf.zeros(np.uint8, 8_000_000)
    before = _of_files()
    held[:] = 1
    assert _of_files() > before + 7_000_000
    shelf.rest()
    assert _of_files() < before + 4_000_000 and held.sum() == 8_000_000


def test_twice_as_much_is_held_when_all_is_laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_MOST", 6_000_000)
    for laid in (False, True):
        shelf = Shelf(tmp_path)
        shelf.rest()
        held = shelf.zeros(np.uint8, 8_000_000)
        if laid:
            shelf.laid()
        before = _of_files()
        held[:] = 1
        shelf.rest()
        assert (_of_files() > before + 7_000_000) is laid


def test_beside_much_that_is_read_everywhere_no_more_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_MOST", 6_000_000)
    shelf = Shelf(tmp_path)
    shelf.rest()
    filters = shelf.zeros(np.uint8, 20_000_000, everywhere=True)
    held = shelf.zeros(np.uint8, 8_000_000)
    shelf.laid()
    before = _of_files()
    held[:] = 1
    shelf.rest()
    assert _of_files() < before + 4_000_000 and not filters[0]


def test_what_is_read_everywhere_stays_until_all_is_put_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_MOST", 1 << 20)
    shelf = Shelf(tmp_path)
    shelf.rest()
    held = shelf.zeros(np.uint8, 8_000_000, everywhere=True)
    before = _of_files()
    held[:] = 1
    shelf.rest()
    assert _of_files() > before + 7_000_000
    shelf.put_away()
    assert _of_files() < before + 4_000_000 and held.sum() == 8_000_000


def test_what_lies_beside_rests_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_MOST", 1 << 20)
    other = Shelf(tmp_path)
    shelf = Shelf(tmp_path, beside=other)
    shelf.rest()
    held = other.zeros(np.uint8, 8_000_000)
    before = _of_files()
    held[:] = 1
    shelf.rest()
    assert _of_files() < before + 4_000_000 and held.sum() == 8_000_000


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("few", [10, 1 << 20])
def test_numbers_are_in_order_with_their_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, once: bool, few: int
) -> None:
    monkeypatch.setattr(shelves, "_FEW", few)
    monkeypatch.setattr(shelves, "_AT_ONCE", 1000)
    draw = np.random.default_rng(5)
    for most in (3, 50, 1 << 40):
        keys, owners = draw.integers(0, most, 30_000), np.arange(30_000)
        taken = Sorter(Shelf(tmp_path), np.uint64, np.uint32)
        for first in range(0, len(keys), 7000):
            taken.add(keys[first : first + 7000], owners[first : first + 7000])
        found, whose = taken.done(once=once)
        order = np.argsort(keys, kind="stable")
        wanted = order[np.concatenate(([True], np.diff(keys[order]) != 0))] if once else order
        assert found.tolist() == keys[wanted].tolist()
        assert whose.tolist() == wanted.tolist()
    assert [len(part) for part in Sorter(Shelf(), np.int64, np.uint8).done(once=True)] == [0, 0]


def test_a_column_grows(tmp_path: Path) -> None:
    column = Column(Shelf(tmp_path), np.uint16)
    for part in range(3):
        column.extend(np.full(1000, part))
    assert len(column) == 3000 and column.array[::1000].tolist() == [0, 1, 2]


def test_what_is_sought_and_picked_is_found_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "_SMALL", 0)
    monkeypatch.setattr(shelves, "_TOUCHED", 16)
    monkeypatch.setattr(shelves, "_MOST", 1 << 20)
    shelf = Shelf(tmp_path)
    ordered = shelf.lay(np.arange(0, 4_000_000, 2))
    shelf.put_away()
    random = np.random.default_rng(1)
    wanted = random.integers(-5, 4_000_010, 3000)
    before = _of_files()
    held: list[int] = []
    rest = Shelf.rest

    def watched(one: Shelf) -> None:
        held.append(_of_files())
        rest(one)

    monkeypatch.setattr(Shelf, "rest", watched)
    places, same = shelf.sought(ordered, wanted)
    some = random.integers(0, len(ordered), 3000)
    assert (shelf.picked(ordered, some) == some * 2).all()
    assert max(held) < before + 6_000_000  # of 16 MB
    assert (places == np.searchsorted(ordered, wanted)).all()
    assert (same == ((wanted >= 0) & (wanted < 4_000_000) & (wanted % 2 == 0))).all()
