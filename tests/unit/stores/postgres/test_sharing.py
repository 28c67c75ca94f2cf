"""Pages are written, or take an earlier file's blocks: the bytes are the same either way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envclone.stores.postgres import sharing

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
    shared = sharing.put(file, BEFORE * SIZE, numbers, pages[numbers], tmp_path / "other")
    assert file.read_bytes() == old[:BEFORE].tobytes() + pages.tobytes()
    runs = [(1, 2), (5, 1), (8, 1)] if length is None else [(1, 2)] if length else []
    assert calls == [((BEFORE + f) * SIZE, n * SIZE) for f, n in runs[: None if refused_at is None else refused_at + 1]]
    assert shared == sum(n for _, n in (runs if refused_at is None else runs[:refused_at]))


def test_without_an_earlier_image_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "16385"
    file.write_bytes(bytes(4 * SIZE))
    pages = np.ones((4, SIZE), np.uint8)
    assert sharing.put(file, 0, np.array([1, 3]), pages[:2]) == 0
    assert file.read_bytes() == b"".join(bytes([i % 2]) * SIZE for i in range(4))


@pytest.mark.parametrize("what", ["link", "folder", "pipe"])
def test_what_is_no_file_in_the_earlier_image_is_not_read(tmp_path: Path, what: str) -> None:
    file, other = tmp_path / "16385", tmp_path / "other"
    other.mkdir()
    file.write_bytes(bytes(2 * SIZE))
    if what == "link":
        (other / "16385").symlink_to("/dev/zero")
    elif what == "folder":
        (other / "16385").mkdir()
    else:
        os.mkfifo(other / "16385")
    assert sharing.put(file, 0, np.array([0]), np.ones((1, SIZE), np.uint8), other) == 0


def test_what_becomes_the_same_later_takes_its_form_at_once_or_is_written_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "16385", tmp_path / "other"
    other.mkdir()
    (other / "16385").write_bytes(b"a" * SIZE + b"x" * SIZE + b"c" * SIZE + b"d" * SIZE)
    pages = np.repeat(np.frombuffer(b"aBCD", np.uint8), SIZE).reshape(4, SIZE)
    asked: list[list[int]] = []

    def later(some: Any, numbers: Any) -> Any:
        asked.append(numbers.tolist())
        return some | 0x20

    for able, left in ((True, b"aBcd"), (False, b"aBCD")):
        file.write_bytes(bytes(4 * SIZE))

        def share(source: int, target: int, offset: int, size: int, able: bool = able) -> bool:
            return able and os.pwrite(target, os.pread(source, size, offset), offset) == size

        monkeypatch.setattr(sharing, "share_range", share)
        assert sharing.put(file, 0, np.arange(4), pages, other, later) == 3 * able
        assert file.read_bytes() == b"".join(bytes([one]) * SIZE for one in left)
    assert asked == [[1, 2, 3]] * 2
