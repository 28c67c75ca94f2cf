"""What a clone's roles and functions could do in production and cannot do here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envclone.models import Cleaned

__all__ = ["Taken", "as_cleaned"]

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Taken:
    """`what` had `right` in production; `group` is the line of the attestation that it counts in."""

    group: str
    what: str
    right: str


def as_cleaned(taken: Iterable[Taken]) -> Sequence[Cleaned]:
    """One line per group, with the first of what it counts by name."""
    groups: dict[str, list[str]] = {}
    for item in taken:
        groups.setdefault(item.group, []).append(f"{item.what}: {item.right}")
    return [
        Cleaned(
            group, len(names), "; ".join(names[:_SHOWN]) + (f"; and {len(names) - _SHOWN} more" * (len(names) > _SHOWN))
        )
        for group, names in groups.items()
    ]
