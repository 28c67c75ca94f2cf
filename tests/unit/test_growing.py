"""Arrays grow in place, in memory and in a file without a name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envclone.growing import Growing


@pytest.mark.parametrize("in_file", [False, True])
def test_what_was_written_stays(tmp_path: Path, in_file: bool) -> None:
    held = Growing(np.int64, 4, tmp_path if in_file else None)
    held.array[:4] = [1, 2, 3, 4]
    held.grow(100_000)
    assert len(held) >= 100_000 and held.array[:5].tolist() == [1, 2, 3, 4, 0]
    held.array[99_999] = 7
    held.put_away()
    assert held.array[99_999] == 7
    held.cut(3)
    assert held.array.tolist() == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_cut_to_nothing() -> None:
    held = Growing(np.uint8, 0)
    held.cut(0)
    assert held.array.tolist() == []


def test_an_array_in_a_cycle_is_in_no_one_s_way() -> None:
    held = Growing(np.uint8, 4)
    cycle: list[object] = [held.array]
    cycle.append(cycle)
    del cycle
    held.grow(100_000)
    assert len(held) >= 100_000
    kept = held.array
    with pytest.raises(BufferError):
        held.cut(3)
    assert len(kept) >= 100_000
