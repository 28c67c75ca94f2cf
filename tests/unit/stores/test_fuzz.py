"""Random bytes and damaged values end in a refusal or in a value, whatever a stream or a page says of itself.

Loops run with checked bounds here (`ENVCLONE_BOUNDSCHECK`, tests/conftest.py), so a wild read is an IndexError.
`ENVCLONE_FUZZ=3000 pytest tests/unit/stores/test_fuzz.py` tries so many inputs of each kind.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lz4.block
import numpy as np
import pytest

from envclone.errors import UnsafeError
from envclone.masking import msgpack
from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.format import claims, pglz, varlena
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.decoded import READING, decoder
from envclone.stores.postgres.prove.graphs import vectors
from envclone.stores.postgres.prove.keyforms import forms, prefix_of
from envclone.stores.postgres.prove.otherindexes import gin, hashes
from envclone.stores.postgres.prove.partitions import beginnings, spgist
from envclone.stores.postgres.prove.searchtrees import btree
from envclone.stores.postgres.prove.summaries import brin, stored
from envclone.stores.postgres.prove.trees import gist
from envclone.stores.postgres.write.inplace import jsonb
from envclone.stores.qdrant.account import cbor
from envclone.stores.qdrant.account.claims import Damaged
from envclone.stores.qdrant.gridstore import Gridstore
from envclone.stores.qdrant.lz4block import salvage
from tests.unit.stores.qdrant.test_gridstore import make

ROUNDS = int(os.environ.get("ENVCLONE_FUZZ", "200"))
SIZE = 8192
TEXT = b"Wolfhard Quenzelmann wrote to Wolfhard Quenzelmann about Lindenweg 4. " * 40
DOCUMENTS = [
    jsonb.encode(text)
    for text in ('{"a": [1, 2.5, {"b": null}], "name": "Wolfhard"}', "[[[[1]]], true, false, -12e3]", '"x"', "{}")
]


def _damaged(draw: random.Random, seeds: list[bytes]) -> Iterator[bytes]:
    """Each seed damaged in some ways, and random bytes."""
    for _ in range(ROUNDS):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(0, 4)):
            way, at = draw.randrange(4), draw.randrange(len(data) + 1)
            if way == 0 and at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            elif way == 1:
                del data[at:]
            elif way == 2:
                data[at : at + draw.randint(0, 8)] = draw.randbytes(draw.randint(0, 8))
            elif at < len(data):
                data[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF))
            if not data:
                data += b"\0"
        yield bytes(data) if draw.random() < 0.9 else draw.randbytes(draw.randint(0, 200))


def _texts(draw: random.Random) -> list[bytes]:
    return [TEXT, draw.randbytes(900), bytes(3000), TEXT[:5]]


def test_streams_of_pglz() -> None:
    draw = random.Random(1)
    seeds = [made for text in _texts(draw) if (made := pglz.compress(text, len(text) + 900)) is not None]
    for data in _damaged(draw, seeds):
        size = draw.choice((0, 1, 350, len(TEXT), draw.randint(0, 5000)))
        try:
            assert len(pglz.decompress(data, size)) == size
        except UnsafeError:
            continue


def test_compressed_values_of_either_method() -> None:
    draw = random.Random(2)
    seeds = [
        struct.pack("<I", len(text) | method << 30) + stream
        for text in _texts(draw)
        for method, stream in (
            (0, pglz.compress(text, len(text) + 900)),
            (1, lz4.block.compress(text, store_size=False)),
        )
        if stream is not None
    ]
    for data in _damaged(draw, seeds):
        if len(data) < 4 or data[2] | data[3] & 0x3F:
            continue  # a gigabyte of zeros is a value too
        try:
            assert len(varlena.expand(data)) <= 1 << 16
        except UnsafeError:
            continue


def test_blocks_of_lz4_that_go_on_with_something_else() -> None:
    draw = random.Random(3)
    seeds = [lz4.block.compress(text) + draw.randbytes(20) for text in _texts(draw)]
    for data in _damaged(draw, seeds):
        if int.from_bytes(data[:4], "little") < 1 << 20:
            assert len(salvage(data)) < 1 << 20


BODIES: dict[str, list[bytes]] = {
    "jsonb": DOCUMENTS,
    "tsvector": [struct.pack("<iII", 2, 3 << 1, 5 << 1 | 3 << 12) + b"catdogma"],
    "hstore": [struct.pack("<III", 0x80000001, 0x80000001, 3) + b"abc"],
    "int4range": [struct.pack("<IiiB", 3904, 7, 12, 2)],
    "nummultirange": [struct.pack("<III", 4532, 2, 0x80000008) + bytes([2, 2, 7, 0, 0x81, 1, 0])],
    "anyrange": [struct.pack("<IiiB", 3904, 7, 12, 2)],
    "anyarray": [struct.pack("<iiIii", 1, 0, 25, 2, 1) + struct.pack("<I", 7 << 2) + b"abc\0"],
    "pg_mcv_list": [
        struct.pack("<IIIhI", 0xE1A651C2, 1, 1, 1, 25) + struct.pack("<iiii?3x", 1, 7, 1, -1, False) + b"ab"
    ],
    "numeric": [struct.pack("<Hhhh", 0x8102, 1, 12, 3400)],
    "inet": [bytes([2, 32, 81, 2, 3, 17])],
    "text": [TEXT],
    "date": [struct.pack("<i", 9000), struct.pack("<i", 0x7FFFFFFF), struct.pack("<i", 0x7FFFFFF0)],
    "timestamptz": [struct.pack("<q", 8 * 10**14), struct.pack("<q", 0x7FFFFFFFFFFFFFF0)],
    "daterange": [struct.pack("<IiiB", 3912, 9000, 0x7FFFFFF0, 2)],
    "macaddr": [bytes(6)],
    "uuid": [bytes(16)],
    "pg_node_tree": [b"{CONST :constvalue 8 [ 32 0 0 0 97 98 99 100 ]}"],
}


@pytest.mark.parametrize("base", sorted(BODIES))
def test_bodies_of_values(base: str) -> None:
    read = decoder(Attribute("", base, -1, "i", base=base))
    assert read is not None
    for data in _damaged(random.Random(base), BODIES[base]):
        try:
            assert isinstance(read(data), list)
        except READING:
            continue


def test_values_of_cbor() -> None:
    seeds = [b"\x82\x63abc\x19\x01\x00", b"\xa1\x61a\x82\x01\x61b", b"\x78\x20" + b"w" * 32]
    for data in _damaged(random.Random(4), seeds):
        try:
            assert isinstance(cbor.texts(data), list)
        except Damaged:
            continue


class _Marked:
    """A mask that adds a letter to each text."""

    def mask(self, values: Sequence[str]) -> list[str]:
        return [value + "x" for value in values]


class _Refusing:
    def mask(self, values: Sequence[str]) -> list[str]:
        raise UnsafeError("these bytes are no document")


def test_documents_of_msgpack() -> None:
    """A document that is read keeps its shape; any other goes to the mask of bytes."""
    inner = b"\x94\xa3mod\xa4Name\x91\xa5Janet\xa4init"
    seeds = [
        b"\x82\xa1a\x92\x01\xa3abc\xa1b\xc0",
        b"\xdc\x00\x02\xd9\x05Janet\xcb" + bytes(8),
        b"\xc7" + bytes([len(inner), 5]) + inner,
        b"\xdd\x00\x00\x00\x01\xdf\x00\x00\x00\x01\xa1k\xc4\x03abc",
    ]
    deep = b"\xc0"
    for _ in range(300):
        deep = b"\xc9" + struct.pack(">IB", len(deep), 5) + deep
    mask = msgpack.MsgpackMask(_Marked(), _Refusing())
    read = 0
    for data in [*_damaged(random.Random(6), seeds), deep, b"\x91" * 5000 + b"\xc0", b"\xdd\xff\xff\xff\xff"]:
        try:
            (made,) = mask.mask(["\\x" + data.hex()])
        except UnsafeError:
            continue
        told = msgpack.parse(bytes.fromhex(made[2:])) if data else ()
        assert _shape(told) == _shape(msgpack.parse(data) if data else ())
        read += 1
    assert read > 0


def _shape(parts: Sequence[Any]) -> list[Any]:
    """A document's parts without their texts; pieces that stay are joined, for a mask may write them together."""
    made: list[Any] = []
    for part in parts:
        if isinstance(part, bytes):
            made.append(part)
        elif hasattr(part, "parts"):
            made.append((part.kind, _shape(part.parts)))
        else:
            made.append("text")
    return made


@pytest.mark.parametrize("compression", ["None", "LZ4"])
def test_files_of_a_gridstore(tmp_path: Path, compression: str) -> None:
    values = {n: b'{"who": "Wolfhard Quenzelmann %d"}' % n for n in range(12)}
    path = make(tmp_path / "store", values, compression=compression)
    files = {file: file.read_bytes() for file in sorted(path.iterdir())}
    draw = random.Random(5)
    for _ in range(ROUNDS // 2):
        file = draw.choice(list(files))
        (data,) = _few(draw, files[file])
        file.write_bytes(data)
        try:
            with Gridstore(path) as store:
                read = [value for _, batch in store.batches() for value in batch]
            assert all(isinstance(value, bytes) for value in read)
        except UnsafeError:
            pass
        file.write_bytes(files[file])


def _few(draw: random.Random, data: bytes) -> tuple[bytes]:
    made = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(min(len(made), 300))
        made[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, made[at] ^ 1 << draw.randrange(8)))
    return (bytes(made if draw.random() < 0.7 else made[: draw.randrange(len(made))]),)


def _page(draw: random.Random, special: bytes, item: Callable[[], bytes]) -> bytes:
    """A page of items with a special space; some of its bounds, line pointers and bytes are wrong."""
    upper, pointers, body = SIZE - len(special), [], bytearray(SIZE)
    for _ in range(draw.randint(0, 12)):
        data = item()
        upper -= len(data) + 7 & ~7
        body[upper : upper + len(data)] = data
        pointers.append(upper | 1 << 15 | len(data) << 17)
    body[24 : 24 + 4 * len(pointers)] = struct.pack(f"<{len(pointers)}I", *pointers)
    struct.pack_into("<HHH", body, 12, 24 + 4 * len(pointers), upper, SIZE - len(special))
    body[SIZE - len(special) :] = special
    for _ in range(draw.choice((0, 0, 1, 3, 20))):
        at = draw.choice((draw.randrange(12, 80), draw.randrange(upper - 1, SIZE)))
        body[at] = draw.randrange(256)
    return bytes(body)


def _entry(draw: random.Random) -> bytes:
    body = draw.choice((b"\x0babcd", struct.pack("<I", 9 << 2) + b"hello", draw.randbytes(draw.randint(1, 40))))
    whole = 8 + len(body) + 7 & ~7
    return (struct.pack("<HHHH", 0, draw.randrange(9), draw.randrange(300), whole) + body).ljust(whole, b"\0")


def _leaf(draw: random.Random) -> bytes:
    body = draw.choice((b"\x0babcd", struct.pack("<I", 9 << 2) + b"hello", draw.randbytes(draw.randint(1, 40))))
    whole = 16 + len(body) + 7 & ~7
    state = draw.choice((0, 0, 0, 1, 3))
    return (struct.pack("<IHHHH", whole << 2 | state, draw.randrange(4), 0, 1, 1) + bytes(4) + body).ljust(whole, b"\0")


def _inner(draw: random.Random) -> bytes:
    count, prefix = draw.randint(0, 5), draw.choice((b"", b"\x0babcd\0\0\0"))
    nodes = b"".join(struct.pack("<HHHHq", 0, draw.randrange(3), 1, 16, draw.randrange(256)) for _ in range(count))
    whole = 8 + len(prefix) + len(nodes)
    return struct.pack("<IHxx", count << 3 | len(prefix) << 16, whole) + prefix + nodes


def _element(draw: random.Random) -> bytes:
    if draw.random() < 0.5:
        vector = struct.pack("<IHH", 24 << 2, 4, 0) + bytes(16)
        return struct.pack("<BBBB", 1, 0, draw.randrange(2), 1) + bytes(68) + vector
    count = draw.randrange(8)
    return struct.pack("<BBH", 2, 1, count) + bytes(6 * draw.choice((count, 4)))


def _summary(draw: random.Random) -> bytes:
    nulls = draw.random() < 0.3
    head = struct.pack("<IB", draw.randrange(99), 8 | nulls << 7) + (bytes([draw.randrange(16)]) if nulls else b"")
    return head.ljust(8, b"\0") + struct.pack("<ii", 1, 2) + b"\x07ab\x07zz" + draw.randbytes(draw.randint(0, 9))


TWO = (Attribute("a", "int4", 4, "i", base="int4"), Attribute("b", "text", -1, "i", base="text"))
ONE = TWO[1:]


def _index(access: str, columns: tuple[Attribute, ...], *support: str) -> Relation:
    return Relation(1, "i", "i", access, "", 0, 2, columns, "", (1,), (1,), support)


def _key(draw: random.Random) -> bytes:
    """An entry of a B-tree: plain, with nulls, of a list of addresses, or of an inner page."""
    body = draw.choice((b"\x0babcd", struct.pack("<I", 9 << 2) + b"hello", draw.randbytes(draw.randint(1, 40))))
    body = bytes(draw.randrange(256) for _ in range(4)) + body
    form = draw.randrange(4)
    data = 8 + len(body) + 7 & ~7
    if form == 1:
        return (struct.pack("<HHHH", 0, 1, 1, data + 8 | 0x8000) + bytes([draw.randrange(4)]) + bytes(7) + body).ljust(
            data + 8, b"\0"
        )
    if form == 2:
        whole = data + 16
        return (struct.pack("<HHHH", 0, data, 0x2000 | 2, whole | 0x2000) + body).ljust(whole, b"\0")
    if form == 3:
        return (struct.pack("<HHHH", 0, 3, draw.choice((1, 2, 0x1002)), data + 8 | 0x2000) + body).ljust(
            data + 8, b"\0"
        )
    return (struct.pack("<HHHH", 0, 1, 1, data) + body).ljust(data, b"\0")


def _claim(access: str, pages: Any, owner: Any) -> Any:
    if access == "btree":
        return list(btree(pages, owner, TWO, (claims.STRUCTURE, claims.DERIVED), int(pages[0, 30]) % 2))
    if access == "gist":
        made = forms(_index("gist", ONE, "gbt_text_compress"), of_catalog=False)
        return list(gist(pages, owner, [one.attribute for one in made], [one.owner for one in made], 1))
    if access == "spgist":
        index = _index("spgist", ONE, "spg_text_config")
        beginnings([(0, pages)])
        return list(spgist(pages, owner, forms(index, of_catalog=False), prefix_of(index), 1, labels=True))
    if access == "brin":
        return list(brin(pages, owner, stored(_index("brin", TWO, *["brin_minmax_opcinfo"] * 2)), 1))
    if access == "gin":
        return list(gin(pages, owner, TWO, (4, 4)))
    return hashes(pages, owner) if access == "hash" else vectors(pages, owner, 1)


KINDS: dict[str, tuple[list[bytes], list[Callable[[random.Random], bytes]]]] = {
    "gist": ([struct.pack("<QIHH", 1, 2, flags, 0xFF81) for flags in (0, 1, 2)], [_entry]),
    "spgist": ([struct.pack("<HHHH", flags, 0, 0, 0xFF82) for flags in (0, 4, 12, 1)], [_leaf, _inner]),
    "btree": ([struct.pack("<IIIHH", 1, 2, 3, flags, 0) for flags in (0, 1, 2, 4, 8)], [_key]),
    "brin": ([struct.pack("<HHHH", 0, 0, 0, kind) for kind in (0xF093, 0xF092, 0xF091)], [_summary]),
    "gin": ([struct.pack("<IHH", 1, 2, flags) for flags in (0, 2, 0x83, 8)], [_entry]),
    "hash": ([struct.pack("<IIIHH", 1, 2, 3, flags, 0xFF80) for flags in (1, 2, 4, 8)], [_entry]),
    "hnsw": ([struct.pack("<IHH", 1, 0, 0xFF90)], [_element]),
    "ivfflat": ([struct.pack("<IHH", 1, 0, 0xFF84)], [_entry]),
}


@pytest.mark.parametrize("access", sorted(KINDS))
def test_pages_of_indexes(access: str) -> None:
    """Nothing is claimed behind the pages, and every key that is told of lies inside them."""
    draw = random.Random(access)
    specials, items = KINDS[access]
    claimed = 0
    for _ in range(ROUNDS // 4):
        made = [_page(draw, draw.choice(specials), lambda: draw.choice(items)(draw)) for _ in range(3)]
        pages = np.frombuffer(b"".join(made), np.uint8).reshape(-1, SIZE)
        owner = np.zeros(pages.size, np.uint8)
        for found in _claim(access, pages, owner) or () if access not in ("hnsw", "ivfflat", "hash") else ():
            keys = getattr(found, "keys", found)
            assert (keys.start <= keys.end).all() and (keys.end <= pages.size).all()
        if access in ("hnsw", "ivfflat", "hash"):
            _claim(access, pages, owner)
        claimed += int(np.count_nonzero(owner))
    assert claimed > 0
