"""An auditor of its own: values that a search of the plain bytes would miss, stored compressed or in chunks."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from envclone.models import StoreSnapshot
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.format import deform, varlena
from envclone.stores.postgres.format.page import Items, Pages, normal_items
from envclone.stores.postgres.format.segments import Range, ranges
from envclone.stores.postgres.format.toast import Chunks
from envclone.stores.postgres.format.tuples import Attribute, attributes
from envclone.stores.postgres.format.visibility import Transactions, dead
from envclone.stores.postgres.prove.arrays import elements
from envclone.stores.postgres.server import control
from envclone.stores.postgres.write.inplace import jsonb

NOT_EXPANDED = frozenset({"vector", "halfvec", "sparsevec"})
"""Types that are numbers: no text can be in them."""
_HAS_EXTERNAL = 0x0004
_ELSEWHERE = (varlena.Form.COMPRESSED, varlena.Form.EXTERNAL)


def expand(directory: Path, snapshot: StoreSnapshot) -> Iterator[tuple[str, bytes]]:
    """Every compressed value decompressed, every TOAST value put together, with its place in words.

    Goes through all heaps of all databases by the layout that the private session left. Embeddings are left out:
    they are numbers. So are texts that lie in one chunk as they are, for the search of plain bytes sees them.
    Raises UnsafeError when a page or a value is damaged.
    """
    known = layout.load(directory)
    transactions, found = control.transactions(directory / "data"), control.read(directory / "data")
    for database, relation in known.heaps():
        if not any(column.length == -1 for column in relation.attributes):
            continue
        toast = next((other for other in database.relations if other.oid == relation.toast), None)
        with ExitStack() as stack:
            chunks = None
            if toast is not None:
                chunks = stack.enter_context(
                    Chunks(directory / "data" / toast.path, known.page_size, known.segment_pages)
                )
            for part in ranges(directory / "data" / relation.path, known.page_size, segment_pages=known.segment_pages):
                yield from _values(part, relation, chunks, transactions, found.toast_chunk_size)


def _holds_elements(kind: str) -> bool:
    return kind == "anyarray" or kind.startswith("_")


def _values(
    part: Range, relation: layout.Relation, chunks: Chunks | None, transactions: Transactions, one_chunk: int
) -> Iterator[tuple[str, bytes]]:
    items = normal_items(part.pages, relation.path)
    items = items.only(~dead(part.pages, items, transactions))  # of the others only headers are left
    items = items.only(_candidates(part.pages, items))
    columns = relation.attributes
    wanted = [i for i, c in enumerate(columns) if c.length == -1 and not c.dropped and c.type not in NOT_EXPANDED]
    if not len(items) or not wanted:
        return
    for i, index, compressed, body in _stored(part.pages, items, columns, wanted):
        if compressed:
            raw = varlena.expand(body)
        elif chunks is not None:
            pointer = varlena.pointer(body)
            if pointer.stored_size <= one_chunk and not pointer.compressed and columns[index].type != "jsonb":
                continue  # it lies in its file as it is, and is searched there
            raw = chunks.value(pointer)
        else:
            continue
        if columns[index].type == "jsonb":
            raw = b"\xff".join(_texts(json.loads(jsonb.decode(raw))))
        elif _holds_elements(columns[index].type) and (held := elements(raw)) is not None:
            raw = b"\xff".join(raw[start:end] for start, end in held)
        block = part.first_block + int(items.page[i])
        yield f"{relation.name}.{columns[index].name} page {block} item {int(items.number[i])}", raw


def _stored(
    pages: Pages, items: Items, columns: Sequence[Attribute], wanted: Collection[int]
) -> Iterator[tuple[int, int, bool, bytes]]:
    """Values that are compressed or pointers: item, attribute, whether it is compressed, and the body."""
    if any(column.length == -2 for column in columns):  # C strings, in no ordinary table: one by one
        for i in range(len(items)):
            start = int(items.offset[i])
            data = pages[int(items.page[i]), start : start + int(items.length[i])].tobytes()
            for slot in attributes(data, columns):
                value = slot.varlena
                if value is not None and slot.index in wanted and value.form in _ELSEWHERE:
                    yield i, slot.index, value.form is varlena.Form.COMPRESSED, data[value.start : value.end]
        return
    flat = np.ascontiguousarray(pages).reshape(-1)
    base = items.page * pages.shape[1] + items.offset
    for index, found in deform.deform(flat, base, items.length, columns, wanted).items():
        for i in np.flatnonzero(found.present & (found.form >= deform.COMPRESSED)).tolist():
            compressed = bool(found.form[i] == deform.COMPRESSED)
            yield i, index, compressed, flat[found.body[i] : found.end[i]].tobytes()


def _texts(document: Any) -> Iterator[bytes]:
    """Every key and every scalar of a document: in jsonb's own form one follows another without a mark."""
    if isinstance(document, dict):
        for key, item in document.items():
            yield key.encode("utf-8", "surrogatepass")
            yield from _texts(item)
    elif isinstance(document, list):
        for item in document:
            yield from _texts(item)
    else:
        yield str(document).encode("utf-8", "surrogatepass")


def _candidates(pages: Pages, items: Items) -> npt.NDArray[np.bool_]:
    """Items with a TOAST pointer, or with a word that could be the header of a compressed value; few have neither."""
    if not len(items):
        return np.zeros(0, dtype=np.bool_)
    external = pages[items.page, items.offset + 20] & _HAS_EXTERNAL != 0
    words = pages.view("<u4")
    size, following = words[:, :-1] >> 2, words[:, 1:]
    likely = (words[:, :-1] & 3 == 2) & (size > 8) & (size < pages.shape[1]) & ((following & 0x3FFFFFFF) > size - 8)
    counts = np.zeros((len(pages), words.shape[1] + 1), dtype=np.int32)
    np.cumsum(likely, axis=1, out=counts[:, 1:-1])
    counts[:, -1] = counts[:, -2]
    first, last = items.offset // 4, (items.offset + items.length) // 4
    result: npt.NDArray[np.bool_] = external | (counts[items.page, last] > counts[items.page, first])
    return result
