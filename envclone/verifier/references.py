"""References between stores that no catalog knows: as many dangle after sanitization as before, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from envclone.errors import ConfigError
from envclone.protocols import StoreSession

__all__ = ["dangling"]


def dangling(
    references: Sequence[str], raws: Mapping[str, StoreSession], cleans: Mapping[str, StoreSession]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Per declared reference the counts before and after, and what got worse.

    Raises ConfigError for an unknown field.
    """
    counts: list[dict[str, Any]] = []
    problems: list[str] = []
    for reference in references:
        source, _, target = (part.strip() for part in reference.partition("->"))
        if not source or not target:
            raise ConfigError(f"sanitize.references: '{reference}' is not of the form 'store.field -> store.field'")
        before = _unmatched(source, target, raws)
        after = _unmatched(source, target, cleans)
        counts.append({"reference": reference, "dangling": after, "dangling_in_production": before})
        if after != before:
            problems.append(f"{reference}: {after} dangle, {before} did in production")
    return counts, problems


def _unmatched(source: str, target: str, sessions: Mapping[str, StoreSession]) -> int:
    there = set(_values(target, sessions))
    return sum(1 for value in _values(source, sessions) if value not in there)


def _values(place: str, sessions: Mapping[str, StoreSession]) -> list[str]:
    """All non-null values of `store.field`, or of a path inside a JSON field (`kb.articles.author.id`), as text."""
    from envclone.masking.jsontext import leaves

    store, _, address = place.partition(".")
    session = sessions.get(store)
    if session is None:
        raise ConfigError(f"sanitize.references: there is no store '{store}' (in '{place}')")
    fields = session.inventory().fields
    if address in fields:
        return [_text(value) for _, batch in session.read({address}) for value in batch]
    holder = max((field for field in fields if address.startswith(f"{field}.")), key=len, default=None)
    if holder is None:
        raise ConfigError(f"sanitize.references: there is no field '{place}'")
    path = "$." + address[len(holder) + 1 :].replace("[]", "[*]")
    return [
        str(leaf.value)
        for _, batch in session.read({holder})
        for document in batch
        for leaf in leaves(document)
        if leaf.path == path and leaf.value is not None
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
