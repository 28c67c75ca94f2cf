"""Bits of a visibility map that production cleared without a record of the map's page are cleared here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.snapshot.visibilitymaps import Sent, clear

BLOCK, SEGMENT = 8192, 16
COVERED = (BLOCK - 24) * 4


def pages(*visible: bool) -> bytes:
    return b"".join(bytes(10) + (4 if one else 0).to_bytes(2, "little") + bytes(BLOCK - 12) for one in visible)


def bits(path: Path, count: int, page: int = 0) -> list[int]:
    data = path.read_bytes()[page * BLOCK + 24 :]
    return [data[one // 4] >> one % 4 * 2 & 3 for one in range(count)]


def full(pages: int = 1) -> bytes:
    return (bytes(24) + b"\xff" * (BLOCK - 24)) * pages


def cleared(into: Path, table: dict[str, list[int] | None], *, checksums: bool = False) -> int:
    sent = Sent()
    for name, blocks in table.items():
        sent.add(name, blocks)
    return clear(into, sent, BLOCK, SEGMENT, checksums=checksums)


def test_a_page_that_is_not_visible_to_all_loses_both_bits_and_one_that_came_the_second(tmp_path: Path) -> None:
    (tmp_path / "7").write_bytes(pages(True, False, True, False, True))
    (tmp_path / "7_vm").write_bytes(full())
    assert cleared(tmp_path, {"7": [1, 2], "7_vm": []}) == 1
    assert bits(tmp_path / "7_vm", 8) == [3, 0, 1, 3, 3, 0, 0, 0]  # nothing behind the table's end is visible
    assert cleared(tmp_path, {"7": [1, 2], "7_vm": []}) == 0


def test_a_whole_file_means_every_page_and_a_map_that_came_is_right(tmp_path: Path) -> None:
    (tmp_path / "7").write_bytes(pages(True, False))
    (tmp_path / "7_vm").write_bytes(full())
    for of_map in ([0], None):
        assert cleared(tmp_path, {"7": None, "7_vm": of_map}) == 0
    assert cleared(tmp_path, {"7": None}) == 1
    assert bits(tmp_path / "7_vm", 2) == [1, 0]


def test_segments_count_on(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/7").write_bytes(pages(*[True] * SEGMENT))
    (tmp_path / "base/7.1").write_bytes(pages(True, False, True))
    (tmp_path / "base/7_vm").write_bytes(full())
    assert cleared(tmp_path, {"base/7": [], "base/7.1": [1], "base/7_vm": []}) == 1
    assert bits(tmp_path / "base/7_vm", SEGMENT + 4) == [3] * SEGMENT + [3, 0, 3, 0]


def test_a_map_of_several_pages_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = COVERED + 2
    monkeypatch.setattr("tests.unit.stores.postgres.snapshot.test_visibilitymaps.SEGMENT", count)
    with (tmp_path / "7").open("wb") as file:
        file.truncate(count * BLOCK)
    (tmp_path / "7_vm").write_bytes(full(2))
    assert cleared(tmp_path, {"7": [5, COVERED + 1], "7_vm": []}) == 2
    assert bits(tmp_path / "7_vm", 7) == [3, 3, 3, 3, 3, 0, 3] and bits(tmp_path / "7_vm", 3, 1) == [3, 0, 0]
    (tmp_path / "7_vm").write_bytes(full(2))
    assert cleared(tmp_path, {"7": [5, COVERED + 1], "7_vm": [1]}) == 1
    assert bits(tmp_path / "7_vm", 3, 1) == [3, 3, 3]


def test_a_page_of_a_map_has_its_checksum(tmp_path: Path) -> None:
    (tmp_path / "7").write_bytes(pages(False))
    (tmp_path / "7_vm").write_bytes(full())
    cleared(tmp_path, {"7": [0], "7_vm": []}, checksums=True)
    page = np.frombuffer((tmp_path / "7_vm").read_bytes(), np.uint8).reshape(1, BLOCK)
    assert int(page_checksums(page, np.array([0], np.uint32))[0]) == int.from_bytes(page[0, 8:10].tobytes(), "little")


def test_what_has_no_map_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "7").write_bytes(pages(False))
    assert cleared(tmp_path, {"7": [0], "PG_VERSION": None, "7_fsm": None}) == 0
