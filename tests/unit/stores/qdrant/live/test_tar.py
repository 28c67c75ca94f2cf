"""An archive from a server: read as Python's own reader reads it, and every hostile entry is refused."""

from __future__ import annotations

import io
import tarfile

import pytest

from envclone.errors import UnsafeError
from envclone.stores.qdrant.live.tar import Span, entries
from tests.support.qdrant_server import snapshot
from tests.unit.stores.qdrant.live.archives import entry, file, sparse, summed


def test_recorded_snapshots_read_as_the_standard_library_reads_them() -> None:
    for collection, shard in (("tenants", 0), ("tenants", 1), ("plain", 0)):
        data = snapshot(collection, shard)
        with file(data, end=False) as opened:
            found = list(entries(Span.whole(opened)))
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                members = archive.getmembers()
                assert [one.path for one in found] == [one.name for one in members]
                for one, member in zip(found, members, strict=True):
                    if not one.folder:
                        content = one.content.read(0, one.content.size)
                        extracted = archive.extractfile(member)
                        assert extracted is not None and extracted.read() == content
                    if one.path.endswith(".tar"):
                        with tarfile.open(fileobj=io.BytesIO(content)) as inner:
                            its = list(entries(one.content))
                            assert [each.path for each in its] == inner.getnames()
                            for each in its:
                                if each.content.size < 2**21:
                                    wanted = inner.extractfile(each.path)
                                    assert wanted is not None
                                    assert wanted.read() == each.content.read(0, each.content.size), each.path


def test_holes_stay_holes_and_long_names_are_names() -> None:
    name = "/".join(["d" * 60] * 3)
    with file(
        sparse("s", [(4096, b"a" * 512), (8192, b"bc")], 12288),
        entry("././@LongLink", name.encode() + b"\0", b"L"),
        entry("cut", b"long"),
        entry("./d/", kind=b"5"),
    ) as opened:
        found = {one.path: one for one in entries(Span.whole(opened))}
        assert list(found) == ["s", name, "d"]
        holes = found["s"].content
        assert [(one.at, one.length) for one in holes.pieces] == [(4096, 512), (8192, 2)]
        assert holes.read(0, 12288) == bytes(4096) + b"a" * 512 + bytes(3584) + b"bc" + bytes(4094)
        assert found[name].content.read(0, 4) == b"long" and found["d"].folder


def test_a_file_inside_a_file_with_holes_is_read_through_them() -> None:
    inner = entry("x", b"hello") + entry("y", bytes(600))
    parts = [(0, inner[:1024]), (2048, inner[2048:])]
    assert not any(inner[1536:2048])
    with file(sparse("in.tar", parts, len(inner))) as opened:
        (outer,) = entries(Span.whole(opened))
        assert [one.path for one in entries(outer.content)] == ["x"]


def test_a_file_of_very_many_parts_takes_no_longer_than_one_of_few() -> None:
    inner = b"".join(entry(f"f{number}") for number in range(4000))
    table = b"".join(b"%011o\0%011o\0" % (at, 64) for at in range(0, len(inner), 64))
    header = bytearray(entry("in.tar", inner, b"S")[:512])
    header[386:482], header[482], header[483:495] = table[:96], 1, b"%011o\0" % len(inner)
    more = [table[start : start + 504] for start in range(96, len(table), 504)]
    blocks = [part.ljust(504, b"\0") + bytes([part is not more[-1]]) + bytes(7) for part in more]
    with file(summed(header), *blocks, inner) as opened:
        (outer,) = entries(Span.whole(opened))
        assert len(outer.content.pieces) == 32_000
        looked = sum(1 for at in range(0, len(inner), 512) for _ in outer.content.part(at, 512))
        assert looked == 32_000 and len(list(entries(outer.content))) == 4000


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"6", b"7", b"K", b"x", b"g", b"D", b"V", b"M"])
def test_nothing_but_files_and_directories(kind: bytes) -> None:
    with file(entry("ok", b"1"), entry("evil", kind=kind, link="/etc/passwd")) as opened, pytest.raises(UnsafeError):
        list(entries(Span.whole(opened)))


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "a/../../x", "a//b", "a/./b", "..", ".", "", "a/..", "x\ny", "a/" * 40 + "b"]
)
def test_no_path_leads_out(name: str) -> None:
    long = entry("././@LongLink", name.encode() + b"\0", b"L")
    with file(long, entry("short", b"1")) as opened, pytest.raises(UnsafeError, match="snapshot holds a path"):
        list(entries(Span.whole(opened)))


def test_no_name_that_is_not_text_or_too_long() -> None:
    for name in (b"\xff\xfe", b"n" * 300, b"d/" * 2100 + b"x"):
        with file(entry("././@LongLink", name, b"L"), entry("short", b"1")) as opened, pytest.raises(UnsafeError):
            list(entries(Span.whole(opened)))


def test_no_size_is_believed() -> None:
    huge = bytearray(entry("x", b""))
    huge[124:136] = b"\x80" + bytes(3) + (1 << 62).to_bytes(8, "big")
    negative = bytearray(entry("x", b""))
    negative[124:136] = b"\xff" * 12
    damaged = bytearray(entry("x", b"1"))
    damaged[5] ^= 1
    for made in (
        entry("x", b"1", size=5000),
        summed(huge[:512]),
        summed(negative[:512]),
        bytes(damaged),
        sparse("x", [(0, b"1")], 2**33 - 1),
        sparse("x", [(512, b"1"), (0, b"2")], 1024),
        sparse("x", [(0, b"12")], 1),
        entry("dir", b"1", b"5"),
        entry("././@LongLink", b"x\0", b"L"),
    ):
        with file(made) as opened, pytest.raises(UnsafeError, match="the snapshot"):
            list(entries(Span.whole(opened)))


def test_an_archive_that_is_cut_off_is_damaged_at_any_byte() -> None:
    made = entry("a", b"x" * 700) + sparse("b", [(4096, b"y" * 600)], 8192)
    for size in range(1, len(made), 97):
        with file(made[:size], end=False) as opened, pytest.raises(UnsafeError):
            for one in entries(Span.whole(opened)):
                one.content.read(0, one.content.size)
