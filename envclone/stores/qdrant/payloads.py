"""Payloads as JSON: the paths of their scalar leaves, and digests that do not depend on the engine's order of keys."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["canonical", "digest64", "digest128", "leaves", "parse", "text"]


_PLAIN = re.compile(r"[^\W\d][\w-]*")
"""Keys that a path names without quotes."""


def parse(payload: str) -> Any:
    """A payload's value; numbers as Python reads them."""
    return json.loads(payload)


def text(record: bytes) -> str:
    """A stored record as text; raises UnicodeDecodeError when it is none."""
    return record.decode("utf-8")


def leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Each scalar of a parsed document with its path, as the rules write it: `$.contacts[*].phone`."""
    yield from _below(value, "$")


def canonical(value: Any) -> bytes:
    """The document with its keys sorted and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def digest128(*parts: bytes) -> int:
    """A keyless 128-bit hash of several byte strings, each with its length."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return int.from_bytes(state.digest(), "little")


def digest64(data: bytes) -> int:
    """A keyless 64-bit hash."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _below(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            step = f".{key}" if _PLAIN.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"
            yield from _below(item, path + step)
    elif isinstance(value, list):
        for item in value:
            yield from _below(item, path + "[*]")
    else:
        yield path, value
