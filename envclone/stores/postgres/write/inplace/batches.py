"""The values of one column of many rows at once: read from their pages, and put back where their length is the old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from envclone.compiled import available
from envclone.stores.postgres.write.inplace.codecs import Codec

__all__ = ["put", "read"]

_SEPARATOR = "\0"


def read(flat: Any, starts: Any, stops: Any, codec: Codec) -> list[str] | None:
    """The values between places of `flat` as the codec gives them; None when they have to be read one by one."""
    if not len(starts):
        return None
    if codec.plain and available():
        from envclone.stores.postgres.write.inplace import kernels

        block = np.empty(int((stops - starts).sum()) + len(starts) + 1, np.uint8)
        size = int(kernels.take_out(flat, starts, stops, block))
        texts = block[: max(size, 0)].tobytes().decode().split(_SEPARATOR)
        return texts if len(texts) == len(starts) and size >= 0 else None
    if codec.many is not None:
        return codec.many.decode(_bodies(flat, starts, stops))
    return None


def put(flat: Any, starts: Any, stops: Any, codec: Codec, masked: Sequence[str | None]) -> tuple[int, Sequence[int]]:
    """Overwrite the values between places of `flat`; returns how many changed, and those (from 0) that are left.

    What is left has another length, or is looked at one by one.
    """
    everything = 0, range(len(starts))
    if not len(starts) or None in masked:
        return everything
    if codec.plain and available():
        from envclone.stores.postgres.write.inplace import kernels

        data = _SEPARATOR.join(masked).encode()  # type: ignore[arg-type]
        if data.count(0) != len(starts) - 1:
            return everything
        found = np.full(len(starts), kernels.LEFT, np.uint8)
        kernels.overwrite(flat, starts, stops, np.frombuffer(data, np.uint8), codec.limited, found)
        return int((found == kernels.WRITTEN).sum()), np.flatnonzero(found == kernels.LEFT).tolist()
    made = codec.many.encode(masked) if codec.many is not None else None  # type: ignore[arg-type]
    if made is None:
        return everything
    before = _bodies(flat, starts, stops)
    if before.shape != made.shape:
        return everything
    changed = np.flatnonzero((before != made).any(axis=1))
    flat[starts[changed, None] + np.arange(made.shape[1])] = made[changed]
    return len(changed), ()


def _bodies(flat: Any, starts: Any, stops: Any) -> Any:
    """Values of one fixed length as the rows of an array."""
    return flat[starts[:, None] + np.arange(int(stops[0] - starts[0]))]
