"""The kinds of domains: what each promises, and which fields it can stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from envclone.models import FieldRule, JsonRule

__all__ = ["IDENTITIES", "KINDS", "DomainSpec", "Kind", "json_rules", "kind_of", "resolve"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of domain promises of its masks.

    `injective`: different values have different pseudonyms. `any_type`: fits fields that hold no text. `identity`: its
    values name persons, and free text is searched for them.
    """

    injective: bool
    any_type: bool = False
    identity: bool = False


KINDS: Mapping[str, Kind] = {
    "person": Kind(injective=True, identity=True),
    "email": Kind(injective=True, identity=True),
    "phone": Kind(injective=True, identity=True),
    "text": Kind(injective=False),
    "redact": Kind(injective=False),
    "null": Kind(injective=True, any_type=True),  # NULLs are distinct from each other
    "keep": Kind(injective=True, any_type=True),
}
"""Every kind by name; each is also a domain of that name without being declared."""

IDENTITIES = frozenset(name for name, kind in KINDS.items() if kind.identity)


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """A domain of the stack file: its kind, and whether different values must have different pseudonyms."""

    kind: str
    unique: bool = False


def resolve(name: str, domains: Mapping[str, DomainSpec]) -> DomainSpec | None:
    """The domain of that name, declared or built in; None when there is none of a known kind."""
    if name in domains:
        spec = domains[name]
        return spec if spec.kind in KINDS else None
    return DomainSpec(name) if name in KINDS else None


def kind_of(name: str, domains: Mapping[str, DomainSpec]) -> str:
    """The kind of a domain that is known to exist. Raises KeyError."""
    spec = resolve(name, domains)
    if spec is None:
        raise KeyError(name)
    return spec.kind


def json_rules(rule: FieldRule) -> tuple[JsonRule, ...]:
    """The path rules of a JSON field; a domain for the whole field stands for every leaf below."""
    return rule.json or (JsonRule("$.**", rule.domain),)


def flat(value: object) -> Iterator[str]:
    """The strings of a nested list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
