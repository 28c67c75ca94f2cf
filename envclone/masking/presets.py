"""Presets: rules for tables that many applications have, found by the shape of a table (`data/presets.yaml`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any, NamedTuple

import yaml

from envclone.address import Address
from envclone.masking.addresses import below, matches
from envclone.masking.jsonpaths import PathRules, parse_path
from envclone.models import Field, Inventory, JsonRule

__all__ = ["NAMES", "Rules", "digest", "recognized", "rules_of"]

Rules = Mapping[str, str | Mapping[str, str]]
NAMES = (
    *("django", "langchain", "langfuse", "langgraph", "laravel", "litellm", "llamaindex", "mem0", "openwebui"),
    *("payments", "rails"),
)
"""The presets that there are."""


class _Shape(NamedTuple):
    """A table by the end of its name and some of its columns, and the rules of its columns."""

    table: str
    columns: tuple[str, ...]
    rules: Rules


def rules_of(
    presets: Sequence[str], inventory: Inventory, own: Rules
) -> tuple[dict[str, str | Mapping[str, str]], dict[str, str]]:
    """The rules that presets have for a store, without those of fields that a person's own rules decide; and from which
    preset each comes, by address."""
    rules: dict[str, str | Mapping[str, str]] = {}
    sources: dict[str, str] = {}
    for preset in presets:
        for table, fields in _tables(inventory).items():
            for shape in _shapes()[preset]:
                if not _is(shape, table, fields):
                    continue
                for column, rule in shape.rules.items():
                    field = fields.get(column)
                    if field is None or field.address in rules or _decided(field, own):
                        continue
                    rules[field.address] = _there(rule, field)
                    sources[field.address] = preset
    return rules, sources


def recognized(inventory: Inventory) -> list[str]:
    """The presets of which a store has a table."""
    tables = _tables(inventory)
    return [
        name
        for name in NAMES
        if any(
            _is(shape, table, fields)
            for shape in _shapes()[name]
            if len(shape.columns) > 1
            for table, fields in tables.items()
        )
    ]


def digest(presets: Sequence[str]) -> str:
    """What some presets say, as a text that is another one when they say something else."""
    return blake2b(repr([(name, _shapes()[name]) for name in sorted(presets)]).encode(), digest_size=8).hexdigest()


def _is(shape: _Shape, table: str, fields: Mapping[str, Field]) -> bool:
    return fnmatchcase(table.rpartition(".")[2], shape.table) and fields.keys() >= set(shape.columns)


def _there(rule: str | Mapping[str, str], field: Field) -> str | Mapping[str, str]:
    """A preset's rule without paths that no document has: a library stores something else in each version."""
    if isinstance(rule, str) or not field.paths:
        return rule
    paths = [parse_path(path) for path in field.paths]
    found = {
        one: domain
        for one, domain in rule.items()
        if any(PathRules([JsonRule(one, domain)]).matching(path) for path in paths)
    }
    return found or "json"


def _decided(field: Field, own: Rules) -> bool:
    """Whether a person's own rules say something of a field, or of what is inside it."""
    return any(matches(pattern, field) or below(pattern, field) is not None for pattern in own)


def _tables(inventory: Inventory) -> dict[str, dict[str, Field]]:
    """The fields of each table, by column."""
    found: dict[str, dict[str, Field]] = {}
    for address, field in inventory.fields.items():
        *holder, name = Address.parse(address).parts
        found.setdefault(".".join(holder), {})[name] = field
    return found


@cache
def _shapes() -> Mapping[str, Sequence[_Shape]]:
    text = (resources.files("envclone.masking") / "data" / "presets.yaml").read_text(encoding="utf-8")
    read: Mapping[str, Sequence[Mapping[str, Any]]] = yaml.safe_load(text)
    return {
        name: [_Shape(one["table"], tuple(sorted(one["columns"])), one["rules"]) for one in shapes]
        for name, shapes in read.items()
    }
