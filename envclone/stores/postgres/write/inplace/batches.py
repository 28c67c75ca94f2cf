"""The values of one column of many rows at once: read from their pages, and put back where their length is the old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from envclone.compiled import available, frozen
from envclone.packed import TextBlock, block_of
from envclone.stores.postgres.format import printed, rows
from envclone.stores.postgres.write.inplace.codecs import Codec

__all__ = ["put", "read"]


def read(flat: Any, starts: Any, stops: Any, codec: Codec) -> Sequence[Any] | None:
    """The values between places of `flat` as the codec gives them; None when they have to be read one by one."""
    if not len(starts):
        return None
    if codec.plain and available():
        from envclone.stores.postgres.write.inplace import kernels

        block = np.empty(int((stops - starts).sum()) + len(starts) + 1, np.uint8)
        size = int(kernels.take_out(flat, starts, stops, block))
        try:
            return TextBlock(block[:size].tobytes(), np.zeros(len(starts), np.bool_)) if size >= 0 else None
        except ValueError:  # a zero byte, which the codec looks at
            return None
    if codec.formed is not None and available():
        room = codec.formed.room(int((stops - starts).sum()), len(starts))
        return _printed(flat, starts, stops, codec.formed.printed, room)
    if codec.many is None:
        return None
    shown = _printed(flat, starts, stops, codec.many.printed, printed.WIDEST * len(starts))
    return codec.many.decode(_bodies(flat, starts, stops)) if shown is None else shown


def _printed(flat: Any, starts: Any, stops: Any, kernel: Any, room: int) -> TextBlock | None:
    """Values as a kernel prints them; None where one is printed by Python alone."""
    if kernel is None or not available():
        return None
    only_read = flat.view()
    only_read.flags.writeable = False
    block = np.empty(room + 1, np.uint8)
    size = int(kernel(only_read, starts, stops, np.full(len(starts), rows.FIXED, np.uint8), block))
    return None if size < 1 else TextBlock(block[: size - 1].tobytes(), np.zeros(len(starts), np.bool_))


def put(
    flat: Any, starts: Any, stops: Any, codec: Codec, masked: Sequence[str | None]
) -> tuple[int, Sequence[int], Mapping[int, bytes]]:
    """Overwrite the values between places of `flat`; returns how many changed, and those (from 0) that are left.

    What is left has another length, or is looked at one by one; of some the new bytes are given, too.
    """
    everything: tuple[int, Sequence[int], Mapping[int, bytes]] = 0, range(len(starts)), {}
    if not len(starts) or (masked.absent.any() if isinstance(masked, TextBlock) else None in masked):
        return everything
    if (codec.plain or codec.formed is not None) and available():
        try:
            block = block_of(masked)
        except ValueError:  # a zero in a value
            return everything
        return _overwritten(flat, starts, stops, codec, block)
    made = codec.many.encode(masked) if codec.many is not None else None
    if made is None:
        return everything
    before = _bodies(flat, starts, stops)
    if before.shape != made.shape:
        return everything
    changed = np.flatnonzero((before != made).any(axis=1))
    flat[starts[changed, None] + np.arange(made.shape[1])] = made[changed]
    return len(changed), (), {}


def _overwritten(
    flat: Any, starts: Any, stops: Any, codec: Codec, block: TextBlock
) -> tuple[int, Sequence[int], Mapping[int, bytes]]:
    """`put` by compiled loops."""
    from envclone.stores.postgres.write.inplace import kernels

    found = np.full(len(starts), kernels.LEFT, np.uint8)
    if codec.formed is None:
        data, firsts, lasts = np.frombuffer(block.block, np.uint8), block.zeros[:-1] + 1, block.zeros[1:].copy()
    else:
        made, firsts, lasts = codec.formed.write(block, flat, starts, stops)
        data = frozen(made)
    kernels.overwrite(flat, starts, stops, data, firsts, lasts, codec.limited, found)
    left: list[int] = np.flatnonzero(found == kernels.LEFT).tolist()
    ready = {k: data[firsts[k] : lasts[k]].tobytes() for k in left if lasts[k] >= 0} if codec.formed else {}
    return int((found == kernels.WRITTEN).sum()), left, ready


def _bodies(flat: Any, starts: Any, stops: Any) -> Any:
    """Values of one fixed length as the rows of an array."""
    return flat[starts[:, None] + np.arange(int(stops[0] - starts[0]))]
