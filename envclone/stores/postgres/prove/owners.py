"""From the owners of a file's bytes to a piece of its account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from envclone.compiled import available, frozen
from envclone.models import Accounted, ByteClass, Flaw, Values
from envclone.stores.postgres.format import claims

__all__ = ["named", "piece"]

_CLASSES = (
    ByteClass.ZERO,
    ByteClass.STRUCTURE,
    ByteClass.MASKED,
    ByteClass.KEPT,
    ByteClass.DERIVED,
    ByteClass.UNDECODED,
)
_SHOWN = 5
_GAP = 64


def piece(
    directory: Path,
    path: Path,
    offset: int,
    pages: Any,
    owner: Any,
    *,
    place: str,
    first_block: int,
    strict: bool,
    values: Sequence[Values] = (),
    raw: bool = False,
) -> Accounted:
    """The account of pages (pages, page size) at `offset` of a file, whose bytes have the owners of the same shape.

    What nobody owns and is not zero is a flaw when this is `strict`, else it counts as not decoded. `place` names the
    relation, `first_block` the first page's number in it. All of it is searched as it is when this is `raw`.
    """
    flat, size = pages.reshape(-1), pages.shape[1]
    owner = owner.reshape(-1)
    counted = None if raw else _counted(flat, owner)
    if counted is not None:
        return Accounted(named(directory, path), counted, values, [], [], place)
    left = (owner == claims.NOBODY) & (flat != 0)
    flaws: list[Flaw] = []
    if left.any():
        if strict:
            at = np.flatnonzero(left)
            flaws = [
                Flaw(f"{place}, page {first_block + block}", f"{count} bytes of no row that anybody sees are not zero")
                for block, count in zip(*(n.tolist() for n in np.unique(at // size, return_counts=True)), strict=True)
            ][:_SHOWN]
        owner = np.where(left, np.uint8(claims.UNDECODED), owner)
    counts = {one: int(np.count_nonzero(owner == number)) for number, one in enumerate(_CLASSES)}
    undecoded = [(offset, owner.size)] if raw else []
    if counts[ByteClass.UNDECODED] and not raw:
        undecoded = [(offset + a, b - a) for a, b in runs(_widened(owner == claims.UNDECODED))]
    return Accounted(named(directory, path), counts, values, undecoded, flaws, place)


def _counted(flat: Any, owner: Any) -> dict[ByteClass, int] | None:
    """How many bytes each class has; None when there is one that is not decoded, or not zero and nobody's."""
    if not available() or flat.size % 8:
        return None
    counts = np.zeros(len(_CLASSES), np.int64)
    words = np.ascontiguousarray(frozen(flat)).view(np.uint64)
    if claims.tally(frozen(words), owner.view(np.uint64), counts) or counts[claims.UNDECODED]:
        return None
    return dict(zip(_CLASSES, counts.tolist(), strict=True))


def named(directory: Path, path: Path) -> str:
    """A file's path below the store's directory; of one in a tablespace that where it lies, and not the link to it."""
    if "pg_tblspc" in path.parts:
        path, directory = path.resolve(), directory.resolve()
    return path.relative_to(directory).as_posix()


def _widened(chosen: Any) -> Any:
    """With the gaps of few bytes between stretches: zeros parted what belongs together."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], chosen.view(np.int8), [0]))))
    first, last = edges[2::2], edges[1:-1:2]
    wide = chosen.copy()
    for start, end in zip(last.tolist(), first.tolist(), strict=True):
        if end - start <= _GAP:
            wide[start:end] = True
    return wide


def runs(chosen: Any) -> Iterator[tuple[int, int]]:
    """Where stretches of True begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], chosen.view(np.int8), [0]))))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
