"""References between stores that no catalog knows: as many dangle after sanitization as before, and no more."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from envclone.errors import ConfigError
from envclone.masking.addresses import steps_below
from envclone.masking.jsonscan import render
from envclone.masking.references import elements_of, parse
from envclone.models import StorePlan
from envclone.protocols import StoreSession

__all__ = ["Place", "below", "dangling", "place_of"]

_EXAMPLES = 3
_LONGEST = 60
"""Characters of an example."""


def dangling(
    references: Sequence[str],
    plans: Mapping[str, StorePlan],
    raws: Mapping[str, StoreSession],
    cleans: Mapping[str, StoreSession],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Per declared reference the counts before and after, with examples as a branch shows them, and what got worse.

    `dangling` is how many values refer to nothing; of a reference in both directions `unreferenced` is to how many
    nothing refers. Where rules keep what refers and what is referred to, one count says both: the comparison of rows
    holds them against production's, value by value. Raises ConfigError for an unknown field.
    """
    parsed = [parse(reference) for reference in references]
    pairs = [(place_of(one.store, one.source, plans), place_of(one.target_store, one.target, plans)) for one in parsed]
    places = {place for pair in pairs for place in pair}
    changed = {place for pair in pairs if not all(_kept(place, plans) for place in pair) for place in pair}
    changed |= {place for one, pair in zip(parsed, pairs, strict=True) if one.where for place in pair}
    told = _told(secrets.token_bytes(16))
    after = _values(places, cleans, told)
    before = {**after, **_values(changed, raws, told)}
    counts: list[dict[str, Any]] = []
    problems: list[str] = []
    for one, (source, target) in zip(parsed, pairs, strict=True):
        # what refers now to this table and now to that one has to be in one of them
        targets = sorted({b for a, b in pairs if a == source} if one.where else {target})
        was, now = (_unmatched(values[source], [values[place] for place in targets]) for values in (before, after))
        count: dict[str, Any] = {
            "reference": one.text, "dangling": len(now), "dangling_in_production": len(was),
            "examples": _examples(source, now, cleans, told),
        }  # fmt: skip
        if len(was) != len(now):
            problems.append(f"{one.text}: {len(now)} dangle, {len(was)} did in production")
        if one.both:
            was, now = (_unmatched(values[target], [values[source]]) for values in (before, after))
            count |= {
                "unreferenced": len(now), "unreferenced_in_production": len(was),
                "unreferenced_examples": _examples(target, now, cleans, told),
            }  # fmt: skip
            if len(was) != len(now):
                problems.append(f"{one.text}: nothing refers to {len(now)}, to {len(was)} in production")
        counts.append(count)
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
    path = path.replace("[*]", "")
    others = [one.path.replace("[*]", "").partition("*")[0] for one in rule.json if one.domain != "keep"]
    return named and not any(one.startswith(path) or path.startswith(one) for one in others)


_Told = Callable[[Sequence[str]], Any]


def _told(key: bytes) -> _Told:
    """What values are told apart by (uint64): eight bytes of a keyed digest, which nobody can foresee."""

    def told(values: Sequence[str]) -> Any:
        texts = (_plain(value).encode("utf-8", "surrogatepass") for value in values)
        return np.frombuffer(
            b"".join(hashlib.blake2b(text, digest_size=8, key=key).digest() for text in texts), np.uint64
        )

    return told


_UUID = re.compile(
    r"(?:urn:uuid:|\{)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.I
)
_WHOLE = re.compile(r"(-?[0-9]+)\.0+")


def _plain(value: str) -> str:
    """The one form of a value that stores write in several: a UUID or a digest, a whole number with decimals."""
    if len(value) >= 32 and (match := _UUID.fullmatch(value)):
        return "".join(match.groups()).lower()
    return match[1] if value.endswith("0") and (match := _WHOLE.fullmatch(value)) else value


def _unmatched(values: Any, there: Sequence[Any]) -> Any:
    """The values, as they are told apart, that are not among those that are there; each as often as it stands."""
    known = np.unique(np.concatenate(there))
    if not len(known):
        return values
    at = np.searchsorted(known, values)
    return values[known[np.minimum(at, len(known) - 1)] != values]


def _examples(place: Place, those: Any, sessions: Mapping[str, StoreSession], told: _Told) -> list[str]:
    """A few of the values of a place that are among `those`, as they stand in the store."""
    found: dict[str, None] = {}
    wanted = np.unique(those)
    if len(wanted):
        for values in _read({place}, sessions):
            texts = values[place]
            for number in np.flatnonzero(np.isin(told(texts), wanted)).tolist():
                found.setdefault(texts[number][:_LONGEST])
            if len(found) >= min(_EXAMPLES, len(wanted)):
                break
    return list(found)[:_EXAMPLES]


def _values(places: Collection[Place], sessions: Mapping[str, StoreSession], told: _Told) -> dict[Place, Any]:
    """All non-null values of each place, as they are told apart; every field is read once."""
    found: dict[Place, list[Any]] = {place: [] for place in places}
    for values in _read(places, sessions):
        for place, texts in values.items():
            found[place].append(told(texts))
    return {place: np.concatenate(parts) if parts else np.empty(0, np.uint64) for place, parts in found.items()}


def _read(places: Collection[Place], sessions: Mapping[str, StoreSession]) -> Iterator[dict[Place, list[str]]]:
    """The non-null values of places as text, some at a time."""
    for store, session in sessions.items():
        wanted: dict[str, list[Place]] = {}
        for place in places:
            if place[0] == store:
                wanted.setdefault(place[1], []).append(place)
        if not wanted:
            continue
        for rows in session.alive(set(wanted)):
            found: dict[Place, list[str]] = {}
            for address, values in rows.fields.items():
                places_here = wanted.get(address, ())
                there = [value for value in values if value is not None] if places_here else []
                documents = [json.loads(text) for text in there] if any(place[2] for place in places_here) else []
                for place in places_here:
                    if place[2]:
                        found[place] = [value for document in documents for value in below(document, place[2])]
                    else:
                        found[place] = [value for item in there for value in _flat(item)]
            if found:
                yield found


def below(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """The values as text below some keys of a document.

    Applications write a list where there are several, and the one by itself: both are looked into under either path.
    """
    for position, key in enumerate(keys):
        if isinstance(value, list):
            for item in value:
                yield from below(item, keys[position + (key == "[]") :])
            return
        if key == "[]":
            continue
        value = value.get(key) if isinstance(value, dict) else None
    yield from _flat(value)


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif type(value) is int:
        yield str(value)
    elif value is not None:
        yield value if isinstance(value, str) else json.dumps(value, default=str)
