"""Documents of a block read and masked without a parse of each: leaves are found, gathered by path, and put back.

The counterpart of `jsontext.JsonMasker` for batches; what it cannot read is left to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from envclone.masking.jsonscan import Path, decode, encode_like
from envclone.masking.kernels import documents as kernels
from envclone.packed import TextBlock, block_of

__all__ = ["leaves_of", "masked_documents"]

K = TypeVar("K")
_KINDS = {kernels.STRING: "string", kernels.NUMBER: "number", kernels.BOOL: "bool", kernels.NULL: "null"}
_QUOTE, _SLASH, _SPACE, _SURROGATE = 34, 92, 32, 0xED
_NULL = b"null"


def masked_documents(
    block: TextBlock,
    decide: Callable[[Path, str], K | None],
    nulled: K,
    mask: Callable[[K, TextBlock], Sequence[str | None]],
) -> TextBlock | None:
    """The documents with their leaves replaced; None when one of them has to be read one by one.

    `decide` says for a path and a kind what masks it, None what stays; `nulled` leaves become null.
    """
    found = _scalars(block)
    if found is None:
        return None
    data, starts, stops, kinds, nodes, paths = found
    seen, which = _seen(block, kinds, nodes, paths)
    decided = [decide(*one) for one in seen]  # every path and kind once
    pool: list[bytes] = []
    size = 0
    firsts, lasts = np.full(len(starts), -1, np.int64), np.zeros(len(starts), np.int64)
    for key in dict.fromkeys(one for one in decided if one is not None):
        of_key = np.array([one == key for one in decided], np.bool_)
        places = np.flatnonzero(of_key[which])
        if key == nulled:
            pool.append(_NULL)
            firsts[places], lasts[places] = size, size + len(_NULL)
            size += len(_NULL)
            continue
        inner = (kinds[places] & (kernels.ESCAPED - 1) == kernels.STRING).astype(np.int64)
        starts[places] += inner
        stops[places] -= inner
        fresh = _fresh(data, starts[places], stops[places], kinds[places], partial(mask, key))
        if fresh is None:
            return None
        pool.append(fresh.block)
        firsts[places], lasts[places] = size + fresh.zeros[:-1] + 1, size + fresh.zeros[1:]
        size += len(fresh.block)
    return _spliced(block, data, starts, stops, firsts, lasts, b"".join(pool))


def _scalars(block: TextBlock) -> tuple[Any, Any, Any, Any, Any, kernels.Tree] | None:
    """Block, begins, ends, kinds and nodes of all scalars, and the paths of the nodes."""
    data = np.frombuffer(block.block, np.uint8)
    most = len(block) + int(np.isin(data, np.frombuffer(b",:[", np.uint8)).sum()) + 1
    places, kinds = np.empty((3, most), np.int64), np.empty(most, np.uint8)
    paths = kernels.tree()
    stack = np.empty((2, kernels.DEEPEST), np.int64)
    count = int(kernels.scalars(data, block.zeros, block.absent, paths, stack, places[0], places[1], kinds, places[2]))
    if count < 0:
        return None
    starts, stops, nodes = places[:, :count]
    return data, starts, stops, kinds[:count], nodes, paths


def _seen(block: TextBlock, kinds: Any, nodes: Any, paths: kernels.Tree) -> tuple[list[tuple[Path, str]], Any]:
    """The different paths and kinds of scalars, and the place among them of each scalar's."""
    both = nodes * kernels.ESCAPED | (kinds & (kernels.ESCAPED - 1))
    distinct, which = np.unique(both, return_inverse=True)
    known: dict[int, Path] = {0: ()}
    ways = [
        (_path(block.block, paths, int(one) // kernels.ESCAPED, known), _KINDS[int(one) % kernels.ESCAPED])
        for one in distinct.tolist()
    ]
    return ways, which


def leaves_of(block: TextBlock) -> Iterator[tuple[Path, str, list[str], list[int]]] | None:
    """Per path and kind of scalars but nulls: their values, in order, and the places of their documents.

    None when a document has to be read one by one.
    """
    found = _scalars(block)
    return None if found is None else _by_path(block, *found)


def _by_path(
    block: TextBlock, data: Any, starts: Any, stops: Any, kinds: Any, nodes: Any, paths: kernels.Tree
) -> Iterator[tuple[Path, str, list[str], list[int]]]:
    seen, which = _seen(block, kinds, nodes, paths)
    documents = np.searchsorted(block.zeros, starts) - 1
    for number, (path, kind) in enumerate(seen):
        if kind == "null":
            continue
        places = np.flatnonzero(which == number)
        inner = int(kind == "string")
        firsts, lasts = starts[places] + inner, stops[places] - inner
        out = np.empty(int((lasts - firsts).sum()) + len(places), np.uint8)
        size = int(kernels.gather(data, firsts, lasts, out))
        texts = out[: max(size - 1, 0)].tobytes().decode("utf-8", "surrogatepass").split("\0")
        for i in np.flatnonzero(kinds[places] & kernels.ESCAPED).tolist():
            texts[i] = decode(f'"{texts[i]}"')
        yield path, kind, texts, documents[places].tolist()


def _path(text: bytes, paths: kernels.Tree, node: int, known: dict[int, Path]) -> Path:
    """The path of a node."""
    if node not in known:
        above = _path(text, paths, int(paths.parents[node]), known)
        start = int(paths.starts[node])
        literal = text[start : int(paths.stops[node])].decode("utf-8", "surrogatepass") if start >= 0 else ""
        known[node] = (*above, "." + decode(literal) if literal else "[*]")
    return known[node]


def _fresh(
    data: Any, starts: Any, stops: Any, kinds: Any, mask: Callable[[TextBlock], Sequence[str | None]]
) -> TextBlock | None:
    """What stands in the places of some leaves; strings without their quotes."""
    out = np.empty(int((stops - starts).sum()) + len(starts), np.uint8)
    size = int(kernels.gather(data, starts, stops, out))
    values = TextBlock(out[: max(size - 1, 0)].tobytes(), np.zeros(len(starts), np.bool_))
    odd = np.flatnonzero(kinds & kernels.ESCAPED).tolist()
    spelled = [f'"{values.text(i)}"' for i in odd]
    if odd:
        try:
            values = values.replaced(odd, [decode(one) for one in spelled])
        except ValueError:  # a zero in a value
            return None
    made = mask(values)
    if None in made if not isinstance(made, TextBlock) else made.absent.any():
        return None
    masked = block_of(made)
    letters = np.frombuffer(masked.block, np.uint8)
    special = (letters == _QUOTE) | (letters == _SLASH) | ((letters < _SPACE) & (letters > 0)) | (letters == _SURROGATE)
    more = np.unique(np.searchsorted(masked.zeros, np.flatnonzero(special)) - 1).tolist() if special.any() else []
    literals = dict(zip(odd, spelled, strict=True))
    places = sorted({*odd, *more})
    return masked.replaced(places, [encode_like(masked.text(i), literals.get(i, '""'))[1:-1] for i in places])


def _spliced(
    block: TextBlock, data: Any, starts: Any, stops: Any, firsts: Any, lasts: Any, pool: bytes
) -> TextBlock | None:
    """The documents with the leaves replaced that have a place in the pool."""
    those = firsts >= 0
    starts, stops, firsts, lasts = starts[those], stops[those], firsts[those], lasts[those]
    room = len(block.block) + int((lasts - firsts).sum() - (stops - starts).sum())
    out = np.empty(max(room, 0), np.uint8)
    size = int(kernels.splice(data, starts, stops, np.frombuffer(pool, np.uint8), firsts, lasts, out))
    return None if size < 0 else TextBlock(out[:size].tobytes(), block.absent)
