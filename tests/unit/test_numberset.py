"""A set of numbers in runs on the shelf holds what was put into it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envclone import numberset
from envclone.numberset import NumberSet
from envclone.shelf import Shelf


@pytest.mark.parametrize("fresh", [1, 7, 100])
@pytest.mark.parametrize("at_once", [1, 3, 1 << 16])
def test_it_holds_what_was_put_into_it(
    fresh: int, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numberset, "_FRESH", fresh)
    monkeypatch.setattr(numberset, "_AT_ONCE", at_once)
    draw = np.random.default_rng(fresh)
    held, wanted = NumberSet(Shelf(tmp_path)), set[int]()
    for size in (0, 1, 5, 60, 2, 300, 1):
        some = draw.integers(0, 1000, size, dtype=np.uint64).tolist()
        some.append((1 << 64) - 1 - size)
        held.add(some)
        wanted.update(some)
    assert all(one in held for one in wanted)
    assert not any(one in held for one in [*(set(range(1000)) - wanted), (1 << 64) - 9, 1 << 63])
    assert list(tmp_path.iterdir()) == []


def test_runs_are_few_and_hold_each_number_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numberset, "_FRESH", 16)
    held = NumberSet()
    for _ in range(2):
        for first in range(0, 4000, 10):
            held.add(range(first, first + 10))
    assert len(held._runs) <= 10
    assert sum(map(len, held._runs)) < 2 * 4000


def test_most_of_it_takes_no_memory(tmp_path: Path) -> None:
    def own() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))

    shelf = Shelf(tmp_path)
    held, before = NumberSet(shelf), own()
    for first in range(0, 1_000_000, 10_000):
        held.add(range(first << 20, first + 10_000 << 20, 1 << 20))
    shelf.put_away()
    assert own() - before < 5_000  # kB; as a set of objects it would take 90 MB
    assert 999_999 << 20 in held and 1 not in held
