"""Matches of texts as a server reads them where a key has no index for texts: a part of the value, letter for letter.

Qdrant's own reading: `payload_storage/condition_checker.rs`, up to 1.19. The embedded engine looks for words there, as
an index does, and would find other points than production.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

from envclone.incidents.bundle import VectorStep
from envclone.incidents.queries import Prefetch
from envclone.stores.qdrant.layout import Collection

__all__ = ["as_a_server_reads", "read_as_parts"]


def as_a_server_reads(step: VectorStep, collection: Collection) -> VectorStep:
    """The step as it is to be asked of the embedded engine; of a collection that no server wrote as it is."""
    if not collection.served:
        return step
    indexed = _with_texts(collection)
    update: dict[str, Any] = {
        "filter": read_as_parts(step.filter, indexed),
        "prefetch": [_prefetch(one, indexed) for one in step.prefetch],
    }
    if step.query is not None and step.query.formula is not None:
        update["query"] = step.query.model_copy(update={"formula": read_as_parts(step.query.formula, indexed)})
    return step.model_copy(update=update)


def _prefetch(one: Prefetch, indexed: Set[str]) -> Prefetch:
    below = [_prefetch(each, indexed) for each in one.prefetch]
    return one.model_copy(update={"filter": read_as_parts(one.filter, indexed), "prefetch": below})


def read_as_parts(data: Any, indexed: Set[str], above: str = "") -> Any:
    """A filter, or a formula with conditions, whose matches of texts name what the engine calls a part of the value."""
    if isinstance(data, list | tuple):
        return [read_as_parts(one, indexed, above) for one in data]
    if not isinstance(data, Mapping):
        return data
    nested, key, match = data.get("nested"), data.get("key"), data.get("match")
    if isinstance(nested, Mapping) and "filter" in nested:
        inside = read_as_parts(nested["filter"], indexed, f"{above}{nested.get('key')}.")
        return {**data, "nested": {**nested, "filter": inside}}
    if isinstance(key, str) and isinstance(match, Mapping) and len(match) == 1 and _bare(above + key) not in indexed:
        ((kind, text),) = match.items()
        if kind in ("text", "phrase") and isinstance(text, str):
            return {**data, "match": {"substring": text}}
        if kind == "text_any" and isinstance(text, str):
            rest = {name: one for name, one in data.items() if name != "match"}
            parts = [{"key": key, "match": {"substring": word}} for word in text.split()]
            some = {"should": parts} if parts else {"key": key, "match": {"any": []}}  # no word: nothing is found
            return {"must": [rest, some]} if len(rest) > 1 else some
    return {name: read_as_parts(one, indexed, above) for name, one in data.items()}


def _with_texts(collection: Collection) -> frozenset[str]:
    """The keys that have an index for texts."""
    try:
        found = json.loads((collection.path / "payload_index.json").read_bytes()).get("schema") or {}
    except FileNotFoundError:
        return frozenset()
    kinds = {key: one.get("type") if isinstance(one, dict) else one for key, one in found.items()}
    return frozenset(_bare(key) for key, kind in kinds.items() if kind == "text")


def _bare(key: str) -> str:
    return key.replace("[]", "")
