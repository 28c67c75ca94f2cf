"""What refers to nothing, and what nothing refers to, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["referring"]


def referring(one: Mapping[str, Any]) -> str:
    """The counts of a declared reference, here and in production, with examples as a branch shows them."""
    said = f"{one['dangling']:,} dangle (production: {one['dangling_in_production']:,})" + _such(
        one.get("examples", ())
    )
    if "unreferenced" in one:
        said += (
            f"; nothing refers to {one['unreferenced']:,} (production: {one['unreferenced_in_production']:,})"
            + _such(one["unreferenced_examples"])
        )
    return said


def _such(examples: Sequence[str]) -> str:
    return f", such as {', '.join(examples)}" if examples else ""
