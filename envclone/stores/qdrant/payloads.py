"""Payloads as JSON: their scalar leaves, and digests that do not depend on the engine's order of keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from envclone.errors import UnsafeError

__all__ = ["Steps", "canonical", "digest64", "digest128", "leaves", "parse", "text"]


Steps = tuple[str, ...]
"""The way to a leaf."""


def parse(payload: str) -> Any:
    """A payload's value; numbers as Python reads them. Raises UnsafeError when it is not JSON."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as exc:
        raise _damaged(exc) from None


def text(record: bytes) -> str:
    """A stored record as text; raises UnsafeError when it is none."""
    try:
        return record.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _damaged(exc) from None


def leaves(value: Any) -> Iterator[tuple[Steps, Any]]:
    """Each scalar of a parsed document but nulls, with the way to it: `.key` for a member, `[*]` for an element.

    The same leaves as `masking.jsontext.leaves` finds in the text, several times as fast.
    """
    yield from _below(value, ())


def canonical(value: Any) -> bytes:
    """The document with its keys sorted and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def digest128(*parts: bytes, key: bytes = b"") -> int:
    """A 128-bit hash of several byte strings, each with its length; `key` has at most 64 bytes."""
    state = hashlib.blake2b(digest_size=16, key=key)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return int.from_bytes(state.digest(), "little")


def digest64(data: bytes) -> int:
    """A keyless 64-bit hash."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _damaged(exc: Exception) -> UnsafeError:
    what = "nested too deeply" if isinstance(exc, RecursionError) else "no JSON text"
    return UnsafeError(
        f"a payload of the store is {what}", hint="check production with its own engine, then take a new snapshot"
    )


def _below(value: Any, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _below(item, (*steps, "." + key))
    elif isinstance(value, list):
        inner = (*steps, "[*]")
        for item in value:
            yield from _below(item, inner)
    elif value is not None:
        yield steps, value
