"""What a column's bytes on disk say, as the text that masks know; and back, as the server would write it."""

from __future__ import annotations

import ipaddress
import socket
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from envclone.errors import UnsafeError
from envclone.stores.postgres.write.inplace import arrays, jsonb, many, moments, numeric
from envclone.stores.postgres.write.inplace.many import Formed, Many

__all__ = ["Codec", "codec_for"]

_INET, _INET6 = 2, 3
_HEADER = 4


@dataclass(frozen=True, slots=True)
class Codec:
    """`decode` gives what the column's FieldKind promises (text, or nested lists of it), as a cast to text prints it.

    `encode` gets the new value and the old bytes, and raises UnsafeError for what the type cannot hold. Bytes are those
    behind a varlena's header, or the whole of a value of fixed length. `plain` says that the bytes are the text,
    `limited` that it has a most of characters; `many` does the same with many values of a fixed length,
    `formed` with texts in a block.
    """

    decode: Callable[[bytes], Any]
    encode: Callable[[Any, bytes], bytes]
    plain: bool = False
    limited: bool = False
    many: Many | None = None
    formed: Formed | None = None


def codec_for(base: str, typmod: int, element: tuple[int, str] | None) -> Codec | None:
    """The codec of a type by its name below domains; None for a type that is left to the server.

    `typmod` is the column's type modifier or -1; `element` the length and alignment of an array's elements.
    """
    if base.endswith("[]"):
        inner = _scalar(base[:-2], typmod)
        if inner is None or element is None:
            return None
        length, align = element
        put = inner.encode
        return Codec(
            lambda body: arrays.decode(body, length, align, inner.decode),
            lambda value, old: arrays.encode(value, old, length, align, lambda item: put(item, b"")),
        )
    return _scalar(base, typmod)


def _scalar(base: str, typmod: int) -> Codec | None:
    if base in ("text", "citext", "json", "xml"):
        return Codec(bytes.decode, lambda value, _: value.encode(), plain=True)
    if base in ("varchar", "bpchar"):
        limit = typmod - _HEADER if typmod >= _HEADER else None
        if base == "varchar":
            return Codec(bytes.decode, lambda value, _: _limited(value, limit).encode(), plain=True, limited=True)
        return Codec(
            lambda body: body.decode().rstrip(" "),
            lambda value, _: (value if limit is None else _limited(value.rstrip(" "), limit).ljust(limit)).encode(),
        )
    if base == "numeric":
        scale = numeric.scale_of(typmod)
        return Codec(numeric.decode, lambda value, _: numeric.encode(value, scale), formed=many.numerics(scale))
    if base in ("timestamp", "timestamptz"):
        zone, digits = base == "timestamptz", typmod if typmod >= 0 else 6
        return Codec(
            lambda body: moments.decode_timestamp(body, zone=zone),
            lambda value, _: moments.encode_timestamp(value, zone=zone, digits=digits),
            formed=many.timestamps(zone=zone, digits=digits),
        )
    return _SIMPLE.get(base)


def _limited(value: str, limit: int | None) -> str:
    """Too long a value loses spaces at its end and nothing else, as in SQL."""
    if limit is None or len(value) <= limit:
        return value
    if value[limit:].strip(" "):
        raise UnsafeError(f"a pseudonym is longer than the {limit} characters that the column allows")
    return value[:limit]


def _integer(form: str) -> Codec:
    pack = struct.Struct(form)

    def encode(value: str, _: bytes) -> bytes:
        try:
            return pack.pack(int(value))
        except (struct.error, ValueError) as exc:
            raise UnsafeError("a pseudonym does not fit the column's integer type") from exc

    return Codec(lambda body: str(pack.unpack(body)[0]), encode, many=many.integers(form))


def _decode_inet(body: bytes) -> str:
    family = socket.AF_INET if body[0] == _INET else socket.AF_INET6
    return f"{socket.inet_ntop(family, body[2:])}/{body[1]}"


def _encode_inet(value: str, _: bytes) -> bytes:
    address, bits = value.partition("/")[::2]
    try:
        parsed = ipaddress.ip_address(address)
        width = int(bits) if bits else parsed.max_prefixlen
    except ValueError as exc:
        raise UnsafeError("a pseudonym is not a network address") from exc
    return bytes((_INET if parsed.version == 4 else _INET6, width)) + parsed.packed


def _encode_mac(value: str, old: bytes) -> bytes:
    packed = bytes.fromhex(value.replace(":", "").replace("-", "").replace(".", ""))
    if len(packed) not in (6, 8) or (old and len(packed) != len(old)):
        raise UnsafeError("a pseudonym is not a MAC address of its column's type")
    return packed


def _encode_uuid(value: str, _: bytes) -> bytes:
    try:
        return uuid.UUID(value).bytes
    except ValueError as exc:
        raise UnsafeError("a pseudonym is not a UUID") from exc


def _encode_bool(value: str, _: bytes) -> bytes:
    if value not in ("true", "false", "t", "f"):
        raise UnsafeError("a pseudonym is not a boolean")
    return b"\1" if value[0] == "t" else b"\0"


def _encode_bytea(value: str, _: bytes) -> bytes:
    try:
        if not value.startswith("\\x"):
            raise ValueError
        return bytes.fromhex(value[2:])
    except ValueError as exc:
        raise UnsafeError("a pseudonym is not bytes in hexadecimal") from exc


_MAC = Codec(lambda body: body.hex(":"), _encode_mac)
_SIMPLE: dict[str, Codec] = {
    "jsonb": Codec(jsonb.decode, lambda value, _: jsonb.encode(value), formed=many.DOCUMENTS),
    "uuid": Codec(lambda body: str(uuid.UUID(bytes=body)), _encode_uuid, formed=many.UUIDS),
    "int2": _integer("<h"),
    "int4": _integer("<i"),
    "int8": _integer("<q"),
    "date": Codec(moments.decode_date, lambda value, _: moments.encode_date(value), many=many.DATES),
    "inet": Codec(_decode_inet, _encode_inet, formed=many.ADDRESSES),
    "macaddr": _MAC,
    "macaddr8": _MAC,
    "bool": Codec(lambda body: "true" if body[0] else "false", _encode_bool),
    "bytea": Codec(lambda body: "\\x" + body.hex(), _encode_bytea),
}
