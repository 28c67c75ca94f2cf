"""The checksum of many files at once is that of each by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from envclone.stores.postgres.format import crcs
from envclone.stores.postgres.server.control import crc32c


def test_it_is_the_checksum_of_the_rfc(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"123456789")
    assert list(crcs.of_files([tmp_path / "x"])) == [(tmp_path / "x", 9, 0xE3069283)]


def test_files_of_every_length_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crcs, "_LANES", 5)  # files that go over the end of a batch
    drawn = random.Random(1)
    sizes = [0, 1, 12, 255, 256, 257, 8191, 8192, 8193, 0, 16384, 49152, *(drawn.randrange(60000) for _ in range(12))]
    paths = []
    for number, size in enumerate(sizes):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(drawn.randbytes(size))
    assert list(crcs.of_files(paths)) == [(path, path.stat().st_size, crc32c(path.read_bytes())) for path in paths]
