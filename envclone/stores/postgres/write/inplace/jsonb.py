"""The type jsonb on disk (`src/include/utils/jsonb.h`): a tree of containers with an entry of 4 bytes per child."""

from __future__ import annotations

import json
import struct
from io import StringIO
from typing import Any

from envclone.errors import UnsafeError
from envclone.stores.postgres.write.inplace import numeric

__all__ = ["decode", "encode"]

_COUNT, _SCALAR, _OBJECT, _ARRAY = 0x0FFFFFFF, 0x10000000, 0x20000000, 0x40000000
_HAS_OFFSET, _TYPE, _LENGTH = 0x80000000, 0x70000000, 0x0FFFFFFF
_STRING, _NUMBER, _FALSE, _TRUE, _NULL, _CONTAINER = (n << 28 for n in (0, 1, 2, 3, 4, 5))
_WORDS = {_FALSE: "false", _TRUE: "true", _NULL: "null"}
_STRIDE = 32
_QUOTED = json.encoder.encode_basestring


class _Number(str):
    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    __slots__ = ()


def decode(body: bytes | memoryview) -> str:
    """The document's text as the server prints it; raises UnsafeError when it is nested too deep or damaged."""
    out = StringIO()  # one buffer that becomes the text: parts in a list would be all of it once more
    try:
        _print(body, 0, len(body), out)
    except RecursionError:
        raise UnsafeError("a document is nested too deep to be looked into", hint="give its column null") from None
    return out.getvalue()


def encode(text: str) -> bytes:
    """The bytes of a document; raises UnsafeError when the text is not JSON, or too big."""
    try:
        document = json.loads(text, parse_float=_Number, parse_int=_Number, object_pairs_hook=_Pairs)
    except (json.JSONDecodeError, RecursionError) as exc:
        raise UnsafeError("a masked document is not JSON any more") from exc
    out = bytearray()
    if isinstance(document, list):  # an object's pairs are a list too
        _container(out, document)
    else:
        _container(out, [document], scalar=True)
    return bytes(out)


def _print(body: bytes | memoryview, at: int, limit: int, out: StringIO) -> None:
    """Print the container that ends before `limit`.

    Children lie one behind the other: were two of them the same bytes, a short document could be endless.
    """
    if at + 4 > limit:
        raise _damaged()
    (head,) = struct.unpack_from("<I", body, at)
    count = head & _COUNT
    of_object = bool(head & _OBJECT)
    children = 2 * count if of_object else count
    data = at + 4 + 4 * children
    if data > limit:
        raise _damaged()
    entries = struct.unpack_from(f"<{children}I", body, at + 4)
    spans: list[tuple[int, int]] = []
    end = 0
    for entry in entries:
        start, end = end, (entry & _LENGTH) if entry & _HAS_OFFSET else end + (entry & _LENGTH)
        if end < start or data + end > limit:
            raise _damaged()
        spans.append((data + start, data + end))
    if not of_object:
        scalar = bool(head & _SCALAR)
        if not scalar:
            out.write("[")
        for i in range(count):
            if i:
                out.write(", ")
            _print_child(body, entries[i], spans[i], out)
        if not scalar:
            out.write("]")
        return
    out.write("{")
    for i in range(count):
        out.write(", " if i else "")
        _print_child(body, entries[i], spans[i], out)
        out.write(": ")
        _print_child(body, entries[count + i], spans[count + i], out)
    out.write("}")


def _print_child(body: bytes | memoryview, entry: int, span: tuple[int, int], out: StringIO) -> None:
    start, end = span
    kind = entry & _TYPE
    if kind == _STRING:
        out.write(_QUOTED(str(body[start:end], "utf-8")))
    elif kind == _NUMBER:
        at = (start + 3) & ~3
        out.write(numeric.decode(bytes(body[at + 4 : end])))
    elif kind == _CONTAINER:
        _print(body, (start + 3) & ~3, end, out)
    elif kind in _WORDS:
        out.write(_WORDS[kind])
    else:
        raise UnsafeError("a document holds an entry of no known type", hint="check production with pg_amcheck")


def _damaged() -> UnsafeError:
    return UnsafeError("a document's part runs over its end", hint="check production with pg_amcheck")


def _container(out: bytearray, document: Any, *, scalar: bool = False) -> None:
    children: list[Any]
    if isinstance(document, _Pairs):
        unique = {key.encode(): value for key, value in document}  # the last of equal keys counts
        keys = sorted(unique, key=lambda key: (len(key), key))
        children = [*(key.decode() for key in keys), *(unique[key] for key in keys)]
        head = _OBJECT | len(keys)
    else:
        children = document
        head = _ARRAY | len(children) | (_SCALAR if scalar else 0)
    out += struct.pack("<I", head)
    entries = len(out)
    out += bytes(4 * len(children))
    start = len(out)
    before = start
    for i, child in enumerate(children):
        kind = _child(out, child)
        length = len(out) - before
        before = len(out)
        if before - start > _LENGTH:
            raise UnsafeError("a masked document is too big for jsonb")
        entry = kind | (_HAS_OFFSET | (before - start) if i % _STRIDE == 0 else length)
        struct.pack_into("<I", out, entries + 4 * i, entry)


def _child(out: bytearray, child: Any) -> int:
    if isinstance(child, _Number):
        out += bytes(-len(out) % 4)
        body = numeric.encode(child)
        out += struct.pack("<I", (len(body) + 4) << 2) + body
        return _NUMBER
    if isinstance(child, str):
        out += child.encode()
        return _STRING
    if isinstance(child, list):
        out += bytes(-len(out) % 4)
        _container(out, child)
        return _CONTAINER
    return _NULL if child is None else _TRUE if child else _FALSE
