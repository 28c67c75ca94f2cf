"""Pages of several databases that say the same are read once; one byte of difference sets them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from envclone.stores.postgres.catalog.layout import Layout, Relation
from envclone.stores.postgres.format.segments import Extent
from envclone.stores.postgres.prove.twins import content, gather

SIZE = 8192


def _page(*, lsn: int = 0, checksum: int = 0, upper: int = 4000, body: bytes = b"of a catalog") -> bytes:
    page = np.zeros(SIZE, np.uint8)
    page[0:8] = np.frombuffer(lsn.to_bytes(8, "little"), np.uint8)
    page[8:10] = np.frombuffer(checksum.to_bytes(2, "little"), np.uint8)
    page[14:16] = np.frombuffer(upper.to_bytes(2, "little"), np.uint8)
    page[upper : upper + len(body)] = np.frombuffer(body, np.uint8)
    return page.tobytes()


def _extents(directory: Path, *files: bytes) -> list[tuple[int, Extent]]:
    made = []
    for number, data in enumerate(files):
        path = directory / str(number)
        path.write_bytes(data)
        made.append((number, Extent(path, 0, len(data) // SIZE, 0)))
    return made


def _groups(jobs: list[tuple[int, Extent]], how: dict[int, str | None] | None = None) -> set[tuple[int, ...]]:
    found = gather(jobs, SIZE, lambda number: (how or {}).get(number, "catalog"))
    return {(number, *(other for other, _ in others)) for number, _, others in found}


def test_where_they_were_logged_and_their_sums_make_no_difference(tmp_path: Path) -> None:
    jobs = _extents(tmp_path, _page(lsn=7, checksum=1), _page(lsn=8, checksum=2), _page(lsn=9, body=b"of a cataloh"))
    assert _groups(jobs) == {(0, 1), (2,)}


@pytest.mark.parametrize("at", [10, 13, 16, 23, 24, 3999, SIZE - 1])
def test_one_other_byte_sets_apart(tmp_path: Path, at: int) -> None:
    other = bytearray(_page())
    other[at] ^= 1
    assert _groups(_extents(tmp_path, _page(), bytes(other), _page())) == {(0, 2), (1,)}


def test_a_page_out_of_use_is_compared_as_a_whole(tmp_path: Path) -> None:
    empty, hiding = bytes(SIZE), b"J. Doe" + bytes(SIZE - 6)
    assert _groups(_extents(tmp_path, empty, hiding, empty)) == {(0, 2), (1,)}


def test_what_is_read_in_other_ways_is_apart(tmp_path: Path) -> None:
    jobs = _extents(tmp_path, _page(), _page(), _page(), _page())
    assert _groups(jobs, {0: None, 1: None, 2: "heap", 3: "index"}) == {(0,), (1,), (2,), (3,)}


def test_more_pages_are_others(tmp_path: Path) -> None:
    assert _groups(_extents(tmp_path, _page(), _page() * 2)) == {(0,), (1,)}


def test_the_content_of_a_relation_is_that_of_all_its_segments(tmp_path: Path) -> None:
    known = Layout(SIZE, 1, ())
    for name, second in (("1", b"a chunk"), ("2", b"b chunk")):
        (tmp_path / name).write_bytes(_page())
        (tmp_path / f"{name}.1").write_bytes(_page(body=second))
    one, other = (Relation(0, "pg_toast", "t", "heap", name, 0, 0, ()) for name in ("1", "2"))
    assert content(tmp_path, one, known) != content(tmp_path, other, known)
    assert content(tmp_path, None, known) == b""
