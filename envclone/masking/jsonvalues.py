"""The scalars of JSON text by Python's own parser: for who wants the values and not where they stand.

The same as `jsonscan.scan` finds, several times as fast: duplicate keys, the order and the spelling of numbers stay.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from envclone.masking.jsonscan import Path, decode, scan

__all__ = ["values"]


class _Number(str):
    """A number as it is spelled."""

    __slots__ = ()


class _Members(list[tuple[str, Any]]):
    """The members of an object; a key can stand there twice."""

    __slots__ = ()


def _refuse(word: str) -> Any:
    raise ValueError(word)  # NaN and Infinity, which are not JSON


_DECODER = json.JSONDecoder(object_pairs_hook=_Members, parse_int=_Number, parse_float=_Number, parse_constant=_refuse)


def values(text: str) -> list[tuple[Path, str, str]]:
    """The path, the kind (`string`, `number`, `bool`) and the value of every scalar but nulls, in order.

    Raises Invalid where the text is not JSON.
    """
    found: list[tuple[Path, str, str]] = []
    try:
        _walk(_DECODER.decode(text), (), found)
    except (ValueError, RecursionError):  # the scanner says where, and knows no depth that is too deep
        return _scanned(text)
    return found


def _walk(value: Any, path: Path, found: list[tuple[Path, str, str]]) -> None:
    kind = type(value)
    if kind is str:
        found.append((path, "string", value))
    elif kind is _Number:
        found.append((path, "number", str(value)))
    elif kind is _Members:
        for key, item in value:
            _walk(item, _below(path, "." + key), found)
    elif kind is list:
        inner = _below(path, "[*]")
        for item in value:
            _walk(item, inner, found)
    elif kind is bool:
        found.append((path, "bool", "true" if value else "false"))


@lru_cache(maxsize=4096)
def _below(path: Path, step: str) -> Path:
    return (*path, step)


def _scanned(text: str) -> list[tuple[Path, str, str]]:
    found = []
    for path, kind, start, end in scan(text):
        if kind != "null":
            literal = text[start:end]
            found.append((path, kind, decode(literal) if kind == "string" else literal))
    return found
