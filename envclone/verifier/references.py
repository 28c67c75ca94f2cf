"""References between stores that no catalog knows: as many dangle after sanitization as before, and no more."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from envclone.errors import ConfigError
from envclone.masking.addresses import steps_below
from envclone.masking.jsonscan import render
from envclone.masking.references import elements_of, parse
from envclone.models import StorePlan
from envclone.protocols import StoreSession

__all__ = ["Place", "below", "dangling", "place_of"]


def dangling(
    references: Sequence[str],
    plans: Mapping[str, StorePlan],
    raws: Mapping[str, StoreSession],
    cleans: Mapping[str, StoreSession],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Per declared reference the counts before and after, and what got worse.

    Where rules keep what refers and what is referred to, one count says both: the comparison of rows holds them against
    production's, value by value. Raises ConfigError for an unknown field.
    """
    parsed = [parse(reference) for reference in references]
    pairs = [(place_of(one.store, one.source, plans), place_of(one.target_store, one.target, plans)) for one in parsed]
    places = {place for pair in pairs for place in pair}
    changed = {place for pair in pairs if not all(_kept(place, plans) for place in pair) for place in pair}
    changed |= {place for one, pair in zip(parsed, pairs, strict=True) if one.where for place in pair}
    after = _values(places, cleans)
    before = {**after, **_values(changed, raws)}
    counts: list[dict[str, Any]] = []
    problems: list[str] = []
    for one, (source, target) in zip(parsed, pairs, strict=True):
        # what refers now to this table and now to that one has to be in one of them
        targets = {b for a, b in pairs if a == source} if one.where else {target}
        was, now = (
            _unmatched(values[source], {v for place in targets for v in values[place]}) for values in (before, after)
        )
        counts.append({"reference": one.text, "dangling": now, "dangling_in_production": was})
        if was != now:
            problems.append(f"{one.text}: {now} dangle, {was} did in production")
    return counts, problems


Place = tuple[str, str, tuple[str, ...]]
"""A store, a field of it, and the keys below when the field is JSON; the key '[]' means every element of an array."""


def place_of(store: str, address: str, plans: Mapping[str, StorePlan]) -> Place:
    """A field, or a path inside a JSON field: `articles.author.id`, `articles.tickets[]`."""
    if store not in plans:
        raise ConfigError(f"sanitize.references: there is no store '{store}'")
    fields = plans[store].rules
    whole = elements_of(address, fields)
    if whole in fields:
        return store, whole, ()
    found = {field: steps for field in fields if (steps := steps_below(address, field)) is not None}
    if not found:
        raise ConfigError(f"sanitize.references: there is no field '{store}.{address}'")
    holder = max(found, key=len)
    return store, holder, found[holder]


def _kept(place: Place, plans: Mapping[str, StorePlan]) -> bool:
    """Whether no rule masks anything at a place, or could."""
    store, address, keys = place
    rule = plans[store].rules[address]
    if not rule.masked or not keys:
        return not (rule.masked or rule.derived or rule.by)
    path = render(tuple("[*]" if key == "[]" else f".{key}" for key in keys))
    named = any(one.path == path for one in rule.json if one.domain == "keep")
    others = [one.path.partition("*")[0] for one in rule.json if one.domain != "keep"]
    return named and not any(one.startswith(path) or path.startswith(one) for one in others)


def _unmatched(values: Sequence[str], there: Collection[str]) -> int:
    return sum(1 for value in values if value not in there)


def _values(places: Collection[Place], sessions: Mapping[str, StoreSession]) -> dict[Place, list[str]]:
    """All non-null values of each place as text, every field read once."""
    found: dict[Place, list[str]] = {place: [] for place in places}
    for store, session in sessions.items():
        wanted: dict[str, list[Place]] = {}
        for place in places:
            if place[0] == store:
                wanted.setdefault(place[1], []).append(place)
        if not wanted:
            continue
        for address, batch in session.read(set(wanted)):
            for place in wanted[address]:
                if place[2]:
                    found[place] += [value for text in batch for value in below(json.loads(text), place[2])]
                else:
                    found[place] += [value for item in batch for value in _flat(item)]
    return found


def below(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """The values as text below some keys of a document."""
    for position, key in enumerate(keys):
        if key == "[]":
            for item in value if isinstance(value, list) else ():
                yield from below(item, keys[position + 1 :])
            return
        value = value.get(key) if isinstance(value, dict) else None
    yield from _flat(value)


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield value if isinstance(value, str) else json.dumps(value, default=str)
