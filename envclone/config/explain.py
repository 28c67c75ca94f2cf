"""Pydantic's errors in plain words, without the values that caused them."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from envclone.config.base import NAME
from envclone.config.problems import WORD, Finding, Findings, Keys, did_you_mean, one_of, quoted

__all__ = ["explain"]

_WORDS = {
    "missing": "is required",
    "string_type": "must be text",
    "string_sub_type": "must be text",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "path_type": "must be a path",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")


def explain(error: ValidationError, root: type[BaseModel], above: Keys = ()) -> Iterator[Finding]:
    """Each mistake that `root` found in its data, with the keys that lead there from `above`."""
    for item in error.errors(include_url=False):
        kind, context, own = item["type"], item.get("ctx", {}), item["loc"]
        if own[-1:] == ("[key]",) and kind != "extra_forbidden":  # pydantic's mark for the key itself, not its value
            own = own[:-1]
        keys = above + own
        cause = context.get("error")
        if isinstance(cause, Findings):
            yield from ((keys + deeper, what) for deeper, what in cause.findings)
        elif kind == "extra_forbidden":
            yield keys, _unknown(keys, _model_at(root, own[:-1]))
        else:
            yield keys, _sentence(kind, context, item["input"], item["msg"], secret="source" in keys[4:5])


def _sentence(kind: str, context: Mapping[str, Any], given: object, message: str, *, secret: bool) -> str:
    cause = context.get("error")
    if cause is not None:
        return str(cause)
    if kind == "literal_error":
        expected = str(context["expected"])
        names = re.findall(r"'([^']*)'", expected) or [expected]
        similar = did_you_mean(given, names)
        return f"must be {one_of(names)}" + ("" if secret else _not(given)) + similar
    if kind == "string_pattern_mismatch":
        if context["pattern"] == NAME:
            return "must be lower-case letters, digits and hyphens, begin with a letter or digit, 41 at most"
        return f"must match {context['pattern']}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    if kind == "missing" or given is None:
        return "is required"
    if kind in ("string_type", "path_type") and isinstance(given, bool | int | float):
        return f"{_WORDS[kind]}; put the value in quotes"
    return _WORDS.get(kind) or message.replace("Input should be", "must be")


def _not(given: object) -> str:
    return f", not {quoted(given)}" if isinstance(given, str | int | float) else ""


def _unknown(keys: Keys, model: type[BaseModel] | None) -> str:
    key = keys[-1]
    known = list(model.model_fields) if model else []
    similar = did_you_mean(key, known)
    showable = WORD if "source" in keys[4:5] else _IDENTIFIER
    if not isinstance(key, str) or not showable.fullmatch(key):
        return "unknown key; known are: " + ", ".join(known)
    return f"unknown key {quoted(key)}" + (similar or f"; known are: {', '.join(known)}")


def _model_at(root: Any, keys: Keys) -> type[BaseModel] | None:
    """The model that describes the mapping at `keys`."""
    shape = root
    for key in keys:
        shape = _plain(shape)
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            field = shape.model_fields.get(str(key))
            shape = field.annotation if field else None
        else:
            arguments = get_args(shape)
            shape = arguments[-1] if arguments else None
    shape = _plain(shape)
    return shape if isinstance(shape, type) and issubclass(shape, BaseModel) else None


def _plain(shape: Any) -> Any:
    """A type without its `Annotated` and its `| None`."""
    while True:
        origin = get_origin(shape)
        if origin is Annotated:
            shape = get_args(shape)[0]
        elif origin in (Union, types.UnionType):
            shape = next((part for part in get_args(shape) if part is not type(None)), None)
        else:
            return shape
