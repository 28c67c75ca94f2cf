"""Two makings of one cluster: which differences are marks, which are samples, and which make another image."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.catalog.layout import Database, Layout, Relation
from envclone.stores.postgres.prove.remade import alike

SIZE = 8192
PEOPLE, INDEX, STATISTICS, CLASSES = "base/5/100", "base/5/101", "base/5/102", "base/5/1259"


def heap_page(text: bytes) -> bytes:
    """A page with one row."""
    row = bytes(18) + struct.pack("<HHB", 1, 0x0902, 24) + b"\0" + text
    page = bytearray(SIZE)
    page[SIZE - len(row) :] = row
    struct.pack_into("<IIHHHHHHI", page, 0, 1, 2, 3, 0, 28, SIZE - len(row), SIZE, SIZE + 4, 0)
    struct.pack_into("<I", page, 24, (SIZE - len(row)) | 1 << 15 | len(row) << 17)
    return bytes(page)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "data/base/5").mkdir(parents=True)
    for folder in ("global", "pg_wal", "pg_xact"):
        (one / "data" / folder).mkdir()
    (one / "data" / PEOPLE).write_bytes(heap_page(b"Ann Lee") + heap_page(b"Bob Roe"))
    (one / "data" / f"{PEOPLE}_vm").write_bytes(bytes(SIZE))
    (one / "data" / INDEX).write_bytes(bytes(SIZE))
    (one / "data" / STATISTICS).write_bytes(heap_page(b"sample"))
    (one / "data" / CLASSES).write_bytes(heap_page(bytes(112)))
    (one / "data" / f"{CLASSES}_vm").write_bytes(bytes(SIZE))
    (one / "data/global/pg_control").write_bytes(bytes(SIZE))
    (one / "data/pg_wal/000000010000000000000001").write_bytes(bytes(SIZE))
    (one / "data/pg_xact/0000").write_bytes(bytes(SIZE))
    relations = (
        Relation(100, "public.people", "r", "heap", PEOPLE, 0, 0, ()),
        Relation(101, "public.people_pkey", "i", "btree", INDEX, 0, 100, ()),
        Relation(1259, "pg_catalog.pg_class", "r", "heap", CLASSES, 0, 0, ()),
        Relation(102, "pg_catalog.pg_statistic", "r", "heap", STATISTICS, 0, 0, ()),
    )
    layout.save(Layout(SIZE, 131072, (Database(5, "app", relations),)), one)
    shutil.copytree(one, other)
    return one, other


def put(directory: Path, path: str, at: int, what: bytes) -> None:
    with (directory / "data" / path).open("r+b") as file:
        file.seek(at)
        file.write(what)


def test_what_is_the_same_is_the_same(two: tuple[Path, Path]) -> None:
    found = alike(*two)
    size = sum(path.stat().st_size for path in two[0].rglob("*") if path.is_file())
    assert (found.same, found.marked, found.sampled, found.own, found.different) == (size, 0, 0, (), ())


@pytest.mark.parametrize(
    "path, at",
    [(PEOPLE, 4), (PEOPLE, SIZE + 8), (PEOPLE, 10), (PEOPLE, 20), (PEOPLE, 2 * SIZE - 7 - 24 + 21), (INDEX, 0),
     (CLASSES, 10), (CLASSES, SIZE - 112 + 104), (CLASSES, SIZE - 112 + 107),
     (f"{PEOPLE}_vm", 8)],
)  # fmt: skip
def test_marks_of_the_engine_are_told_apart(two: tuple[Path, Path], path: str, at: int) -> None:
    """Place in the log, checksum, hints: of when and how often a page was written and read, not of what it holds."""
    put(two[1], path, at, b"\1")
    found = alike(*two)
    assert not found.different and found.marked == (two[0] / "data" / path).stat().st_size


@pytest.mark.parametrize(
    "path, at, said",
    [
        (PEOPLE, 2 * SIZE - 2, "public.people (data/base/5/100): page 1"),
        (PEOPLE, SIZE - 7 - 24 + 18, "public.people (data/base/5/100): page 0"),
        (PEOPLE, SIZE - 7 - 24 + 4, "public.people (data/base/5/100): page 0"),
        (PEOPLE, 10, "public.people (data/base/5/100): page 0"),
        (CLASSES, SIZE - 112 + 108, "pg_catalog.pg_class (data/base/5/1259): page 0"),
        (CLASSES, SIZE - 112 + 102, "pg_catalog.pg_class (data/base/5/1259): page 0"),
        (INDEX, 20, "public.people_pkey (data/base/5/101): page 0"),
        (INDEX, 100, "public.people_pkey (data/base/5/101): page 0"),
        (f"{PEOPLE}_vm", 30, "public.people (data/base/5/100_vm): page 0"),
        ("pg_xact/0000", 1, "data/pg_xact/0000: other bytes"),
    ],
)
def test_everything_else_is_another_image(two: tuple[Path, Path], path: str, at: int, said: str) -> None:
    put(two[1], path, at, b"\4\4")
    assert list(alike(*two).different) == [said]


def test_statistics_and_the_engines_own_files_need_not_be_the_same(two: tuple[Path, Path]) -> None:
    put(two[1], STATISTICS, SIZE - 1, b"!")
    (two[1] / "data" / f"{CLASSES}_vm").write_bytes(b"!" * SIZE)
    put(two[1], "global/pg_control", 24, b"!")
    (two[1] / "data/pg_wal/000000010000000000000001").rename(two[1] / "data/pg_wal/000000010000000000000002")
    (two[1] / "data/base/5/pg_internal.init").write_bytes(b"!")
    found = alike(*two)
    assert (found.sampled, found.different) == (SIZE, ())
    assert found.own == (
        f"data/{CLASSES}_vm",
        "data/base/5/pg_internal.init",
        "data/global/pg_control",
        "data/pg_wal/000000010000000000000001",
        "data/pg_wal/000000010000000000000002",
    )


@pytest.mark.parametrize("side", [0, 1])
def test_a_file_of_one_side_and_another_length_are_told(two: tuple[Path, Path], side: int) -> None:
    (two[side] / "data/base/5/200").write_bytes(b"!")
    with (two[side] / "data" / PEOPLE).open("ab") as file:
        file.write(bytes(SIZE))
    lengths = [16384, 16384]
    lengths[side] = 24576
    assert list(alike(*two).different) == [
        f"data/base/5/200: only {('the image', 'the second making')[side]} has it",
        f"public.people (data/base/5/100): {lengths[0]:,} and {lengths[1]:,} bytes",
    ]


def test_many_differences_are_counted(two: tuple[Path, Path]) -> None:
    for number in range(30):
        (two[1] / f"data/base/5/{300 + number}").write_bytes(b"!")
    found = alike(*two)
    assert len(found.different) == 21 and found.different[-1] == "… and 10 more"
