"""Pages are written, or take an earlier file's blocks: the bytes are the same either way."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from envclone.stores.postgres.format.segments import Extent
from envclone.stores.postgres.write.inplace import sharing

SIZE, PAGES, BEFORE = 8192, 10, 2


@pytest.mark.parametrize("refused_at", [None, 0, 1])
@pytest.mark.parametrize("length", [None, 0, 5 * SIZE + 17])
def test_the_file_holds_the_pages_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused_at: int | None, length: int | None
) -> None:
    """`length` of the earlier file: that of all, none at all, one that ends inside a page."""
    calls: list[tuple[int, int]] = []

    def share(source: int, target: int, offset: int, size: int) -> bool:
        calls.append((offset, size))
        if refused_at is not None and len(calls) > refused_at:
            return False
        os.pwrite(target, os.pread(source, size, offset), offset)
        return True

    monkeypatch.setattr(sharing, "share_range", share)
    generator = np.random.default_rng(7)
    old, new, earlier = (generator.integers(0, 256, (BEFORE + PAGES, SIZE), np.uint8) for _ in range(3))
    numbers = np.array([0, 1, 2, 5, 6, 8])
    pages = old[BEFORE:].copy()
    pages[numbers] = new[BEFORE:][numbers]
    alike = [1, 2, 5, 8]
    earlier[BEFORE:][alike] = pages[alike]
    earlier[BEFORE + 3] = old[BEFORE + 3]  # it is the same, and was not to be written
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    file = tmp_path / "one" / "16385"
    file.write_bytes(old.tobytes())
    if length != 0:
        (tmp_path / "other" / "16385").write_bytes(earlier.tobytes()[:length])
    extent = Extent(file, BEFORE * SIZE, PAGES, BEFORE)
    shared = sharing.put(extent, pages, numbers, tmp_path / "other")
    assert file.read_bytes() == old[:BEFORE].tobytes() + pages.tobytes()
    runs = [(1, 2), (5, 1), (8, 1)] if length is None else [(1, 2)] if length else []
    assert calls == [((BEFORE + f) * SIZE, n * SIZE) for f, n in runs[: None if refused_at is None else refused_at + 1]]
    assert shared == sum(n for _, n in (runs if refused_at is None else runs[:refused_at]))


def test_without_an_earlier_image_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "16385"
    file.write_bytes(bytes(4 * SIZE))
    pages = np.ones((4, SIZE), np.uint8)
    assert sharing.put(Extent(file, 0, 4, 0), pages, np.array([1, 3]), None) == 0
    assert file.read_bytes() == b"".join(bytes([i % 2]) * SIZE for i in range(4))


def test_a_link_in_the_earlier_image_is_not_followed(tmp_path: Path) -> None:
    file, other = tmp_path / "16385", tmp_path / "other"
    other.mkdir()
    file.write_bytes(bytes(2 * SIZE))
    (other / "16385").symlink_to("/dev/zero")
    assert sharing.put(Extent(file, 0, 2, 0), np.ones((2, SIZE), np.uint8), np.array([0]), other) == 0
