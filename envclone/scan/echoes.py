"""Columns that are to be kept and say again what a masked one says: `hugo-boss` beside `Hugo Boss`, or the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from envclone.address import Address
from envclone.masking.kinds import KINDS, fits
from envclone.masking.nobody import usual
from envclone.models import Field, FieldKind, Inventory
from envclone.scan.propose import Proposal, Sample
from envclone.scan.things import mixed
from envclone.verifier.originals import strong

__all__ = ["NOT_IN_TEXTS", "without_copies", "without_echoes"]

_SEARCHED = frozenset(name for name, kind in KINDS.items() if kind.identity) | {"ip", "mac", "secret", "key"}
"""Kinds whose values are the same for whoever they are found with."""
_MOST_OF = 0.5
"""The part of a text's values from which on it is called what these are."""
_NEARLY_ALL = 0.9
_FORMS = {
    "email": re.compile("@"),
    **dict.fromkeys(("phone", "iban", "card", "national_id"), re.compile(r"(?:\d\W*){5}")),
}
"""What values of kinds that a mask of texts finds by their form have."""
NOT_IN_TEXTS = frozenset(("key", "secret"))
"""What a mask of texts does not find."""
_SHORTEST = 6
"""Letters and digits of a value that is looked for."""


def without_echoes(
    proposals: Sequence[Proposal], samples: Mapping[str, Mapping[str, Sample]], inventory: Inventory
) -> list[Proposal]:
    """The proposals, with a mask for each kept text in which a value of an identity of the same table is spelled."""
    known: dict[str, dict[str, str]] = {}
    for one in proposals:
        if one.domain in KINDS and KINDS[one.domain].identity and not one.path:
            its = known.setdefault(Address.parse(one.address).holder, {})
            for value in samples.get(one.address, {}).get("", Sample()).texts:
                if len(plain := _plain(value)) >= _SHORTEST and " " in value.strip():
                    its.setdefault(plain, one.address)
    return [_echo(one, known, samples, inventory) for one in proposals]


def _echo(
    one: Proposal,
    known: Mapping[str, Mapping[str, str]],
    samples: Mapping[str, Mapping[str, Sample]],
    inventory: Inventory,
) -> Proposal:
    field = inventory.fields[one.address]
    if one.domain != "keep" or one.path or one.named or field.kind is not FieldKind.TEXT:
        return one
    values = {_plain(v) for v in samples.get(one.address, {}).get("", Sample()).texts}
    said = known.get(Address.parse(one.address).holder, {})
    source = next((address for plain, address in said.items() if any(plain in value for value in values)), "")
    if not source:
        return one
    domain = "username" if field.unique and fits("username", field) else "text"
    return replace(one, domain=domain, confidence=0.6, why=f"it says again what {source} says")


def without_copies(
    proposals: Sequence[Proposal], samples: Mapping[str, Mapping[str, Sample]], inventory: Inventory
) -> list[Proposal]:
    """The proposals, with a mask for each kept text or UUID that is the very value of a masked field, wherever that is.

    The image would be refused for them: only values that the search for originals knows by themselves count. A mask of
    texts leaves keys, secrets and some streets as they are, so that texts that hold them alone are masked as these are.
    """
    nobody, known = usual(), dict[str, Proposal]()
    found, new = list(proposals), list(proposals)
    while new:  # what is masked now can stand in others again
        for one in new:
            if one.domain in _SEARCHED:
                for value in samples.get(one.address, {}).get(one.path, Sample()).texts:
                    text = value.strip()
                    if strong(one.domain, text) and not nobody.holds(one.domain, text):
                        known.setdefault(text, one)
        before = found
        found = [_copy(one, known, samples, inventory.fields[one.address]) for one in before]
        new = [one for one, old in zip(found, before, strict=True) if one is not old]
    return found


def _copy(
    one: Proposal, known: Mapping[str, Proposal], samples: Mapping[str, Mapping[str, Sample]], field: Field
) -> Proposal:
    readable = field.kind in (FieldKind.TEXT, FieldKind.JSON) or field.base == "uuid"
    if one.domain not in ("keep", "text") or one.named or not readable:
        return one
    values = {value.strip() for value in samples.get(one.address, {}).get(one.path, Sample()).texts}
    its = [known[value] for value in sorted(values) if value in known]
    source = its[0] if its and (one.domain == "keep" or len(its) >= _MOST_OF * len(values)) else None
    mixed_in = source is not None and not _alike(source.domain, values)
    if mixed_in and one.domain == "text":
        return one  # the mask of texts finds these, and leaves what else stands there
    if source is None or not (one.path or fits(source.domain, field)):
        return one
    if one.domain == "text" and source.domain == "person" and mixed(values):
        return one  # the mask of texts finds the persons, and leaves what else is called so
    place = f"{source.address} {source.path}".strip()
    domain = "text" if mixed_in and not field.unique and (one.path or fits("text", field)) else source.domain
    return replace(one, domain=domain, confidence=0.6, why=f"it holds values of {place}, which are masked")


def _alike(domain: str, values: Collection[str]) -> bool:
    """Whether all but a few values have a kind's form, as far as it has one: statuses beside addresses do not."""
    form = _FORMS.get(domain)
    return form is None or sum(form.search(value) is not None for value in values) >= _NEARLY_ALL * len(values)


def _plain(value: str) -> str:
    """Letters and digits alone, without case and accents."""
    letters = unicodedata.normalize("NFKD", value.casefold())
    return "".join(char for char in letters if char.isalnum())
