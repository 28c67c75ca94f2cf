"""References between stores that no catalog knows: as many dangle after sanitization as before, and no more."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from envclone.errors import ConfigError
from envclone.models import StorePlan
from envclone.protocols import StoreSession

__all__ = ["dangling"]


def dangling(
    references: Sequence[str],
    plans: Mapping[str, StorePlan],
    raws: Mapping[str, StoreSession],
    cleans: Mapping[str, StoreSession],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Per declared reference the counts before and after, and what got worse.

    Raises ConfigError for an unknown field.
    """
    pairs = [_pair(reference, plans) for reference in references]
    places = {place for pair in pairs for place in pair}
    before, after = _values(places, raws), _values(places, cleans)
    counts: list[dict[str, Any]] = []
    problems: list[str] = []
    for reference, (source, target) in zip(references, pairs, strict=True):
        was, now = (_unmatched(values[source], values[target]) for values in (before, after))
        counts.append({"reference": reference, "dangling": now, "dangling_in_production": was})
        if was != now:
            problems.append(f"{reference}: {now} dangle, {was} did in production")
    return counts, problems


Place = tuple[str, str, tuple[str, ...]]
"""A store, a field of it, and the keys below when the field is JSON; the key '[]' means every element of an array."""


def _pair(reference: str, plans: Mapping[str, StorePlan]) -> tuple[Place, Place]:
    source, _, target = (part.strip() for part in reference.partition("->"))
    if not source or not target:
        raise ConfigError(f"sanitize.references: '{reference}' is not of the form 'store.field -> store.field'")
    return _place(source, plans), _place(target, plans)


def _place(text: str, plans: Mapping[str, StorePlan]) -> Place:
    """`store.field`, or a path inside a JSON field: `kb.articles.author.id`, `kb.articles.tickets[]`."""
    store, _, address = text.partition(".")
    if store not in plans:
        raise ConfigError(f"sanitize.references: there is no store '{store}' (in '{text}')")
    fields = plans[store].rules
    if address in fields:
        return store, address, ()
    holder = max((field for field in fields if address.startswith(f"{field}.")), key=len, default=None)
    if holder is None:
        raise ConfigError(f"sanitize.references: there is no field '{text}'")
    path = address[len(holder) + 1 :].replace("[*]", "[]").replace("[]", ".[]")
    return store, holder, tuple(path.split("."))


def _unmatched(values: Sequence[str], there: Collection[str]) -> int:
    known = set(there)
    return sum(1 for value in values if value not in known)


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
                    found[place] += [value for text in batch for value in _below(json.loads(text), place[2])]
                else:
                    found[place] += [value for item in batch for value in _flat(item)]
    return found


def _below(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    for position, key in enumerate(keys):
        if key == "[]":
            for item in value if isinstance(value, list) else ():
                yield from _below(item, keys[position + 1 :])
            return
        value = value.get(key) if isinstance(value, dict) else None
    yield from _flat(value)


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield value if isinstance(value, str) else json.dumps(value, default=str)
