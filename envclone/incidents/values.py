"""When two values of a result are the same: plain JSON values, compared exactly."""

from __future__ import annotations

import math
import struct
from collections.abc import Hashable
from typing import Any

__all__ = ["canonical", "scores_equal", "single_precision"]


def canonical(value: Any) -> Hashable:
    """A hashable form that is equal exactly for equal values.

    Numbers are equal by value (1 and 1.0, 0.0 and -0.0), NaN equals NaN, `true` is not 1; the keys of an object have
    no order.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float):
        return ("number", "NaN") if math.isnan(value) else ("number", value)
    if isinstance(value, dict):
        return ("object", frozenset((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return ("array", tuple(canonical(item) for item in value))
    return (type(value).__name__, str(value))


def single_precision(value: float) -> float:
    """The nearest 32-bit float: a vector store's score is one, however many digits its client printed."""
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return value
    return rounded


def scores_equal(expected: Any, actual: Any, tolerance: float = 0.0) -> bool:
    """Whether two scores are equal, or with a tolerance differ by no more than that (absolute)."""
    if tolerance and _number(expected) and _number(actual):
        return canonical(expected) == canonical(actual) or abs(expected - actual) <= tolerance
    return canonical(expected) == canonical(actual)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
