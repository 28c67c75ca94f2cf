"""From names, types and sampled values to a rule for every field that has none, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from envclone.errors import EnvcloneError
from envclone.masking.guesses import by_name, guess
from envclone.masking.kinds import KINDS, fits
from envclone.masking.masks import MaskSet
from envclone.models import Field, FieldKind
from envclone.scan.values import Looks, look

__all__ = ["Proposal", "propose"]

_NUMERIC = frozenset(("int2", "int4", "int8", "numeric", "float4", "float8", "bool"))
_TELLING = frozenset(("phone", "card", "national_id", "date", "number"))
_SHORTEST = 2


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule to propose: `path` is a JSON path inside the field, or ''; `example` is one value, already masked."""

    address: str
    path: str
    type: str
    domain: str
    confidence: float
    why: str
    example: str

    @property
    def personal(self) -> bool:
        """Whether the field is taken for one that holds personal data."""
        return self.domain != "keep"


def propose(
    field: Field, samples: Mapping[str, Sequence[str]], masks: MaskSet, second: Mapping[str, Looks] | None = None
) -> list[Proposal]:
    """The proposals for one field: one, or for JSON one per path.

    `samples` are values by path ('' is the field itself), `second` what another recognizer says of them.
    """
    if field.kind is FieldKind.VECTOR:
        return [Proposal(field.address, "", field.type, "keep", 1.0, "a vector: name it to keep it", "")]
    if field.kind is FieldKind.JSON and samples:
        return [_one(field, path, values, masks, second or {}) for path, values in sorted(samples.items())]
    return [_one(field, "", samples.get("", ()), masks, second or {})]


def _one(field: Field, path: str, values: Sequence[str], masks: MaskSet, second: Mapping[str, Looks]) -> Proposal:
    name, holder = _names(field, path)
    told = by_name(name, holder)
    seen = look(values) if _has_text(field) else None
    other = second.get(path)
    domain, confidence, why = _decide(field, path, values, told, seen, other)
    return Proposal(field.address, path, field.type, domain, round(confidence, 2), why, _example(masks, domain, values))


def _decide(
    field: Field, path: str, values: Sequence[str], told: str, seen: Looks | None, other: Looks | None
) -> tuple[str, float, str]:
    """The domain, how sure it is, and why."""
    if path and not any(values):
        return "keep", 0.7, "no text"
    if not _has_text(field) and not path:
        domain = guess(field)
        if field.base.removesuffix("[]") in _NUMERIC and domain not in _TELLING:
            return "keep", 0.7, f"a number of type {field.type}"
        return domain, 0.8 if domain != "keep" else 0.6, f"its name and its type {field.type}"
    if seen is not None and seen.kind != "keep" and not (seen.kind == "person" and told in _OTHER_NAMES):
        domain, confidence, why = seen.kind, 0.6 + 0.35 * seen.part, seen.why
        if told == domain:
            confidence, why = min(0.99, confidence + 0.05), f"{why}, and its name says so"
        elif domain in ("text", "username", "person") and told not in ("", "keep", "text"):
            domain, confidence, why = told, 0.75, f"its name; {seen.why}"
    elif other is not None and told in ("", "text"):
        domain, confidence, why = other.kind, 0.5 + 0.3 * other.part, other.why
    elif told and told != "keep":
        domain, confidence, why = told, 0.7, "its name"
    elif told == "keep" or (seen is not None and seen.kind == "keep"):
        domain, confidence, why = "keep", 0.7 if seen is None else 0.8, seen.why if seen is not None else "its name"
    else:
        domain, confidence, why = "text", 0.4, "nothing is known of it: free text is the safe choice"
    return _fitting(field, path, domain), confidence, why


_OTHER_NAMES = frozenset(("keep", "address", "company"))
"""What a name can say that the dictionary must not outvote: towns and firms are called like persons."""


def _fitting(field: Field, path: str, domain: str) -> str:
    if not path and field.unique and not KINDS[domain].injective:
        return "key" if fits("key", field) else "keep"
    if not path and field.kind is not FieldKind.JSON and not fits(domain, field):
        return "keep"
    return domain


def _names(field: Field, path: str) -> tuple[str, str]:
    """The name that tells of a value, and that of what holds it."""
    keys = [*field.address.split("."), *re.findall(r"[^.\[\]'\"*$]+", path)]
    return keys[-1], keys[-2] if len(keys) >= _SHORTEST else ""


def _has_text(field: Field) -> bool:
    return field.kind in (FieldKind.TEXT, FieldKind.JSON) or (
        field.kind is FieldKind.ARRAY
        and field.base.removesuffix("[]") in ("text", "varchar", "bpchar", "citext", "name")
    )


def _example(masks: MaskSet, domain: str, values: Sequence[str]) -> str:
    """One value as it would come out; '' when none can be shown."""
    value = next((value for value in values if value and value.strip()), "")
    if not value or domain in ("keep", "null"):
        return "" if domain != "keep" else "(kept)"
    try:
        masked = masks.value(domain, value[:200])
    except EnvcloneError:
        return ""
    return "" if masked is None else " ".join(masked.split())[:40]
