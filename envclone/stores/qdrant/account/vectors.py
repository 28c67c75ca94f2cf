"""Vectors, their graphs and their sparse indexes: structure under a written rule, in sizes that their headers tell.

    matrix.dat, deleted.dat    "data" and rows; "drop", zeros to 8 bytes, one bit per point
    chunk_<n>.mmap             rows of chunk_size_bytes / chunk_size_vectors (config.json), as many as status.dat says
    flags_a.dat                bits, as many as status.dat says
    quantized.data             rows; quantized.meta.json says how many
    graph.bin                  m, m0, ef; a list of entry points (uint32 point, uint64 level); another, and its length
    links.bin                  points, levels, links, offsets, padding; then levels, order, links, offsets
    links_compressed.bin       points, version, levels, bytes of links, how offsets are packed, m, m0; then the same
    links_comp_vec.bin         the same, and the sizes of the vectors that stand between the links
    inverted_index.dat         per dimension uint64 where its list begins, uint32 last point, uint32 bytes, uint32
                               chunks, parameters; then the lists
    store/                     a Gridstore of sparse vectors: uint64 and packed dimensions, uint64 and float32 weights

Read from Qdrant 1.13 to 1.19 (`lib/segment/src/vector_storage`, `lib/segment/src/index`, `lib/sparse`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from envclone.models import ByteClass, Values
from envclone.stores.qdrant.account.claims import Claims, Damaged
from envclone.stores.qdrant.account.containers import bits
from envclone.stores.qdrant.account.gridstores import Shares, whole

__all__ = [
    "chunk",
    "deleted",
    "entry_points",
    "flags",
    "inverted_index",
    "links",
    "matrix",
    "quantized",
    "rows",
    "sparse",
    "status",
    "width_of",
]

_STRUCTURE = ByteClass.STRUCTURE
_ELEMENT = {"float32": 4, "float16": 2, "uint8": 1}
_COMPRESSED, _WITH_VECTORS = 0xFFFF_FFFF_FFFF_FF01, 0xFFFF_FFFF_FFFF_FF02
_ENTRY = 12


def width_of(config: Mapping[str, Any]) -> int | None:
    """The bytes of one vector as a segment's configuration describes it; None when it is quantized as it is stored."""
    element = _ELEMENT.get(str(config.get("datatype") or "float32").lower())
    size = config.get("size")
    return size * element if isinstance(size, int) and element else None


def matrix(claims: Claims, points: int, width: int | None) -> None:
    """A header of four bytes, and as many rows of this width as the segment has points."""
    if claims.read(0, 4) != b"data" or (width is not None and claims.size != 4 + points * width):
        raise Damaged("its size does not fit its points")
    rows(claims, points, start=4)


def rows(claims: Claims, count: int, *, start: int = 0) -> None:
    """So many rows of one size, to the end of the file."""
    if (claims.size - start) % max(count, 1) or (not count and claims.size > start):
        raise Damaged("its size does not fit its rows")
    claims.claim(_STRUCTURE, 0, claims.size)


def quantized(claims: Claims, points: int) -> None:
    """Rows, as many as the metadata beside them say, or as the segment has points."""
    beside = claims.path.with_name("quantized.meta.json")
    known = _json(beside).get("vector_parameters") if beside.exists() else None
    count = known.get("count") if isinstance(known, dict) else None
    rows(claims, count if isinstance(count, int) and count > 0 else points)


def deleted(claims: Claims, points: int) -> None:
    """A header, and a bit per point."""
    if claims.read(0, 4) != b"drop":
        raise Damaged("it is not a list of deleted vectors")
    claims.claim(_STRUCTURE, 0, 4)
    bits(claims, 8, min(points, 8 * (claims.size - 8)))


def status(claims: Claims) -> None:
    """How many items there are (uint64), and for flags which file holds them."""
    if claims.size not in (8, 16) or (claims.size == 16 and claims.number(8) > 1):
        raise Damaged("it is not a status that is known")
    claims.claim(_STRUCTURE, 0, claims.size)


def flags(claims: Claims) -> None:
    """Bits, as many as the status beside them says."""
    with Claims(claims.path.with_name("status.dat")) as beside:
        count = beside.number(0)
    bits(claims, 0, min(count, 8 * claims.size))


def chunk(claims: Claims, number: int, width: int | None) -> None:
    """The chunk with this number: the rows of it that are in use, of this width where it is known."""
    config = _json(claims.path.with_name("config.json"))
    size, per = config.get("chunk_size_bytes"), config.get("chunk_size_vectors")
    if not (
        isinstance(size, int) and isinstance(per, int) and per > 0 and size % per == 0 and width in (None, size // per)
    ):
        raise Damaged("its config.json has no sizes that fit")
    with Claims(claims.path.with_name("status.dat")) as beside:
        count = beside.number(0)
    used = max(0, min(count - number * per, per))
    claims.claim(_STRUCTURE, 0, used * (size // per))


def entry_points(claims: Claims) -> None:
    """The graph's parameters and its points of entry."""
    position = 24
    for _ in range(2):
        count = claims.number(position)
        if count > claims.size:
            raise Damaged("it counts more entries than it has bytes")
        position += 8 + count * _ENTRY
    if position + 8 != claims.size:
        raise Damaged("its size does not fit its entries")
    claims.claim(_STRUCTURE, 0, claims.size)


def links(claims: Claims) -> None:
    """The graph's links in one of their three forms."""
    points, second, levels = (claims.number(8 * place) for place in range(3))
    if second == _COMPRESSED:
        end = 64 + 8 * levels + 4 * points + claims.number(24) + _packed(claims)
    elif second == _WITH_VECTORS:
        alignment = max(claims.number(67, 1), claims.number(76, 1), 1)
        end = -(-(80 + 8 * levels + 4 * points) // alignment) * alignment + claims.number(24) + _packed(claims)
    else:
        points, levels, count, offsets, padding = (claims.number(8 * place) for place in range(5))
        end = 64 + 8 * levels + 4 * points + 4 * count + padding + 8 * offsets
    if end != claims.size:
        raise Damaged("its size does not fit its header")
    claims.claim(_STRUCTURE, 0, claims.size)


def _packed(claims: Claims) -> int:
    """The bytes that the packed offsets of a graph take up."""
    length, base, delta, log = claims.number(32), *(claims.number(40 + place, 1) for place in range(3))
    if log > 7:
        raise Damaged("its offsets are packed in a way that is not known")
    return -(-length // (1 << log)) * (-(-(base + delta * ((1 << log) - 1)) // 8)) + 7


def inverted_index(claims: Claims) -> None:
    """The list of each dimension of a sparse index."""
    count = _json(claims.path.with_name("inverted_index_config.json")).get("posting_count")
    if not isinstance(count, int) or count < 0:
        raise Damaged("its config does not say how many lists there are")
    if not count:
        return
    width = claims.number(0) // count
    if width not in (24, 28, 32) or width * count > claims.size:
        raise Damaged("its lists do not begin behind their headers")
    begin = claims.array(np.dtype([("start", "<u8"), ("rest", f"V{width - 8}")]), 0, count)["start"].astype(np.int64)
    ends = np.append(begin[1:], claims.size)
    if int(begin[0]) != width * count or (begin > ends).any():
        raise Damaged("its lists do not follow one another")
    claims.claim(_STRUCTURE, 0, claims.size)


def sparse(points: list[int], values: list[bytes]) -> tuple[list[Shares], list[Values]]:
    """Reads a batch of sparse vectors: each is dimensions and weights, and nothing behind them. Raises Damaged."""
    for value in values:
        packed = int.from_bytes(value[:8], "little")
        weights = int.from_bytes(value[8 + packed : 16 + packed], "little")
        if packed + 16 > len(value) or len(value) != 16 + packed + 4 * weights:
            raise Damaged("a value of it is not a sparse vector")
    return whole(points, values)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise Damaged(f"{path.name} beside it cannot be read") from None
    return found if isinstance(found, dict) else {}
