"""A scanner of JSON text (RFC 8259) that says where each scalar stands, so that values can be spliced in place.

Nothing is parsed into objects: duplicate keys, the order of keys, white space and the spelling of numbers stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Invalid", "Path", "Scalar", "decode", "encode_like", "render", "scan"]

Path = tuple[str, ...]
"""The way to a leaf: `.key` for an object's member, `[*]` for any element of an array."""

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_WORD_KINDS = {"true": "bool", "false": "bool", "null": "null"}
_UNIT = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)
_TO_ESCAPE = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_PLAIN_KEY = re.compile(r"[^\W\d]\w*")


class Invalid(ValueError):
    """The text is no JSON; says where, never what."""


class Scalar(NamedTuple):
    """One scalar: its path, its kind (`string`, `number`, `bool`, `null`) and where its literal stands in the text."""

    path: Path
    kind: str
    start: int
    end: int


def scan(text: str) -> Iterator[Scalar]:
    """Every scalar of a JSON document, in order. Raises Invalid where the text is no JSON."""
    position = _space(text, 0)
    # one entry per open container: the path of what stands in it, and whether it is an object
    stack: list[tuple[Path, bool]] = []
    path: Path = ()
    while True:
        char = text[position : position + 1]
        if char == "{" or char == "[":
            closing = "}" if char == "{" else "]"
            position = _space(text, position + 1)
            if text[position : position + 1] != closing:
                stack.append((path, char == "{"))
                position, path = _member(text, position, *stack[-1])
                continue
            position += 1
        else:
            kind, end = _scalar(text, position, char)
            yield Scalar(path, kind, position, end)
            position = end
        while True:  # after a value: the next one, or the end of what holds it
            position = _space(text, position)
            if not stack:
                if position != len(text):
                    raise Invalid(f"text after the end, at character {position}")
                return
            char = text[position : position + 1]
            position += 1
            if char == ",":
                position, path = _member(text, _space(text, position), *stack[-1])
                break
            if char != ("}" if stack[-1][1] else "]"):
                raise Invalid(f"a comma or a closing bracket is missing at character {position - 1}")
            stack.pop()


def decode(literal: str) -> str:
    """The value of a string literal, quotes included."""
    if "\\" not in literal:
        return literal[1:-1]
    value: str = json.loads(literal)
    return value


def encode_like(value: str, literal: str) -> str:
    """A value as a string literal that spells its characters as `literal` spells the one in the same place."""
    if "\\" not in literal:
        if _TO_ESCAPE.search(value):
            return json.dumps(value, ensure_ascii=False)
        return f'"{value}"'
    units = _UNIT.findall(literal, 1, len(literal) - 1)
    if len(units) != len(value):
        return json.dumps(value)
    return '"' + "".join([_spell(char, unit) for char, unit in zip(value, units, strict=True)]) + '"'


@lru_cache(maxsize=4096)
def render(path: Path) -> str:
    """A path as rules write it: `$.user.email`, `$.contacts[*].phone`, `$['odd key']`."""
    out = ["$"]
    for step in path:
        if step == "[*]" or _PLAIN_KEY.fullmatch(step, 1):
            out.append(step)
        else:
            key = step[1:].replace("\\", "\\\\").replace("'", "\\'")
            out.append(f"['{key}']")
    return "".join(out)


def _member(text: str, position: int, path: Path, is_object: bool) -> tuple[int, Path]:
    if not is_object:
        return position, (*path, "[*]")
    key = _STRING.match(text, position)
    if key is None:
        raise Invalid(f"a key is missing at character {position}")
    position = _space(text, key.end())
    if text[position : position + 1] != ":":
        raise Invalid(f"a colon is missing at character {position}")
    return _space(text, position + 1), (*path, "." + decode(key[0]))


def _scalar(text: str, position: int, char: str) -> tuple[str, int]:
    if char == '"':
        match = _STRING.match(text, position)
        if match:
            return "string", match.end()
    elif match := _NUMBER.match(text, position):
        return "number", match.end()
    elif match := _WORD.match(text, position):
        return _WORD_KINDS[match[0]], match.end()
    raise Invalid(f"no value at character {position}")


def _space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _spell(char: str, unit: str) -> str:
    if unit[:2] == "\\u":
        utf16 = char.encode("utf-16-be", "surrogatepass")
        form = "%04X" if unit[2:] == unit[2:].upper() and unit[2:] != unit[2:].lower() else "%04x"
        return "".join("\\u" + form % int.from_bytes(utf16[i : i + 2], "big") for i in range(0, len(utf16), 2))
    if unit[0] == "\\":
        return unit if json.loads(f'"{unit}"') == char else json.dumps(char)[1:-1]
    return char if not _TO_ESCAPE.match(char) else json.dumps(char)[1:-1]
