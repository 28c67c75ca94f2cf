"""Which path of a JSON field gets which domain: the part of planning that is about documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from envclone.errors import ConfigError
from envclone.masking.addresses import specificity
from envclone.masking.guesses import guess_path
from envclone.masking.jsonpaths import KEYS, PathRules, parse_path
from envclone.masking.shown import shown_address, shown_path
from envclone.models import Field, JsonRule

__all__ = ["DOCUMENTS", "JsonPlan", "PathClaim", "plan_json"]


class PathClaim(NamedTuple):
    """What a rule with this address pattern says of a path."""

    path: str
    domain: str
    pattern: str


@dataclass(slots=True)
class JsonPlan:
    """The rules of a JSON field, and what is wrong with them.

    `missing` are seen paths that no rule covers, with the domain to propose; `claimed` says of each claim whether a
    seen path matches it, which in an empty table every claim does.
    """

    rules: tuple[JsonRule, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    claimed: Mapping[PathClaim, bool] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)


def plan_json(place: Field, word: str | None, claims: Sequence[PathClaim], *, empty: bool) -> JsonPlan:
    """Combine a domain for the whole field, if there is one, with those for paths; `empty` when there are no rows."""
    plan = JsonPlan()
    chosen: dict[str, PathClaim] = {}
    unreadable: set[str] = set()
    for claim in sorted(claims, key=lambda claim: specificity(claim.pattern)):
        try:
            parse_path(claim.path)
        except ConfigError as exc:
            plan.invalid.append(f"{shown_address(claim.pattern)}: {exc.message}")
            unreadable.add(claim.path)
            continue
        first = chosen.setdefault(claim.path, claim)
        if first.domain != claim.domain and specificity(first.pattern) == specificity(claim.pattern):
            plan.invalid.append(f"{place.address}: two rules differ about {shown_path(claim.path, place.common)}")
    rules = [JsonRule(claim.path, claim.domain, _other(claim.path, place)) for claim in chosen.values()]
    if word is not None:
        rules.append(JsonRule("$.**", word))
    decide = PathRules(rules)
    missing: dict[str, str] = {}
    matched: set[str] = set()
    keyed = [rule for rule in rules if parse_path(rule.path)[-1:] == (KEYS,)]
    plan.invalid += _keys_refused(place, keyed)
    for path in place.paths:
        try:
            steps = parse_path(path)
        except ConfigError:
            missing[path] = guess_path(path)
            continue
        found = decide.matching(steps)
        on_the_way = [decide.decide_key(steps[:end]) for end in range(1, len(steps) + 1)] if keyed else []
        matched.update(rule.path for rule in on_the_way if rule is not None)
        matched.update(rule.path for rule in found)
        if not found:
            missing[path] = guess_path(path)
        elif rivals := decide.rivals(steps):
            said = ", ".join(f"{rule.public}: {rule.domain}" for rule in rivals)
            shown = shown_path(path, place.common)
            plan.invalid.append(f"{place.address}: the rules for {shown} are equally specific and differ: {said}")
    plan.rules = tuple(sorted(rules, key=lambda rule: rule.path))
    plan.missing = missing
    plan.claimed = {claim: empty or claim.path in matched | unreadable for claim in claims}
    return plan


DOCUMENTS = frozenset(("", "json", "jsonb", "hstore"))
"""Types whose keys are data; a row's keys are its columns."""
_MERGING = frozenset(("null", "drop", "redact", "constant", "date", "ip"))


def _keys_refused(place: Field, rules: Sequence[JsonRule]) -> list[str]:
    """Rules for keys that cannot be carried out: a key must be there, and differ from its neighbours."""
    found = [
        f"{place.address}: the keys at {rule.public} cannot be masked as {rule.domain}: they would be equal, or none;"
        " take the domain of what they are, such as email, person or key"
        for rule in rules
        if rule.domain in _MERGING
    ]
    if rules and place.base not in DOCUMENTS:
        found.append(f"{place.address}: {place.type} is a row, and its keys are the names of its columns")
    return found


def _other(path: str, place: Field) -> str:
    """A rule's path for people, where it is not the path itself."""
    shown = shown_path(path, place.common if place.paths else None)
    return "" if shown == path else shown
