"""What is known of the tables that columns stand in: which are looked up, and which hold persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envclone.address import Address
from envclone.masking.guesses import by_name, part_of_a_name
from envclone.models import Field, FieldKind, Inventory
from envclone.scan.propose import Holder

__all__ = ["holders_of"]

_SHORT = 60
"""Rows that a table has at most whose rows are a list to choose from."""
_PERSONAL = frozenset(("email", "phone", "username", "iban", "card", "national_id"))


def holders_of(inventory: Inventory, samples: Mapping[str, Sequence[str]]) -> dict[str, Holder]:
    """Per table or collection what its other columns tell; `samples` are some values by address."""
    personal: set[str] = set()
    referred: set[str] = set()
    for address, field in inventory.fields.items():
        holder = Address.parse(address).holder
        if _is_personal(field, samples.get(address, ())):
            personal.add(holder)
        others = {Address.parse(other).holder for other in field.group} - {holder}
        if field.unique and others:
            referred.add(holder)
    return {
        holder: Holder(holder in referred and rows <= _SHORT and holder not in personal, holder in personal)
        for holder, rows in inventory.rows.items()
    }


def _is_personal(field: Field, values: Sequence[str]) -> bool:
    if field.kind is not FieldKind.TEXT or field.generated:
        return False
    present = [value for value in values if value.strip()]
    if sum("@" in value for value in present) > len(present) / 2:
        return True
    name = Address.parse(field.address).name
    return bool(present) and (by_name(name) in _PERSONAL or part_of_a_name(field.address))
