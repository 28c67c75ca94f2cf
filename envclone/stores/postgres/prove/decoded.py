"""What the bytes of a stored value say, as texts that are searched one by one."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from envclone.errors import UnsafeError
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove import arrays
from envclone.stores.postgres.prove.ranged import range_reader
from envclone.stores.postgres.write.inplace import jsonb
from envclone.stores.postgres.write.inplace.codecs import codec_for

__all__ = ["NUMBERS", "READING", "Decoder", "Texts", "decoder", "has_no_text", "of_type", "side_by_side"]

Texts = list[str | bytes]
Decoder = Callable[[bytes], Texts]
"""The texts in a value's bytes, without its header; raises ValueError or struct.error when they are not of its type."""

NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "int2[]", "int4[]", "int8[]", "numeric[]"})
"""Types whose texts are numbers in decimal."""

_NO_TEXT = frozenset(
    {
        *("oid", "xid", "xid8", "cid", "tid", "bool", "char", "float4", "float8", "pg_lsn", "oidvector"),
        *("regclass", "regproc", "regprocedure", "regtype", "regoper", "regoperator", "regrole", "regnamespace"),
        *("regconfig", "regdictionary", "regcollation", "aclitem", "vector", "halfvec", "sparsevec", "money"),
        *("time", "timetz", "point", "line", "lseg", "box", "path", "polygon", "circle", "pg_ndistinct", "interval"),
        *("pg_dependencies", "pg_snapshot", "txid_snapshot", "int2vector"),
    }
)  # fmt: skip
"""Types of numbers that are not a name: identifiers, flags, measures, places in time; vectors have their own rule."""

_COUNTED = frozenset({"int2", "int4", "int8", "timestamptz"})
_CONSTANT = re.compile(rb":constvalue (\d+) \[ ([-0-9 ]+) \]")
_PRINTED = re.compile(rb"[\x20-\x7e\x80-\xff]{3,}")
_MCV = 0xE1A651C2
_DIMENSION = struct.Struct("<iiii?3x")
_LONGEST_UNKNOWN = 1024
"""Bytes of a value of a type that nothing here knows, in which UUIDs are looked for."""
_FREQUENCIES = 16
"""Bytes of the two that an item has."""


def decoder(attribute: Attribute) -> Decoder | None:
    """How values of a column are read; None for a type that nothing here knows."""
    base = attribute.base or attribute.type
    inner = base.removesuffix("[]")
    if inner in _NO_TEXT:
        return _nothing
    if base == "pg_node_tree":
        return _tree
    if base == "jsonb":
        return _document
    if base == "tsvector":
        return _lexemes
    if base == "hstore":
        return _hstore
    if base == "pg_mcv_list":
        return _most_common
    if base == "anyarray":
        return _of_statistics
    if base in ("name", "cstring"):
        return _name
    if base.endswith("range"):
        return range_reader(base)
    codec = codec_for(base, attribute.typmod, attribute.element)
    if codec is None:
        return None
    if codec.plain:
        return lambda body: [body]
    read = codec.decode
    return lambda body: list(_flat(read(body)))


def has_no_text(attribute: Attribute, *, of_catalog: bool) -> bool:
    """Whether values of the type are identifiers, flags or measures; in a catalog whole numbers and times are too."""
    base = (attribute.base or attribute.type).removesuffix("[]")
    return base in _NO_TEXT or (of_catalog and base in _COUNTED)


def _nothing(body: bytes) -> Texts:
    return []


def _name(body: bytes) -> Texts:
    return [body.split(b"\0", 1)[0]]


def _flat(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield value


def _tree(body: bytes) -> Texts:
    """An expression: its text, and the texts in its constants, whose bytes are spelled as numbers."""
    found: Texts = [body]
    for match in _CONSTANT.finditer(body):
        value = bytes(int(number) & 0xFF for number in match[2].split())
        found += _PRINTED.findall(value[4:] if len(value) > 4 else value)
    return found


def _document(body: bytes) -> Texts:
    return list(_leaves(json.loads(jsonb.decode(body))))


def _leaves(document: Any) -> Iterator[bytes]:
    """Every key and every scalar."""
    if isinstance(document, dict):
        for key, item in document.items():
            yield key.encode("utf-8", "surrogatepass")
            yield from _leaves(item)
    elif isinstance(document, list):
        for item in document:
            yield from _leaves(item)
    else:
        yield str(document).encode("utf-8", "surrogatepass")


def _lexemes(body: bytes) -> Texts:
    """The words of a text search in the order of the text (`src/include/tsearch/ts_type.h`)."""
    (count,) = struct.unpack_from("<i", body)
    start = 4 + 4 * count
    words: list[tuple[int, bytes]] = []
    for (entry,) in struct.iter_unpack("<I", body[4:start]):
        length, at = entry >> 1 & 0x7FF, start + (entry >> 12)
        word = body[at : at + length]
        if len(word) != length:
            raise ValueError("a word runs over the end")
        places = [0]
        if entry & 1:
            at += length + (length & 1)
            (number,) = struct.unpack_from("<H", body, at)
            places = [place & 0x3FFF for (place,) in struct.iter_unpack("<H", body[at + 2 : at + 2 + 2 * number])]
        words += [(place, word) for place in places]
    return [b" ".join(word for _, word in sorted(words))]


def _hstore(body: bytes) -> Texts:
    """Keys and values (`contrib/hstore/hstore.h`): an end per key and per value, then their bytes."""
    (head,) = struct.unpack_from("<I", body)
    count = head & 0x0FFFFFFF
    start, begin = 4 + 8 * count, 0
    found: Texts = []
    for (entry,) in struct.iter_unpack("<I", body[4:start]):
        end = entry & 0x3FFFFFFF
        if not begin <= end <= len(body) - start:
            raise ValueError("a key runs over the end")
        found.append(body[start + begin : start + end])
        begin = end
    return found


_BY_OID = {
    20: Attribute("", "int8", 8, "d", base="int8"),
    21: Attribute("", "int2", 2, "s", base="int2"),
    23: Attribute("", "int4", 4, "i", base="int4"),
    1082: Attribute("", "date", 4, "i", base="date"),
    1114: Attribute("", "timestamp", 8, "d", base="timestamp"),
    1184: Attribute("", "timestamptz", 8, "d", base="timestamptz"),
    1700: Attribute("", "numeric", -1, "i", base="numeric"),
    2950: Attribute("", "uuid", 16, "c", base="uuid"),
    829: Attribute("", "macaddr", 6, "i", base="macaddr"),
    869: Attribute("", "inet", -1, "i", base="inet"),
    3802: Attribute("", "jsonb", -1, "i", base="jsonb"),
    17: Attribute("", "bytea", -1, "i", base="bytea"),
    1042: Attribute("", "bpchar", -1, "i", base="bpchar"),
}
"""Types of the server's own whose elements statistics hold in another form than text (`pg_type.dat`)."""


def _of_statistics(body: bytes) -> Texts:
    """The elements of an array of any type, which names its type: `anyarray` in the planner's statistics.

    Elements of unknown types of variable length are taken as they are; those of fixed length are numbers or flags.
    A column of arrays has whole arrays there, and each of them names its type again.
    """
    dimensions, _, kind = struct.unpack_from("<iiI", body)
    if dimensions == 0:
        return []
    known = _BY_OID.get(kind)
    if known is not None and known.length > 0:
        codec = codec_for(f"{known.base}[]", -1, (known.length, known.align))
        if codec is None:
            raise ValueError("an element's type is not known")
        return list(_flat(codec.decode(body)))
    held = arrays.elements(body)
    if held is None:
        return [*_PRINTED.findall(body)]
    read = decoder(known) if known is not None else None
    found: Texts = []
    for start, end in held:
        found += _element(read, body[start:end])
    return found


def _element(read: Decoder | None, value: bytes) -> Texts:
    """A sampled value of variable length, by what reads its type where that is known."""
    if read is not None:
        return read(value)
    return _of_statistics(value) if arrays.is_array(value) else [value, *_uuids(value)]


def _uuids(value: bytes) -> Iterator[str]:
    """What may be a UUID among the bytes of a value of an unknown type, as in a range of them."""
    for at in range(min(len(value), _LONGEST_UNKNOWN) - 15):
        if value[at + 8] & 0xC0 == 0x80 and 1 <= value[at + 6] >> 4 <= 8:
            yield str(UUID(bytes=value[at : at + 16]))


def _most_common(body: bytes) -> Texts:
    """The values in extended statistics (`statext_mcv_serialize` in `src/backend/statistics/mcv.c`)."""
    dimensions, _ = _dimensions(body)
    return [text for texts in dimensions for said in texts for text in said]


def side_by_side(body: bytes) -> list[list[Texts]]:
    """The same item by item, as rows had them: the texts of each column, none of one that is null or has no text."""
    dimensions, at = _dimensions(body)
    (items,) = struct.unpack_from("<I", body, 8)
    count = len(dimensions)
    size = _FREQUENCIES + count * 3
    if not 0 <= items <= (len(body) - at) // size:
        raise ValueError("statistics run over their end")
    found = []
    for first in range(at, at + items * size, size):
        nulls = body[first : first + count]
        places = struct.unpack_from(f"<{count}H", body, first + count + _FREQUENCIES)
        found.append([[] if n else texts[i] for texts, n, i in zip(dimensions, nulls, places, strict=True)])
    return found


def _dimensions(body: bytes) -> tuple[list[list[Texts]], int]:
    """Per column the texts of each of its values, and where the items begin."""
    magic, _, _, dimensions = struct.unpack_from("<IIIh", body)
    if magic != _MCV or not 0 < dimensions <= 8:
        raise ValueError("these are not statistics")
    at = 14 + 4 * dimensions
    shapes = []
    kinds = struct.unpack_from(f"<{dimensions}I", body, 14)
    for _ in range(dimensions):
        shapes.append(_DIMENSION.unpack_from(body, at))
        at += _DIMENSION.size
    found: list[list[Texts]] = []
    for kind, (values, size, _, length, _) in zip(kinds, shapes, strict=True):
        end = at + size
        if not 0 <= values <= len(body) or end > len(body) or length < -2:
            raise ValueError("statistics run over their end")
        known = _BY_OID.get(kind)
        read = decoder(known) if known is not None else None
        texts: list[Texts] = []
        for _ in range(values):
            if length == -1:
                (count,) = struct.unpack_from("<I", body, at)
                value, at = body[at + 4 : at + 4 + count], at + 4 + count
            elif length == -2:
                (count,) = struct.unpack_from("<I", body, at)
                value, at = body[at + 4 : at + 4 + count].rstrip(b"\0"), at + 4 + count
            else:
                value, at = body[at : at + length], at + length
            texts.append(_element(read, value) if read is not None or length < 0 else [])
        if at != end or at > len(body):
            raise ValueError("statistics do not end where they must")
        found.append(texts)
    return found, at


def of_type(kind: int, body: bytes, count: int) -> Texts:
    """So many values of a type of the server's own, by its oid, one behind the other as in summaries of pages."""
    known = _BY_OID.get(kind)
    if known is None:
        return [*_PRINTED.findall(body)]
    read = decoder(known)
    found: Texts = []
    at = 0
    for _ in range(count):
        if known.length > 0:
            start, end = at, at + known.length
        elif body[at] & 1:
            start, end = at + 1, at + (body[at] >> 1)
        else:
            start, end = at + 4, at + (struct.unpack_from("<I", body, at)[0] >> 2)
        if not at < end <= len(body):
            raise ValueError("a value runs over the end")
        if read is not None:
            found += read(body[start:end])
        at = end
    return found


READING = (ValueError, struct.error, IndexError, UnsafeError)
"""What a decoder raises for bytes that are not of its type."""
