"""JSON Schema as tools and answers use it: what of a value does not fit, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Misfit", "misfits"]

_DEEPEST = 32
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "object": (Mapping,), "array": (list, tuple), "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Misfit:
    """What does not fit: where, what kind of rule, the name that is missing or unknown, and all of it in words."""

    place: str
    rule: str
    name: str
    text: str


def misfits(value: Any, schema: Any) -> tuple[Misfit, ...]:
    """Everything that does not fit. What a validator cannot know here (`format`, remote `$ref`) always fits."""
    return tuple(_check(value, schema, "$", schema, 0))


def _check(value: Any, schema: Any, place: str, root: Any, depth: int) -> Iterator[Misfit]:
    if schema is False:
        yield Misfit(place, "false", "", f"{place} is not allowed")
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    if isinstance(ref := schema.get("$ref"), str):
        yield from _check(value, _resolved(ref, root), place, root, depth + 1)
    said = schema.get("type")
    kinds = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    kinds = [one.lower() for one in kinds if isinstance(one, str)]
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield Misfit(place, "type", "", f"{place} is {_kind(value)}, not {' or '.join(kinds)}")
        return
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(choices, list) and value not in choices:
        allowed = ", ".join(json.dumps(one) for one in choices[:6])
        yield Misfit(place, "enum", "", f"{place} is none of {allowed}")
    if isinstance(value, Mapping):
        yield from _object(value, schema, place, root, depth)
    elif isinstance(value, list | tuple):
        yield from _bounds(len(value), schema, ("minItems", "maxItems"), place)
        for number, item in enumerate(value):
            yield from _check(item, schema.get("items"), f"{place}[{number}]", root, depth + 1)
    elif isinstance(value, str):
        yield from _bounds(len(value), schema, ("minLength", "maxLength"), place)
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and len(value) < 10_000 and _misses(pattern, value):
            yield Misfit(place, "pattern", "", f"{place} does not match {pattern}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _bounds(value, schema, ("minimum", "maximum"), place)
        low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if (low is not None and _number(low) and value <= low) or (
            high is not None and _number(high) and value >= high
        ):
            yield Misfit(place, "bounds", "", f"{place} is out of bounds")
    yield from _several(value, schema, place, root, depth)


def _object(value: Mapping[str, Any], schema: Mapping[str, Any], place: str, root: Any, depth: int) -> Iterator[Misfit]:
    known = schema.get("properties")
    known = known if isinstance(known, Mapping) else {}
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in value:
            yield Misfit(place, "required", str(name), f"{place}.{name} is missing")
    for name, item in value.items():
        if name in known:
            yield from _check(item, known[name], f"{place}.{name}", root, depth + 1)
        elif schema.get("additionalProperties") is False:
            yield Misfit(place, "additional", str(name), f"{place}.{name} is not known")
        elif isinstance(schema.get("additionalProperties"), Mapping):
            yield from _check(item, schema["additionalProperties"], f"{place}.{name}", root, depth + 1)


def _several(value: Any, schema: Mapping[str, Any], place: str, root: Any, depth: int) -> Iterator[Misfit]:
    for one in schema.get("allOf") or ():
        yield from _check(value, one, place, root, depth + 1)
    for word in ("anyOf", "oneOf"):
        forms = schema.get(word)
        if isinstance(forms, list) and forms and all(tuple(_check(value, f, place, root, depth + 1)) for f in forms):
            yield Misfit(place, word, "", f"{place} has none of the {len(forms)} forms that it may have")


def _bounds(size: float, schema: Mapping[str, Any], names: tuple[str, str], place: str) -> Iterator[Misfit]:
    low, high = (schema.get(name) for name in names)
    if low is not None and _number(low) and size < low:
        yield Misfit(place, names[0], "", f"{place} is less than {names[0]} {low}")
    if high is not None and _number(high) and size > high:
        yield Misfit(place, names[1], "", f"{place} is more than {names[1]} {high}")


def _misses(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is None
    except re.error:
        return False


def _resolved(ref: str, root: Any) -> Any:
    if not ref.startswith("#"):
        return {}
    for name in ref.removeprefix("#").split("/")[1:]:
        root = root.get(name.replace("~1", "/").replace("~0", "~"), {}) if isinstance(root, Mapping) else {}
    return root


def _is(value: Any, kind: str) -> bool:
    if kind == "number":
        return _number(value)
    if kind == "integer":
        return _number(value) and float(value).is_integer()
    return isinstance(value, _TYPES[kind]) if kind in _TYPES else True


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if _number(value):
        return "a number"
    return next(
        (f"{'an' if k[0] in 'ao' else 'a'} {k}" for k, types in _TYPES.items() if isinstance(value, types)), "?"
    )
