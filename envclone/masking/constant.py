"""The mask that makes every value the same."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ConstantMask"]


class ConstantMask:
    """Every value becomes `value`: not unique, without length or class of the original, not reversible."""

    def __init__(self, value: str) -> None:
        self._value = value

    def mask(self, values: Sequence[str]) -> list[str]:
        """The constant, as many times as there are values."""
        return [self._value] * len(values)
