"""Rules of materialized views: a column that plainly is another one has its rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from envclone.address import Address, items, pieces
from envclone.masking.addresses import exact
from envclone.models import Field, FieldRule

__all__ = ["firm", "in_order", "subjects"]


def firm(pattern: str, field: Field) -> bool:
    """Whether a rule names the field's own view, whatever it says of the columns."""
    if exact(pattern):
        return True
    names = Address.parse(field.address).parts
    return [piece.text for piece in pieces(pattern)][: len(names) - 1] == list(names[:-1])


def in_order(fields: Collection[Field]) -> Iterable[Field]:
    """Each behind the one that it shows."""
    waiting = {field.address: field for field in fields}
    while waiting:
        ready = [field for field in waiting.values() if field.shows not in waiting]
        yield from ready
        for field in ready or list(waiting.values()):
            del waiting[field.address]


def subjects(rule: FieldRule, field: Field, fields: Mapping[str, Field]) -> tuple[str, list[str]]:
    """A rule's `by` in the words of the view that shows its field, and what of it the view lacks."""
    holder = Address.parse(field.address).holder
    beside = {f.shows: f.address for f in fields.values() if f.shows and Address.parse(f.address).holder == holder}
    named = items(rule.by) if rule.by else []
    return ",".join(beside[one] for one in named if one in beside), [one for one in named if one not in beside]
