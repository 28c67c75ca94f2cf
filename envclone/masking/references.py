"""References that no foreign key declares: what refers follows the rule of what it refers to.

`store.field -> store.field`, or `<->` where everything is meant to be referred to; with `[]` for the elements of a list
and, for a reference whose target depends on another column of its row, `where type = value` behind it. Several
references of one field must agree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from envclone.errors import ConfigError
from envclone.masking.addresses import below, exact, known_as, matches, most_specific
from envclone.masking.kinds import DomainSpec, resolve
from envclone.models import Field, Inventory

__all__ = ["Reference", "elements_of", "follow", "parse"]

_ADDRESS = r'(?:"(?:[^"]|"")*"|[^\s"])+'
_REFERENCE = re.compile(
    rf"\s*(?P<store>[^.\s]+)\.(?P<source>{_ADDRESS}?)\s*(?P<arrow><?->)\s*(?P<other>[^.\s]+)\.(?P<target>{_ADDRESS}?)"
    r'(?:\s+where\s+(?P<column>"(?:[^"]|"")*"|[^\s=]+)\s*=\s*(?P<value>.+?))?\s*'
)

Rules = Mapping[str, str | Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A declared reference; `where` is the column and the value that make it hold, if it is not always so.

    With `both` everything of the target is meant to be referred to: a row without its point is as wrong as a point
    without its row.
    """

    text: str
    store: str
    source: str
    target_store: str
    target: str
    where: tuple[str, str] | None = None
    both: bool = False


def parse(text: str) -> Reference:
    """Raises ConfigError when the text is not a reference."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"sanitize.references: '{text}' is not of the form 'store.field -> store.field'",
            hint="`<->` counts in both directions; a polymorphic one ends in `where subject_type = customer`",
        )
    where = (match["column"], match["value"].strip("'\"")) if match["column"] else None
    both = match["arrow"] == "<->"
    return Reference(text, match["store"], match["source"], match["other"], match["target"], where, both)


def elements_of(address: str, fields: Collection[str]) -> str:
    """The field that an address means; one in `[]` means the elements of a field that is a list as a whole."""
    address = known_as(address, fields)
    whole = known_as(address.rstrip("[]"), fields)
    return whole if address not in fields and whole in fields and address.endswith("[]") else address


def follow(
    references: Sequence[str],
    rules: Mapping[str, Rules],
    domains: Mapping[str, DomainSpec],
    inventories: Mapping[str, Inventory],
) -> dict[str, Rules]:
    """The rules of every store with those added that references imply.

    A rule with `*` yields to the implied one. Raises ConfigError with all contradictions: a rule for the referring
    field of another kind than its target's, or targets that differ.
    """
    implied: dict[tuple[str, str], tuple[str, Reference]] = {}
    problems: list[str] = []
    for reference in map(parse, references):
        target_rules = rules.get(reference.target_store, {})
        inventory = inventories.get(reference.target_store)
        if inventory is None:
            problems.append(f"{reference.text}: there is no store '{reference.target_store}'")
            continue
        domain = _rule_of(elements_of(reference.target, inventory.fields), target_rules, inventory)
        if domain is None:
            continue
        referring = inventories.get(reference.store)
        source = elements_of(reference.source, referring.fields) if referring else reference.source
        place = (reference.store, source)
        first = implied.setdefault(place, (domain, reference))
        if _kind(first[0], domains) != _kind(domain, domains):
            problems.append(
                f"{reference.text}: {reference.target} is masked as {domain}, but {first[1].target} as {first[0]}:"
                " what refers to both needs one rule for both"
            )
    out: dict[str, Rules] = {store: dict(its_rules) for store, its_rules in rules.items()}
    for (store, source), (domain, reference) in implied.items():
        if store not in inventories:
            problems.append(f"{reference.text}: there is no store '{store}'")
            continue
        said = _rule_of(source, rules.get(store, {}), inventories[store], firm=True)
        if said is not None and _kind(said, domains) != _kind(domain, domains):
            problems.append(f"{reference.text}: {source} has the rule {said}, but what it refers to has {domain}")
        elif said is None:
            out[store] = {**out.get(store, {}), **_implied(source, domain, rules.get(store, {}), inventories[store])}
    if problems:
        raise ConfigError("references and rules contradict each other", problems=problems)
    return out


def _implied(source: str, domain: str, rules: Rules, inventory: Inventory) -> Rules:
    """The rule to add; inside a mapping of JSON paths, when the field already has one."""
    for pattern, rule in rules.items():
        if isinstance(rule, Mapping) and pattern in inventory.fields and "domain" not in rule:
            path = below(source, inventory.fields[pattern])
            if path is not None:
                return {pattern: {**rule, path: domain}}
    return {source: domain}


def _rule_of(address: str, rules: Rules, inventory: Inventory, *, firm: bool = False) -> str | None:
    """The domain that rules give a field, a path below one, or a column tied to it by foreign keys.

    With `firm` only what an exact rule says.
    """
    field = inventory.fields.get(address)
    if field is not None:
        for member in (field, *(inventory.fields[a] for a in sorted(field.group - {address}) if a in inventory.fields)):
            found = [p for p in rules if matches(p, member) and (exact(p) or not firm)]
            domain = next((_domain(rules[p]) for p in most_specific(found)), None)
            if domain is not None:
                return domain
        return None
    holder = _holder(address, inventory)
    if holder is None:
        return None
    path = below(address, holder)
    for pattern, rule in rules.items():
        if pattern in (address, address.replace("[]", "[*]")):
            return _domain(rule)
        if isinstance(rule, Mapping) and pattern == holder.address and path is not None and path in rule:
            return rule[path]
    if firm:
        return None
    whole = [p for p in rules if matches(p, holder)]
    return next((_domain(rules[p]) for p in most_specific(whole)), None)


def _holder(address: str, inventory: Inventory) -> Field | None:
    found = [field for field in inventory.fields.values() if below(address, field) is not None]
    return max(found, key=lambda field: len(field.address), default=None)


def _domain(rule: str | Mapping[str, str]) -> str | None:
    return rule if isinstance(rule, str) else rule.get("domain")


def _kind(domain: str, domains: Mapping[str, DomainSpec]) -> str:
    spec = resolve(domain, domains)
    return spec.kind if spec else domain
