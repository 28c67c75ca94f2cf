"""Masks inside JSON values of an incident: documents under the rule of their field, payloads, filters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from envclone.models import FieldRule
from envclone.protocols import Masks

__all__ = ["mask_documents", "mask_filter", "mask_leaves", "mask_payload_rows"]

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


def mask_documents(documents: Sequence[Any], rule: FieldRule, masks: Masks) -> list[Any]:
    """Parsed JSON documents masked exactly as the field's rule masks them where they are stored."""
    texts = [None if document is None else json.dumps(document, ensure_ascii=False) for document in documents]
    return [None if masked is None else json.loads(masked) for masked in masks.field(rule)(texts)]


def mask_payload_rows(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], rule: FieldRule | None, masks: Masks, text: Text
) -> list[tuple[Any, ...]]:
    """A search's payloads: one column `payload` that holds each whole, or a column per payload key."""
    if rule is None:
        return [tuple(mask_leaves(value, text) for value in row) for row in rows]
    if not rule.masked:
        return [tuple(row) for row in rows]
    if tuple(columns) == ("payload",):
        return [(document,) for document in mask_documents([row[0] for row in rows], rule, masks)]
    masked = [
        [_at(document, column) for document in mask_documents([_document(column, row[i]) for row in rows], rule, masks)]
        for i, column in enumerate(columns)
    ]
    return [tuple(column[i] for column in masked) for i in range(len(rows))]


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
        match = condition.get("match")
        if not isinstance(match, dict):
            return {name: value if name == "key" else mask_leaves(value, text) for name, value in condition.items()}
        path = prefix + key
        return {**condition, "match": {kind: _matched(path, value, rule, masks, text) for kind, value in match.items()}}
    return {
        name: value if name in ("is_empty", "is_null", "has_vector") else mask_filter(value, rule, masks, text, prefix)
        for name, value in condition.items()
    }


def _matched(path: str, value: Any, rule: FieldRule | None, masks: Masks, text: Text) -> Any:
    if isinstance(value, list):
        return [_matched(path, item, rule, masks, text) for item in value]
    if not isinstance(value, str):
        return value
    if rule is None:
        return text(value)
    for shape in (path, f"{path}[]"):  # a key also matches the members of an array there
        masked = _at(mask_documents([_document(shape, value)], rule, masks)[0], shape)
        if masked != value:
            return "" if masked is None else masked
    return value if _declared(path, rule) else text(value)


def _declared(path: str, rule: FieldRule) -> bool:
    """Whether the rule says that this path is kept: it is named, and its mask changed nothing."""
    if not rule.json:
        return rule.domain == "keep"
    wanted = _steps(path)
    for entry in rule.json:
        steps = _steps(entry.path.removeprefix("$").removeprefix("."))
        for candidate in (wanted, [*wanted, "[]"]):
            if len(steps) == len(candidate) and all(a in (b, "*") for a, b in zip(steps, candidate, strict=True)):
                return True
    return False


def _steps(path: str) -> list[str]:
    """`a.b[].c`, `a.b[*].c` and `a['b'][*].c` as their steps; '[]' is any member of an array."""
    found = re.findall(r"\[(?:\*|\d*)\]|\[['\"](.*?)['\"]\]|\"([^\"]*)\"|([^.\[\]\"]+)", path)
    return [a or b or c or "[]" for a, b, c in found] or [path]


def _document(key: str, value: Any) -> dict[str, Any]:
    """A payload that holds this value at this key."""
    document: dict[str, Any] = {}
    _put(document, _steps(key), value)
    return document


def _put(holder: Any, steps: list[str], value: Any) -> None:
    step, rest = steps[0], steps[1:]
    empty: Any = [] if rest and rest[0] == "[]" else {}
    if step == "[]":
        if not rest:
            holder.append(value)
            return
        if not holder:
            holder.append(empty)
        _put(holder[0], rest, value)
    elif not rest:
        holder[step] = value
    else:
        _put(holder.setdefault(step, empty), rest, value)


def _at(document: Any, column: str) -> Any:
    """The value of a key in a masked payload; None when the rule took it away."""
    for step in _steps(column):
        if step == "[]":
            document = document[0] if isinstance(document, list) and document else None
        else:
            document = document.get(step) if isinstance(document, dict) else None
    return document
