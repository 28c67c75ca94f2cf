"""Values of a recorded statement between JSON and the driver: parameters on their way in, results on their way out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

__all__ = ["as_vector", "bind", "plain"]

_PLACEHOLDER = re.compile(r"%%|%s|%\((?P<name>[^)]*)\)s")
_VECTOR_CAST = re.compile(r"\s*::\s*(?:\"?\w+\"?\.)?(?:vector|halfvec|sparsevec)\b", re.IGNORECASE)
_JSON_CAST = re.compile(r"\s*(?:::|\s+AS\s)\s*jsonb?\b(?!\s*\[)", re.IGNORECASE)
_VECTOR_CAST_AS = re.compile(r"\s+AS\s+(?:\"?\w+\"?\.)?(?:vector|halfvec|sparsevec)\b", re.IGNORECASE)
_DISTANCE = re.compile(r"(?:<->|<=>|<#>|<\+>|OPERATOR\s*\(\s*\"?\w+\"?\.(?:<->|<=>|<#>|<\+>)\s*\))", re.IGNORECASE)


def bind(sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None) -> list[Any] | dict[str, Any] | None:
    """The parameters as psycopg takes them.

    A list of numbers becomes a vector's text where its placeholder is cast to one or stands beside a distance operator,
    and stays an array elsewhere. A mapping, a list that holds one, and a list that is cast to JSON become JSON.
    """
    if parameters is None:
        return None
    places = [match for match in _PLACEHOLDER.finditer(sql) if match[0] != "%%"]
    if isinstance(parameters, Mapping):
        vectors = {match["name"] for match in places if match["name"] and _is_vector(sql, match)}
        documents = {match["name"] for match in places if match["name"] and _JSON_CAST.match(sql, match.end())}
        return {name: _value(value, name in vectors, name in documents) for name, value in parameters.items()}
    places = [match for match in places if match[0] == "%s"]
    return [
        _value(value, _is_vector(sql, place), _JSON_CAST.match(sql, place.end()) is not None)
        if place
        else _value(value)
        for value, place in zip_longest(parameters, places[: len(parameters)])
    ]


def _is_vector(sql: str, match: re.Match[str]) -> bool:
    before, after = sql[: match.start()].rstrip(" \t\r\n("), sql[match.end() :]
    if _VECTOR_CAST.match(after) or _VECTOR_CAST_AS.match(after) or _DISTANCE.match(after.lstrip(" \t\r\n)")):
        return True
    operator = list(_DISTANCE.finditer(before[-40:]))
    return bool(operator) and operator[-1].end() == len(before[-40:]) and not re.match(r"\s*::", after)


def _value(value: Any, vector: bool = False, document: bool = False) -> Any:
    if isinstance(value, Mapping) or (document and isinstance(value, list)):
        return _json(value)
    if isinstance(value, list):
        if vector and all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
            return as_vector(value)
        if vector and value and all(isinstance(item, list) for item in value):
            return [_value(item, True) for item in value]
        if any(isinstance(item, Mapping) for item in value):
            return _json(value)
    return value


def as_vector(value: Sequence[float]) -> str:
    """Numbers as pgvector reads them."""
    return "[" + ",".join(_number(item) for item in value) + "]"


def _number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else repr(value)


def _json(value: Any) -> str:
    """The document's text without a type, which json and jsonb both take."""
    return json.dumps(value, ensure_ascii=False)


def plain(value: Any) -> Any:
    """A result's value as JSON holds it: bytes as hexadecimal digits, no-numbers as their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
