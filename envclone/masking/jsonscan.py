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

_BLANK = r"[ \t\n\r]*"
_LITERAL = r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_SCALAR = (
    rf"(?P<string>{_LITERAL})"
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<bool>true|false)|(?P<null>null)"
)
_SPACE = re.compile(_BLANK)
_STRING = re.compile(_LITERAL)
_KEY = re.compile(rf"{_BLANK}({_LITERAL}){_BLANK}:")
_VALUE = re.compile(rf"{_BLANK}(?:{_SCALAR}|(?P<open>[{{\[]))")
_MEMBER = re.compile(rf"{_BLANK}({_LITERAL}){_BLANK}:{_BLANK}(?:{_SCALAR}){_BLANK}[,}}\]]")
_ELEMENT = re.compile(rf"{_BLANK}(?:{_SCALAR}){_BLANK}[,}}\]]")
"""A scalar in an object or an array and the sign behind it, together; what these do not match goes step by step."""
_AFTER = re.compile(rf"{_BLANK}[,}}\]]")
_EMPTY_OBJECT = re.compile(_BLANK + "}")
_EMPTY_ARRAY = re.compile(_BLANK + r"\]")
_UNIT = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)
_TO_ESCAPE = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_PLAIN_KEY = re.compile(r"[^\W\d]\w*")


DEEPEST = 5000
"""Levels of a document; a path has a step for each, and deeper ones take memory that grows with their square."""


class Invalid(ValueError):
    """The text is not JSON; says where, never what."""


class Scalar(NamedTuple):
    """One scalar: its path, its kind (`string`, `number`, `bool`, `null`) and where its literal stands in the text.

    The kind `key` is a member's key, its path the member's.
    """

    path: Path
    kind: str
    start: int
    end: int


def scan(text: str, *, keys: bool = False) -> Iterator[Scalar]:
    """Every scalar of a JSON document, with `keys` also every key, in order.

    Raises Invalid where the text is not JSON.
    """
    value_at, after_at = _VALUE.match, _AFTER.match  # the inner loop of masking: one match per token
    member_at, element_at = _MEMBER.match, _ELEMENT.match
    position = 0
    # one entry per open container: the path of what stands in it, and whether it is an object
    stack: list[tuple[Path, bool]] = []
    path: Path = ()
    while True:
        found = value_at(text, position)
        if found is None:
            raise Invalid(f"no value at character {_space(text, position)}")
        group = found.lastgroup or ""
        position = found.end()
        inside = False
        if group == "open":
            is_object = text[position - 1] == "{"
            empty = (_EMPTY_OBJECT if is_object else _EMPTY_ARRAY).match(text, position)
            if empty is None:
                if len(stack) == DEEPEST:
                    raise Invalid(f"more than {DEEPEST} levels at character {position}")
                stack.append((path, is_object))
                inside = True
            else:
                position = empty.end()
        else:
            yield Scalar(path, group, found.start(group), position)
        while True:
            if not inside:  # after a value: the next one, or the end of what holds it
                found = after_at(text, position)
                if not stack:
                    if _space(text, position) != len(text):
                        raise Invalid(f"text after the end, at character {_space(text, position)}")
                    return
                if found is None:
                    raise Invalid(f"a comma or a closing bracket is missing at character {_space(text, position)}")
                position = found.end()
            else:  # where a value must follow
                holder, is_object = stack[-1]
                found = member_at(text, position) if is_object else element_at(text, position)
                if found is None:
                    position, path, key = _member(text, position, holder, is_object)
                    if keys and key is not None:
                        yield Scalar(path, "key", *key)
                    break
                start, end = found.span(found.lastindex or 0)
                if keys and is_object:
                    yield Scalar(_below(holder, found[1]), "key", *found.span(1))
                yield Scalar(_below(holder, found[1] if is_object else "[*]"), found.lastgroup or "", start, end)
                position = found.end()
            char = text[position - 1]
            inside = char == ","
            if not inside:
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


def _member(text: str, position: int, path: Path, is_object: bool) -> tuple[int, Path, tuple[int, int] | None]:
    """Where a member's value begins, its path, and where its key's literal stands."""
    if not is_object:
        return position, _below(path, "[*]"), None
    found = _KEY.match(text, position)
    if found is None:
        start = _space(text, position)
        key = _STRING.match(text, start)
        if key is None:
            raise Invalid(f"a key is missing at character {start}")
        raise Invalid(f"a colon is missing at character {_space(text, key.end())}")
    return found.end(), _below(path, found[1]), found.span(1)


@lru_cache(maxsize=4096)
def _below(path: Path, step: str) -> Path:
    """The path of a member, given its key's literal, or of an array's elements."""
    return (*path, step if step == "[*]" else "." + decode(step))


def _space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _spell(char: str, unit: str) -> str:
    if unit[:2] == "\\u":
        utf16 = char.encode("utf-16-be", "surrogatepass")
        digits = unit.replace("\\u", "")
        form = "%04X" if digits == digits.upper() != digits.lower() else "%04x"
        return "".join("\\u" + form % int.from_bytes(utf16[i : i + 2], "big") for i in range(0, len(utf16), 2))
    if unit[0] == "\\":
        return unit if json.loads(f'"{unit}"') == char else json.dumps(char)[1:-1]
    return char if not _TO_ESCAPE.match(char) else json.dumps(char)[1:-1]
