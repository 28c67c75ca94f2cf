"""Proposals for tables that many applications have: by the shape of the table, before any value is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from envclone.masking import presets
from envclone.masking.presets import Rules
from envclone.models import FieldKind, Inventory
from envclone.scan.propose import Proposal

__all__ = ["from_presets", "presets_of", "together"]

_TELLING = frozenset(("email", "phone", "iban", "card", "national_id"))
"""What values tell by their form alone, whatever the application calls their column."""


def from_presets(inventory: Inventory, own: Rules, wanted: Mapping[str, set[str]]) -> list[Proposal]:
    """The rules that recognized presets have for fields that are `wanted`, by address; `own` decides before them."""
    rules, sources = presets.rules_of(presets.recognized(inventory), inventory, own)
    return [
        one
        for address, rule in rules.items()
        if address in wanted
        for one in _proposed(inventory, address, rule, sources[address])
    ]


def _proposed(inventory: Inventory, address: str, rule: str | Mapping[str, str], preset: str) -> Iterator[Proposal]:
    field = inventory.fields[address]
    named = "vectors" if field.kind is FieldKind.VECTOR else ""
    for path, domain in ({"": rule} if isinstance(rule, str) else rule).items():
        why = f"a table of the preset {preset}"
        yield Proposal(address, path, field.type, domain, 0.9, why, "", named, field.base, preset)


def together(of_presets: Sequence[Proposal], looked: Sequence[Proposal], inventory: Inventory) -> list[Proposal]:
    """The presets' proposals, and those from looking at values for all other fields.

    A column that a preset keeps is masked all the same where its values tell of somebody by their form. A field tied by
    a foreign key to one that a preset decides follows it.
    """
    telling = {one.address: one for one in looked if not one.path and one.domain in _TELLING}
    kept = [telling.get(one.address, one) if one.domain == "keep" and not one.path else one for one in of_presets]
    decided = {one.address for one in of_presets}
    tied = {other for address in decided for other in inventory.fields[address].group}
    return [*kept, *(one for one in looked if one.address not in decided | tied)]


def presets_of(proposals: Mapping[str, Sequence[Proposal]]) -> list[str]:
    """The presets that proposals come from, sorted."""
    return sorted({one.preset for its in proposals.values() for one in its if one.preset})
