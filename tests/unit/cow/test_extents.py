"""What files share on disk, asked of a real file system that shares blocks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envclone.cow import loop
from envclone.cow.extents import same_blocks
from envclone.cow.reflink import ReflinkDriver
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
