"""A file of zeros and little else takes blocks for what is not zero, and stays the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from envclone.stores.postgres.hollow import hollowed, written

CONTENT = b"begin" + bytes(1 << 20) + b"\1" + bytes((3 << 20) - 6)


def test_a_file_is_the_same_bytes_without_the_zeros(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(CONTENT)
    path.chmod(0o640)
    hollowed(path)
    assert path.read_bytes() == CONTENT and path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_blocks * 512 <= 256 << 10
    assert [one.name for one in tmp_path.iterdir()] == ["segment"]


@pytest.mark.parametrize("content", [b"", bytes(100), b"x" * 70_001, bytes(70_000) + b"x"])
def test_every_length_is_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one").write_bytes(content)
    written(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == content
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x")
    (tmp_path / "far").write_bytes(b"y")
    (tmp_path / "other").symlink_to(tmp_path / "far")
    with pytest.raises(FileExistsError):
        written(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "far").read_bytes() == b"y"
