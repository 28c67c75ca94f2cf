"""What a report says first when a copy's vector indexes are not production's, but were built again from a dump."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envclone.models import StoreSnapshot

__all__ = ["line", "stores_of"]


def stores_of(stores: Mapping[str, StoreSnapshot]) -> tuple[str, ...]:
    """The stores that were dumped and restored."""
    return tuple(name for name, store in stores.items() if store.rebuilt)


def line(stores: Sequence[str], answers: tuple[int, int] | None) -> str:
    """The words for these stores; `answers` are recorded answers that changed in a replay, and all that were compared.

    Empty when every index is production's own.
    """
    if not stores:
        return ""
    said = (
        "recorded answers were not compared yet: envclone replay INCIDENT"
        if not answers or not answers[1]
        else f"{answers[0]} of {answers[1]} recorded answers changed ({answers[0] / answers[1]:.1%})"
    )
    return f"fidelity: rebuilt: vector indexes of {', '.join(stores)} were built again from a dump; {said}"
