"""An incremental backup laid over the snapshot before it: the format, what does not fit, what a manifest proves."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from envclone.errors import CommandError, UnsafeError
from envclone.stores.postgres.server.control import crc32c
from envclone.stores.postgres.snapshot import increment, manifest
from envclone.stores.postgres.snapshot.combine import combine, follows

BLOCK = 8192


def page(letter: str) -> bytes:
    return letter.encode() * BLOCK


def increment_of(least: int, blocks: dict[int, bytes]) -> bytes:
    """A file as the server sends it."""
    head = struct.pack("=III", 0xD3AE1F0D, len(blocks), least) + b"".join(struct.pack("=I", one) for one in blocks)
    if blocks:
        head += bytes(-len(head) % BLOCK)
    return head + b"".join(blocks.values())


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The incremental backup, the snapshot before it, and where they are laid over."""
    for name in ("sent", "base", "into"):
        (tmp_path / name / "base" / "5").mkdir(parents=True)
    (tmp_path / "into" / "base" / "5").rmdir()
    (tmp_path / "into" / "base").rmdir()
    return tmp_path / "sent", tmp_path / "base", tmp_path / "into"


@pytest.mark.parametrize(
    ("before", "least", "sent", "after"),
    [
        ("abc", 3, {}, [page("a"), page("b"), page("c")]),
        ("abc", 3, {1: page("x")}, [page("a"), page("x"), page("c")]),
        ("abc", 3, {3: page("x"), 5: page("y")}, [*map(page, "abcx"), bytes(BLOCK), page("y")]),
        ("abc", 1, {}, [page("a")]),
        ("abc", 1, {1: page("x")}, [page("a"), page("x")]),
        ("abc", 5, {}, [*map(page, "abc"), bytes(2 * BLOCK)]),
        ("", 0, {}, []),
        ("abc", 3, {2: page("c")}, [*map(page, "abc")]),
    ],
)
def test_blocks_are_laid_over(
    places: tuple[Path, Path, Path], before: str, least: int, sent: dict[int, bytes], after: list[bytes]
) -> None:
    one, base, into = places
    (base / "base/5/7").write_bytes(b"".join(map(page, before)))
    (base / "base/5/8").write_bytes(b"gone since")
    (one / "base/5/INCREMENTAL.7").write_bytes(increment_of(least, sent))
    done = combine(one, base, into, BLOCK)
    assert (into / "base/5/7").read_bytes() == b"".join(after)
    assert (base / "base/5/7").read_bytes() == b"".join(map(page, before))
    assert sorted(path.name for path in (into / "base/5").iterdir()) == ["7"]
    equal = b"".join(after) == b"".join(map(page, before))
    assert (done.files, done.blocks) == (not equal, 0 if equal else len(sent))


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "cut short"),
        (increment_of(3, {1: page("x")})[:-1], "cut short"),
        (increment_of(3, {1: page("x")}) + b"x", "something follows"),
        (b"\0" * 12, "no header"),
        (struct.pack("=III", 0xD3AE1F0D, 1 << 30, 1), "no header"),
        (struct.pack("=III", 0xD3AE1F0D, 2, 1) + b"\0\0\0\0", "cut short"),
        (increment_of(3, {1 << 25: page("x")}), "beyond the end"),
    ],
)
def test_what_is_no_increment_is_refused(places: tuple[Path, Path, Path], sent: bytes, why: str) -> None:
    one, base, into = places
    (base / "base/5/7").write_bytes(page("a") * 3)
    (one / "base/5/INCREMENTAL.7").write_bytes(sent)
    with pytest.raises(UnsafeError, match=why):
        combine(one, base, into, BLOCK)


def test_an_increment_of_a_file_that_was_not_there_is_refused(places: tuple[Path, Path, Path]) -> None:
    one, base, into = places
    (one / "base/5/INCREMENTAL.7").write_bytes(increment_of(1, {}))
    with pytest.raises(UnsafeError, match="none of that name"):
        combine(one, base, into, BLOCK)


def test_no_link_of_the_base_is_followed(places: tuple[Path, Path, Path], tmp_path: Path) -> None:
    one, base, into = places
    (tmp_path / "else").write_bytes(page("z"))
    (base / "base/5/7").symlink_to(tmp_path / "else")
    (one / "base/5/INCREMENTAL.7").write_bytes(increment_of(1, {}))
    with pytest.raises(OSError, match="symbolic"):
        combine(one, base, into, BLOCK)


LABEL = "START WAL LOCATION: 0/{at}000028 (file 0000000{tli}0000000000000005)\nSTART TIMELINE: {tli}\n"


def test_it_follows_only_what_its_label_names(places: tuple[Path, Path, Path]) -> None:
    one, base, into = places
    (base / "backup_label").write_text(LABEL.format(at=5, tli=1))
    assert not follows(one, base)
    for at, tli, expected in ((5, 1, True), (6, 1, False), (5, 2, False)):
        text = LABEL.format(at=9, tli=2) + f"INCREMENTAL FROM LSN: 0/{at}000028\nINCREMENTAL FROM TLI: {tli}\n"
        (one / "backup_label").write_text(text)
        assert follows(one, base) is expected
    combine(one, base, into, BLOCK)
    assert (into / "backup_label").read_text() == LABEL.format(at=9, tli=2)


def manifest_of(folder: Path, **changes: Any) -> bytes:
    files = [
        {
            "Path": str(path.relative_to(folder)),
            "Size": path.stat().st_size,
            "Checksum-Algorithm": "CRC32C",
            "Checksum": crc32c(path.read_bytes()).to_bytes(4, "little").hex(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != manifest.NAME
    ]
    body = json.dumps({"System-Identifier": 7, "Files": files, **changes})[:-1].encode() + b",\n"
    return body + b'"Manifest-Checksum": "' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def test_a_backup_is_what_its_manifest_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 9000)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"y")
    (tmp_path / manifest.NAME).write_bytes(manifest_of(tmp_path))
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "pg_wal" / "0").write_bytes(b"of a stream beside")
    said = manifest.read(tmp_path / manifest.NAME)
    manifest.require_as_sent(tmp_path, said)
    assert said.system_identifier == "7"
    (tmp_path / "a").write_bytes(b"x" * 8999 + b"y")
    with pytest.raises(UnsafeError, match="not as it was sent: a"):
        manifest.require_as_sent(tmp_path, said)
    (tmp_path / "a").unlink()
    with pytest.raises(UnsafeError, match="is missing: a"):
        manifest.require_as_sent(tmp_path, said)
    (tmp_path / "a").write_bytes(b"x" * 9000)
    (tmp_path / "b" / "d").touch()
    with pytest.raises(UnsafeError, match=r"not named by its manifest: b/d"):
        manifest.require_as_sent(tmp_path, said)


def test_a_damaged_manifest_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    good = manifest_of(tmp_path)
    changed = [good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :] for place in (0, 25, 40, len(good) - 30)]
    other = manifest_of(tmp_path, Files=[{"Path": "a", "Size": 1, "Checksum-Algorithm": "NONE", "Checksum": ""}])
    for data in (*changed, good[: len(good) // 2], b"", other):
        (tmp_path / manifest.NAME).write_bytes(data)
        with pytest.raises(UnsafeError, match="damaged"):
            manifest.read(tmp_path / manifest.NAME)


def test_only_a_refusal_leads_to_a_full_copy() -> None:
    def said(words: str) -> str:
        return increment.refused(CommandError("failed", argv=["pg_basebackup"], returncode=1, stderr=words))

    refusal = "pg_basebackup: error: could not upload manifest: ERROR:  manifest is from different database system"
    assert said(refusal) == "manifest is from different database system"
    assert said("x: ERROR:  WAL summaries are required on timeline 1 from 0/2 to 0/3, but the summaries are incomplete")
    assert not said("pg_basebackup: error: could not receive data: server closed the connection unexpectedly")
    assert not said("pg_basebackup: initiating base backup, incremental\npg_basebackup: error: No space left on device")
