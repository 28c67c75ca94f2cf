"""What may be set when the manifests are applied, each with its default: a chart's values and their schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from envclone.manifests.text import Why, plain

__all__ = ["Setting", "document", "schema", "tree"]


@dataclass(frozen=True, slots=True)
class Setting:
    """A value by its keys: the default, the JSON Schema that it is held to, and what it means."""

    path: tuple[str, ...]
    default: Any
    schema: Mapping[str, Any]
    said: str


def tree(settings: Iterable[Setting]) -> dict[str, Any]:
    """The defaults, nested."""
    root: dict[str, Any] = {}
    for one in settings:
        node = root
        for key in one.path[:-1]:
            node = node.setdefault(key, {})
        node[one.path[-1]] = one.default
    return root


def document(settings: Iterable[Setting]) -> str:
    """`values.yaml`: each default under what it means."""
    root: dict[str, Any] = {}
    for one in settings:
        node = root
        for key in one.path[:-1]:
            node = node.setdefault(key, {})
        node[one.path[-1]] = Why(one.default, one.said)
    return plain(root, {})


def schema(settings: Iterable[Setting]) -> dict[str, Any]:
    """`values.schema.json`: closed to keys that no template reads."""
    root: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", **_closed()}
    for one in settings:
        node = root
        for key in one.path[:-1]:
            node = node["properties"].setdefault(key, _closed())
        node["properties"][one.path[-1]] = {**one.schema, "description": one.said}
    root["properties"]["global"] = {"type": "object", "description": "What Helm hands to every chart."}
    return dict(_sorted(root))


def _closed() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _sorted(node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        yield key, dict(_sorted(value)) if isinstance(value, Mapping) else value
