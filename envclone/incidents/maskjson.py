"""Masks inside JSON values of an incident: documents under the rule of their field, payloads, filters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from envclone.errors import UnsafeError
from envclone.masking.jsonpaths import PathRules
from envclone.masking.kinds import json_rules
from envclone.models import FieldRule
from envclone.protocols import Masks

__all__ = [
    "mask_document",
    "mask_documents",
    "mask_filter",
    "mask_formula",
    "mask_leaves",
    "mask_payload_rows",
    "mask_tree",
]

Text = Callable[[str], str]


def mask_leaves(value: Any, text: Text, *, keys: bool = False) -> Any:
    """Every string of a value masked as free text; with `keys`, the keys of objects too."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list | tuple):
        return [mask_leaves(item, text, keys=keys) for item in value]
    if isinstance(value, dict):
        return {text(key) if keys else key: mask_leaves(item, text, keys=keys) for key, item in value.items()}
    return value


def mask_tree(
    value: Any, rules: PathRules, named: Callable[[Any, str], Any], text: Text, place: tuple[str, ...] = ()
) -> Any:
    """A parsed document: a leaf that a rule decides goes through `named` with its domain, other strings are text."""
    if isinstance(value, list | tuple):
        return [mask_tree(item, rules, named, text, (*place, "[*]")) for item in value]
    if isinstance(value, dict):
        return {text(key): mask_tree(item, rules, named, text, (*place, f".{key}")) for key, item in value.items()}
    rule = rules.decide(place)
    if rule is not None:
        return named(value, rule.domain)
    return text(value) if isinstance(value, str) else value


def mask_document(value: Any, mask: Callable[[Any], Any]) -> Any:
    """A document, parsed or as its text, masked and written in the spelling that it had.

    Raises UnsafeError for a text that is not JSON: what stands at its paths cannot be known.
    """
    if not isinstance(value, str):
        return mask(value)
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        raise UnsafeError(
            "a value with domains by JSON path is not a JSON document, so nothing of it can be masked",
            hint="name one domain for the whole value, or correct it",
        ) from None
    compact = json.dumps(document, ensure_ascii=False, separators=(",", ":")) == value
    return json.dumps(mask(document), ensure_ascii=False, separators=(",", ":") if compact else None)


def mask_documents(documents: Sequence[Any], rule: FieldRule, masks: Masks) -> list[Any]:
    """Parsed JSON documents masked exactly as the field's rule masks them where they are stored."""
    texts = [None if document is None else json.dumps(document, ensure_ascii=False) for document in documents]
    return [None if masked is None else json.loads(masked) for masked in masks.field(rule)(texts)]


def mask_payload_rows(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], rule: FieldRule | None, masks: Masks, text: Text
) -> list[tuple[Any, ...]]:
    """A search's payloads, the only column of its rows, under the collection's rule; the column need not be named."""
    if rule is None or tuple(columns) not in (("payload",), ()) or any(len(row) != 1 for row in rows):
        return [tuple(mask_leaves(value, text) for value in row) for row in rows]
    if not rule.masked:
        return [tuple(row) for row in rows]
    return [(document,) for document in mask_documents([row[0] for row in rows], rule, masks)]


def mask_filter(condition: Any, rule: FieldRule | None, masks: Masks, text: Text, prefix: str = "") -> Any:
    """A filter in Qdrant's form: what is matched against a key with a rule is masked by that rule, the rest as text."""
    if isinstance(condition, list):
        return [mask_filter(item, rule, masks, text, prefix) for item in condition]
    if not isinstance(condition, dict):
        return text(condition) if isinstance(condition, str) else condition
    if "has_id" in condition:  # ids of points are not masked
        return condition
    if isinstance(nested := condition.get("nested"), dict) and isinstance(nested.get("key"), str):
        below = f"{prefix}{nested['key'].removesuffix('[]')}[]."
        return {
            **condition,
            "nested": {**nested, "filter": mask_filter(nested.get("filter"), rule, masks, text, below)},
        }
    key = condition.get("key")
    if isinstance(key, str):
        match, path, named = condition.get("match"), prefix + key, _key(key, prefix, rule, masks)
        if not isinstance(match, dict):
            return {name: named if name == "key" else mask_leaves(value, text) for name, value in condition.items()}
        matched = {kind: _matched(path, value, rule, masks, text) for kind, value in match.items()}
        return {**condition, "key": named, "match": matched}
    return {
        name if name in _OF_FILTERS else text(name): value
        if name in ("is_empty", "is_null", "has_vector")
        else mask_filter(value, rule, masks, text, prefix)
        for name, value in condition.items()
    }


_OF_FILTERS = frozenset(("must", "should", "must_not", "min_should", "conditions", "min_count", "filter", "is_empty",
                         "is_null", "has_vector", "values_count", "range", "match", "nested", "key"))  # fmt: skip
"""The words of filters; any other name is somebody's own."""


_OF_FORMULAS = re.compile(
    "mult|sum|max|min|neg|abs|sqrt|exp|log10|ln|acosh|div|pow|(lin|exp|gauss)_decay|left|right|base|exponent"
    "|x|target|scale|midpoint|by_zero_default|datetime|datetime_key|geo_distance|origin|to|lon|lat"
)
"""The words of formulas, which are no conditions."""


def mask_formula(formula: Any, rule: FieldRule | None, masks: Masks, text: Text) -> Any:
    """A formula with the values that its conditions compare masked; numbers and times stay, and so do payload keys."""
    if isinstance(formula, list):
        return [mask_formula(item, rule, masks, text) for item in formula]
    if isinstance(formula, str) and not formula.startswith("$"):
        return _key(formula, "", rule, masks)
    if not isinstance(formula, dict):
        return formula
    if all(_OF_FORMULAS.fullmatch(name) for name in formula):
        return {
            name: value if name == "datetime" else mask_formula(value, rule, masks, text)
            for name, value in formula.items()
        }
    return mask_filter(formula, rule, masks, text)


def _matched(path: str, value: Any, rule: FieldRule | None, masks: Masks, text: Text) -> Any:
    """A value that a payload key is compared with, masked as the payloads are there."""
    if isinstance(value, list):
        return [_matched(path, item, rule, masks, text) for item in value]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    steps = _steps(path)
    if rule is not None and steps:
        decided = PathRules(json_rules(rule))
        for place in (steps, [*steps, "[]"]):  # a key also matches the members of an array there
            if decided.decide(tuple("[*]" if step == "[]" else f".{step}" for step in place)) is not None:
                document = mask_documents([_document(place, value)], rule, masks)[0]
                masked = _at(document, place)
                return "" if masked is None else masked
    return text(value) if isinstance(value, str) else value


def _key(key: str, prefix: str, rule: FieldRule | None, masks: Masks) -> str:
    """A payload key with the keys of documents in it that a rule masks, as the rule masks them there."""
    if rule is None or not PathRules(json_rules(rule)).keyed:
        return key
    steps = _steps(prefix + key)
    document = mask_documents([_document(steps, None)], rule, masks)[0]
    for step in steps:
        if step == "[]":
            document = document[0]
        else:
            ((new, document),) = document.items()
            key = key.replace(step, new, 1) if new != step else key
    return key


def _steps(path: str) -> list[str]:
    """A payload key of Qdrant, `a.b[].c`, as its steps; '[]' is any member of an array."""
    found = re.findall(r"\[\d*\]|\"([^\"]*)\"|([^.\[\]\"]+)", path)
    return [quoted or plain or "[]" for quoted, plain in found]


def _document(steps: list[str], value: Any) -> Any:
    """The smallest payload that holds this value at this key."""
    for step in reversed(steps):
        value = [value] if step == "[]" else {step: value}
    return value


def _at(document: Any, steps: list[str]) -> Any:
    for step in steps:
        document = document[0] if step == "[]" else next(iter(document.values()))  # its key can be masked
    return document
