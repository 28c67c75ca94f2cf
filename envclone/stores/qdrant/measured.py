"""Points in the order of a distance that their collection does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envclone.models import Record

__all__ = ["ranked"]


def ranked(vector: Any, records: Sequence[Record], distance: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The ids of records, nearest first, and the distances: smaller is nearer, also of a product."""
    import numpy as np

    there = [one for one in records if one.vector and len(one.vector) == len(vector)]
    if not there:
        return (), ()
    rows, asked = np.array([one.vector for one in there], dtype=np.float64), np.array(vector, dtype=np.float64)
    if distance == "cosine":
        lengths = np.linalg.norm(rows, axis=1) * (np.linalg.norm(asked) or 1.0)
        far = 1 - rows @ asked / np.where(lengths > 0, lengths, 1.0)
    elif distance == "dot":
        far = -(rows @ asked)
    else:
        far = np.linalg.norm(rows - asked, ord=1 if distance == "manhattan" else 2, axis=1)
    order = np.argsort(far, kind="stable")
    return tuple(there[one].id for one in order), tuple(float(far[one]) for one in order)
