"""Each byte of a file is claimed once: overlaps, ends, zeros, holes, and what nobody claims."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from envclone.models import ByteClass
from envclone.stores.qdrant.account.claims import Claims, Damaged

STRUCTURE, KEPT, ZERO, UNDECODED = ByteClass.STRUCTURE, ByteClass.KEPT, ByteClass.ZERO, ByteClass.UNDECODED


def settled(path: Path, *claims: tuple[ByteClass, int, int]) -> tuple[dict[ByteClass, int], list[tuple[int, int]]]:
    with Claims(path) as file:
        for kind, start, length in claims:
            file.claim(kind, start, length)
        return file.settle()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(b"head" + bytes(6) + b"Wolfhard" + bytes(2) + b"kept")
    return made


def test_what_nobody_claims_is_zero_or_not_decoded(path: Path) -> None:
    classes, left = settled(path, (STRUCTURE, 0, 4), (KEPT, 20, 4))
    assert classes == {STRUCTURE: 4, KEPT: 4, ZERO: 8, UNDECODED: 8}
    assert left == [(10, 8)]


def test_a_stretch_does_not_go_on_over_a_claim(path: Path) -> None:
    _, left = settled(path, (STRUCTURE, 0, 4), (KEPT, 13, 2))
    assert left == [(10, 3), (15, 9)]
    assert settled(path)[1] == [(0, 24)]


def test_overlapping_claims_and_claims_outside_are_damage(path: Path) -> None:
    with pytest.raises(Damaged, match="overlap"):
        settled(path, (STRUCTURE, 0, 5), (KEPT, 4, 2))
    for start, length in ((20, 5), (-1, 2), (30, 1)):
        with pytest.raises(Damaged, match="outside"):
            settled(path, (STRUCTURE, start, length))
    with Claims(path) as file:
        for start, length in ((20, 5), (-1, 2), (0, 2**70)):
            with pytest.raises(Damaged):
                file.read(start, length)
        with pytest.raises(Damaged):
            file.array("<u8", 0, 2**60)


def test_an_empty_file_and_one_of_holes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert settled(tmp_path / "empty") == ({}, [])
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(64 * 2**20)
        file.seek(40 * 2**20 + 5)
        file.write(b"somebody")
    classes, left = settled(tmp_path / "holes")
    assert left == [(40 * 2**20 + 5, 8)]
    assert classes == {UNDECODED: 8, ZERO: 64 * 2**20 - 8}


def test_a_stretch_over_the_end_of_a_chunk_is_one(tmp_path: Path) -> None:
    edge = 4 * 2**20
    (tmp_path / "long").write_bytes(bytes(edge - 3) + b"somebody" + bytes(100))
    assert settled(tmp_path / "long")[1] == [(edge - 3, 8)]


@pytest.mark.parametrize("seed", range(20))
def test_every_byte_counts_once(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    data = bytes(rng.choice((0, 0, 0, 7)) for _ in range(rng.randrange(1, 3000)))
    path = tmp_path / "random"
    path.write_bytes(data)
    marks = bytearray(len(data))
    claims = []
    position = 0
    while position < len(data):
        length = min(rng.randrange(1, 50), len(data) - position)
        if rng.random() < 0.5:
            kind = rng.choice((STRUCTURE, KEPT))
            claims.append((kind, position, length))
            marks[position : position + length] = bytes([1 + (kind is KEPT)]) * length
        position += length
    rng.shuffle(claims)
    classes, left = settled(path, *claims)
    assert sum(classes.values()) == len(data)
    assert (classes.get(STRUCTURE, 0), classes.get(KEPT, 0)) == (marks.count(1), marks.count(2))
    for start, length in left:
        assert not any(marks[start : start + length])
        marks[start : start + length] = b"\3" * length
    assert all(byte == 0 for byte, mark in zip(data, marks, strict=True) if mark == 0)
