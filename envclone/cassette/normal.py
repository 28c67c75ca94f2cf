"""A request in its normal form: what of it decides the answer, as leaves by their place, and nothing else.

Two requests are the same when their leaves are: the order of keys, white space around JSON and at the end of lines, how
a number is written, ids of requests and of tool calls, and members that a provider ignores make no difference.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from envclone.cassette.operations import Operation, recognised

__all__ = ["DEPTH", "LEAVES", "Asked", "normal", "of_body"]

DEPTH = 200
"""How deep a body is looked into; a deeper one is compared as text."""
LEAVES = 200_000
"""How many leaves of a body are told apart; a larger one is compared as text."""

_SECRET = re.compile(
    r"(api[-_]?|client[-_]?|x-goog-|x-amz-)?(key|secret|signature|credential|security-token)|((access|id|refresh)[-_]?)?token"
    r"|auth|sig|code|password|passwd|pwd",
    re.IGNORECASE,
)
"""Parameters of an address that let somebody in: they decide no answer, and a recording does not hold them."""
_SECRET_MEMBER = re.compile(
    r"\w{0,60}(password|passwd|passphrase|secret|api[-_]?key|private[-_]?key|authorization|credentials?)|(set-)?cookie",
    re.IGNORECASE,
)
"""Members of a body that do so."""
_CALL_IDS = frozenset(("tool_call_id", "tool_use_id", "call_id"))
_CALLS = frozenset(("tool_use", "function", "function_call", "server_tool_use", "mcp_call"))
_BOUNDARY = re.compile(r"multipart/[a-z-]+;.*boundary=\"?([^\";]{1,100})", re.IGNORECASE)


class _TooMuch(ValueError):
    """A body that is too deep, or has too many leaves."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in its normal form; `host` is None when it went to the cassette by an address of its own."""

    method: str
    host: str | None
    path: str
    operation: Operation
    leaves: Mapping[str, Any]
    digest: bytes
    body: Any = None
    """as it was read: JSON, or text"""


def normal(method: str, url: str, headers: Mapping[str, str], body: Any, *, here: bool = False) -> Asked:
    """The normal form of a request whose body was read with `of_body`; `here` says that its host is the cassette's.

    Raises ValueError when the address cannot be read.
    """
    parts = urlsplit(url)
    operation = recognised(method, parts.path)
    leaves: dict[str, Any] = dict(operation.named)
    query = sorted(_fields(parts.query))
    if not operation.known:
        leaves["method"], leaves["path"] = method, parts.path
    for name, value in query:
        if not _SECRET.fullmatch(name) and name not in operation.volatile and name != "api-version":
            leaves[f"?{name}"] = f"{leaves[f'?{name}']}, {value}" if f"?{name}" in leaves else value
    if isinstance(body, dict):
        kept = {name: value for name, value in body.items() if name not in operation.volatile}
        if "jsonrpc" in kept:
            kept.pop("id", None)
        body_seen: Any = kept
    else:
        body_seen = _without_boundary(body, headers)
    try:
        leaves.update(_leaves(body_seen))
    except (_TooMuch, RecursionError):
        leaves["$"] = _written(body_seen)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{operation.provider} {operation.name if operation.known else ''}".encode())
    for place in sorted(leaves):
        value = leaves[place]
        digest.update(repr((place, type(value).__name__, value)).encode("utf-8", "surrogatepass"))
    return Asked(method, None if here else parts.hostname, parts.path, operation, leaves, digest.digest(), body)


def of_body(content: bytes, headers: Mapping[str, str]) -> Any:
    """A body as JSON where it is JSON, a form as its fields, else as text, or as base64 in a text."""
    if not content:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(content).decode("ascii")
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "").lower()
    if kind.startswith("application/x-www-form-urlencoded"):
        try:
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=10_000))
        except ValueError:
            return text
    return _json(text)


def _fields(query: str) -> list[tuple[str, str]]:
    """The parameters of an address; of one that has very many, all of them as one."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return [("", query)]


def _json(text: str) -> Any:
    """JSON as its value; every other text as it is, and so a number of thousands of digits."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    except RecursionError:  # read by a C loop that goes deeper than the one that writes
        return f"(a body too deep to be looked into: {type(value).__name__})"


def _without_boundary(body: Any, headers: Mapping[str, str]) -> Any:
    """A body of several parts without the random text between them."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    found = _BOUNDARY.match(kind[:500])
    return body.replace(found[1], "boundary") if found and isinstance(body, str) else body


def _leaves(body: Any) -> dict[str, Any]:
    """Every leaf of a body by its place. Raises _TooMuch."""
    found: dict[str, Any] = {}
    calls: dict[str, str] = {}
    for place, value in _walk(body, "", 0, calls, inner=True):
        if len(found) >= LEAVES:
            raise _TooMuch
        at = place or "$"
        found[f"{at} ({len(found)})" if at in found else at] = value  # a key may spell what a path does
    return found


def _walk(value: Any, place: str, depth: int, calls: dict[str, str], *, inner: bool) -> Iterator[tuple[str, Any]]:
    """Leaves in the order of their places; with `inner` also those of JSON that stands in a text."""
    if depth > DEPTH:
        raise _TooMuch
    if isinstance(value, dict):
        if not value:
            yield place, "{}"
        called = "function" in value or value.get("type") in _CALLS
        for key in sorted(value, key=str):
            item, at = value[key], f"{place}.{key}" if place else str(key)
            if isinstance(item, str) and _SECRET_MEMBER.fullmatch(str(key)):
                continue
            if isinstance(item, str) and (key in _CALL_IDS or (key == "id" and called)):
                yield at, calls.setdefault(item, f"call {len(calls) + 1}")
            elif key == "content" and (alone := _only_text(item)) is not None:
                yield from _walk(alone, at, depth + 1, calls, inner=inner)
            elif item is not None:
                yield from _walk(item, at, depth + 1, calls, inner=inner)
    elif isinstance(value, list | tuple):
        if not value:
            yield place, "[]"
        for index, item in enumerate(value):
            yield from _walk(item, f"{place}[{index}]", depth + 1, calls, inner=inner)
    elif isinstance(value, str):
        read = _json(value) if inner and value[:1] in ("{", "[") else value
        if isinstance(read, dict | list):
            yield from _walk(read, place, depth + 1, calls, inner=False)
        else:
            yield place, "\n".join(line.rstrip(" \t\r") for line in value.split("\n")).strip()
    else:
        yield place, _number(value)


def _only_text(content: Any) -> str | None:
    """What a list of one part of text says, which is the same as that text."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        part = content[0]
        if part.keys() == {"type", "text"} and part["type"] in ("text", "input_text") and isinstance(part["text"], str):
            text: str = part["text"]
            return text
    return None


def _number(value: Any) -> Any:
    """A number to nine digits, more than a 32-bit float has; 1.0 is 1."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.9g}")
    return value
