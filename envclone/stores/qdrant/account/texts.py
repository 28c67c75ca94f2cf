"""Files of text: configurations in JSON, version numbers, the empty log."""

from __future__ import annotations

import json
import re
from typing import Any

from envclone.models import ByteClass, Values
from envclone.stores.qdrant.account.claims import Claims, Damaged

__all__ = ["dimensions", "document", "exactly", "log", "version"]

_VERSION = re.compile(rb"\d{1,4}(\.\d{1,4}){1,3}\s?")
_DIMENSIONS = re.compile(rb'\{"map":\{(?:"\d{1,10}":\d{1,10},)*(?:"\d{1,10}":\d{1,10})?\}\}')
_MOST = 64 * 2**20


def document(claims: Claims, place: str) -> None:
    """A configuration: its whole text is searched."""
    if claims.size > _MOST:
        raise Damaged("it is too large for a configuration")
    data = claims.read(0, claims.size)
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise Damaged("it is not JSON") from None
    if not isinstance(found, dict | list):
        raise Damaged("it is not a JSON document")
    claims.claim(ByteClass.STRUCTURE, 0, claims.size)
    claims.values.append(Values(place, [data]))


def exactly(claims: Claims, content: bytes) -> None:
    """What envclone itself wrote, to the byte: nothing of production's can be in it."""
    if claims.read(0, claims.size) != content:
        raise Damaged("it is not what envclone writes there")
    claims.claim(ByteClass.STRUCTURE, 0, claims.size)


def dimensions(claims: Claims) -> None:
    """The numbers of a sparse vector's dimensions, and nothing else."""
    if not _DIMENSIONS.fullmatch(claims.read(0, claims.size)):
        raise Damaged("it holds something else than numbers of dimensions")
    claims.claim(ByteClass.STRUCTURE, 0, claims.size)


def version(claims: Claims) -> None:
    """A version of a format."""
    if not _VERSION.fullmatch(claims.read(0, claims.size)):
        raise Damaged("it is not a version")
    claims.claim(ByteClass.STRUCTURE, 0, claims.size)


def log(claims: Claims) -> None:
    """An emptied log's one segment: a magic word and a random number. Raises Damaged when it holds an operation."""
    if claims.size and claims.read(0, 4) != b"wal\0":
        raise Damaged("it is not a log")
    claims.claim(ByteClass.STRUCTURE, 0, min(8, claims.size))
    classes, _ = claims.settle()
    if ByteClass.UNDECODED in classes:
        raise Damaged("it holds operations")
