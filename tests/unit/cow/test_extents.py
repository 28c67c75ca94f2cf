"""What files share on disk, asked of a real file system that shares blocks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.cow import loop
from envclone.cow.extents import same_blocks, usage
from envclone.cow.reflink import ReflinkDriver, share_range
from tests.support.leftovers import RUN

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def pool() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix=f"envclone-test-{RUN}-"))
    loop.create(folder / "pool", 400 * 1024**2)
    try:
        yield folder / "pool"
    finally:
        loop.remove(folder / "pool", force=True)
        shutil.rmtree(folder)


@pytest.fixture
def pair(pool: Path) -> Iterator[tuple[Path, Path]]:
    """A file and its clone, each in a directory of its own."""
    (pool / "one").mkdir()
    (pool / "one" / "file").write_bytes(os.urandom(1_000_003))
    ReflinkDriver().clone(pool / "one", pool / "two")
    yield pool / "one" / "file", pool / "two" / "file"
    shutil.rmtree(pool / "one")
    shutil.rmtree(pool / "two")


def test_a_clone_lies_in_the_same_blocks(pair: tuple[Path, Path]) -> None:
    assert same_blocks(*pair)


@pytest.mark.parametrize("written", [0, 1])
@pytest.mark.parametrize("place", [0, 500_000, 1_000_002])
def test_a_byte_that_was_just_written_sets_them_apart(pair: tuple[Path, Path], written: int, place: int) -> None:
    with pair[written].open("r+b", buffering=0) as file:  # in memory only: nothing flushes it but the question
        file.seek(place)
        file.write(b"x")
        assert not same_blocks(*pair)


def test_another_length_sets_them_apart(pair: tuple[Path, Path]) -> None:
    os.truncate(pair[1], 1_000_002)
    assert not same_blocks(*pair)


def test_the_same_bytes_in_other_blocks_are_not_known_to_be_the_same(pair: tuple[Path, Path]) -> None:
    other = pair[1].with_name("other")
    other.write_bytes(pair[0].read_bytes())
    assert not same_blocks(pair[0], other)


def test_blocks_that_nobody_wrote_tell_nothing(pool: Path) -> None:
    files = [pool / name for name in ("first", "second")]
    for file in files:
        with file.open("wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, 65536)
    assert not same_blocks(*files)


def test_a_file_system_that_shares_no_blocks_never_says_so(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for file in (one, other):
        file.write_bytes(b"the same")
    assert not same_blocks(one, other)


def test_a_range_takes_the_blocks_of_another_file(pair: tuple[Path, Path]) -> None:
    one, other = pair
    data = one.read_bytes()
    other.write_bytes(bytes(len(data)))
    with one.open("rb") as source, other.open("r+b") as target:
        assert share_range(source.fileno(), target.fileno(), 8192, 16384)
        assert not share_range(source.fileno(), target.fileno(), 100, 5000), "no whole blocks"
    assert other.read_bytes() == bytes(8192) + data[8192:24576] + bytes(len(data) - 24576)
    assert usage(one.parent)[1] == usage(one.parent)[0] - 16384


def test_a_range_is_not_shared_where_no_blocks_can_be(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    elsewhere = tmp_path / "file"
    elsewhere.write_bytes(bytes(32768))
    with pair[0].open("rb") as source, elsewhere.open("r+b") as target:
        assert not share_range(source.fileno(), target.fileno(), 8192, 16384)
    assert elsewhere.read_bytes() == bytes(32768)
