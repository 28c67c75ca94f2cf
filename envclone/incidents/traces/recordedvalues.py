"""Values of a recording as a bundle has them: vectors as numbers, a result's values as the server's text or as JSON."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from typing import Any

__all__ = ["body_of", "revived", "rows_of"]

_NATIVE = {"bool", "int2", "int4", "int8", "oid", "float4", "float8", "json", "jsonb", "bytea"}
"""Types whose values a step's result has as JSON; of all others it has the server's text."""
_PLAIN_TEXT = {"text", "varchar", "bpchar", "name", "uuid", "numeric"}
"""Types that read the same whether the server sent text or bytes."""
_STAMPS = ("timestamp", "timestamptz")
_OPEN = "$"


def revived(value: Any) -> Any:
    """A recorded value with its marks undone. Raises ValueError for a mark that is damaged."""
    if isinstance(value, list):
        return [revived(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((mark, inside),) = value.items()
        if mark in ("$f32", "$f64") and isinstance(inside, str):
            return _numbers(inside, "f" if mark == "$f32" else "d")
        if mark == "$bytes" and isinstance(inside, str):
            return "\\x" + _bytes(inside).hex()
        if mark in ("$decimal", "$text"):
            return str(inside)
        if mark == "$json":
            return revived(inside)
    return {key: revived(one) for key, one in value.items()}


def _numbers(text: str, kind: str) -> list[float]:
    data = _bytes(text)
    count, rest = divmod(len(data), 4 if kind == "f" else 8)
    if rest:
        raise ValueError("a vector is cut off")
    return list(struct.unpack(f"<{count}{kind}", data))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError(str(exc)) from None


def body_of(value: Any) -> tuple[str, Any]:
    """A recorded body: how it is written in an exchange, and what it is."""
    if isinstance(value, dict) and isinstance(value.get("$bytes"), str):
        return "base64", value["$bytes"]
    return "text", value if isinstance(value, str) else ""


def rows_of(columns: Sequence[Any], rows: Sequence[Any]) -> list[list[Any]] | None:
    """A result's rows as a replay reads them; None when the server sent a type in a form that has no such text."""
    from psycopg import adapters
    from psycopg.adapt import AdaptersMap, Transformer
    from psycopg.pq import Format
    from psycopg.types.string import TextLoader

    from envclone.stores.postgres.steps.parameters import plain

    own = AdaptersMap(adapters)
    kinds: list[str] = []
    for column in columns:
        info = adapters.types.get(column[1])
        name = info.name if info is not None else ""
        binary = bool(column[2])
        listed = info is not None and info.array_oid == column[1]
        if binary and (listed or name not in _NATIVE | _PLAIN_TEXT):
            return None
        kinds.append(name)
    for info in adapters.types:
        if info.name not in _NATIVE and info.oid:
            own.register_loader(info.oid, TextLoader)

    class Context:
        adapters = own
        connection = None

    transformer = Transformer(Context())
    loaders = [
        transformer.get_loader(column[1], Format.BINARY if column[2] else Format.TEXT).load for column in columns
    ]
    made = []
    for row in rows:
        if not isinstance(row, list) or len(row) != len(columns):
            return None
        values: list[Any] = []
        for value, load, kind in zip(row, loaders, kinds, strict=True):
            if value is None:
                values.append(None)
                continue
            data = _bytes(value["$bytes"]) if isinstance(value, dict) else str(value).encode()
            if kind in _STAMPS and data[4:5] == b"-" and data[10:11] == b" ":
                data = data.replace(b" ", b"T", 1)
            values.append(plain(load(data)))
        made.append(values)
    return made
