"""What the keys of an index are like where its operator class stores another value than the column's.

The functions that say so are named in `Relation.support`; for the rest the column's own type tells.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from envclone.stores.postgres.catalog.layout import Relation
from envclone.stores.postgres.format import claims
from envclone.stores.postgres.format.tuples import Attribute
from envclone.stores.postgres.prove.decoded import Decoder, decoder, has_no_text

__all__ = ["Form", "form_of", "forms", "prefix_of"]


@dataclass(frozen=True, slots=True)
class Form:
    """How a key is laid out, how it is read (None: by nobody here), and who owns its bytes."""

    attribute: Attribute
    read: Decoder | None
    owner: int


def form_of(attribute: Attribute, read: Decoder | None = None, *, silent: bool = False) -> Form:
    """The form of a key of an attribute's own type, or as `read` reads it."""
    read = read or decoder(attribute)
    if silent:
        return Form(attribute, read, claims.STRUCTURE)
    return Form(attribute, read, claims.UNDECODED if read is None else claims.DERIVED)


def forms(relation: Relation, *, of_catalog: bool) -> list[Form]:
    """The forms of all keys of an index, in their order; of SP-GiST those of its leaves."""
    made = [form_of(one, silent=has_no_text(one, of_catalog=of_catalog)) for one in relation.attributes]
    readers = _GIST if relation.access == "gist" else {}
    for number, function in enumerate(relation.support[: len(made)]):
        attribute = relation.attributes[number]
        if function in readers:
            read = readers[function]
            made[number] = Form(attribute, read, claims.DERIVED if read is not None else claims.STRUCTURE)
        elif relation.access == "gist" and function and attribute.type in _OWN_FORM:
            made[number] = Form(attribute, None, claims.UNDECODED)
        elif relation.access == "spgist" and function in _LEAVES:
            leaf = _LEAVES[function]
            made[number] = form_of(leaf, silent=has_no_text(leaf, of_catalog=False))
    return made


def prefix_of(relation: Relation) -> Form | None:
    """What an inner entry of SP-GiST begins with; None where nothing here knows."""
    function = relation.support[0] if relation.support else ""
    if function in ("spg_range_quad_config", "inet_spg_config"):
        return form_of(relation.attributes[0])
    prefix = _PREFIXES.get(function)
    return None if prefix is None else form_of(prefix, silent=has_no_text(prefix, of_catalog=False))


def _address(body: bytes) -> list[str | bytes]:
    """A network in GiST (`GistInetKey` in `utils/adt/network_gist.c`): family, two counts of bits, the address."""
    family = body[0]
    if family == 0:
        return []
    size = 4 if family == 2 else 16
    if family not in (2, 3) or len(body) < 3 + size:
        raise ValueError("this is no address")
    return [str(ipaddress.ip_address(body[3 : 3 + size]))]


def _pair(body: bytes) -> list[str | bytes]:
    """One or two values of variable length, each with its header (`contrib/btree_gist/btree_utils_var.c`)."""
    found: list[str | bytes] = []
    at = 0
    while at < len(body):
        (word,) = struct.unpack_from("<I", body, at)
        size = word >> 2
        if word & 3 or size < 4 or at + size > len(body):
            raise ValueError("a bound runs over its key")
        found.append(body[at + 4 : at + size])
        at += (size + 3) & ~3
    return found


def _numerics(body: bytes) -> list[str | bytes]:
    return list(_each(body, Attribute("", "numeric", -1, "i", base="numeric")))


def _each(body: bytes, attribute: Attribute) -> Iterator[str | bytes]:
    read = decoder(attribute)
    assert read is not None
    for one in _pair(body):
        assert isinstance(one, bytes)
        yield from read(one)


def _halves(attribute: Attribute) -> Decoder:
    """Two values of a fixed length, the lower and the upper bound (`contrib/btree_gist/btree_utils_num.c`)."""
    one = decoder(attribute)
    assert one is not None
    size = attribute.length

    def read(body: bytes) -> list[str | bytes]:
        return one(body[:size]) + one(body[size : 2 * size])

    return read


def _trigrams(body: bytes) -> list[str | bytes]:
    """Three bytes after the other, in order of their bytes, or a signature (`contrib/pg_trgm/trgm.h`)."""
    if body[0] & 1:
        return [b" ".join(body[i : i + 3] for i in range(1, len(body), 3))]
    return []


_GIST: Mapping[str, Decoder | None] = {
    "gtsvector_compress": None,  # hashes of words, or a signature
    "inet_gist_compress": _address,
    "gtrgm_compress": _trigrams,
    "gbt_text_compress": _pair,
    "gbt_bpchar_compress": _pair,
    "gbt_bytea_compress": _pair,
    "gbt_numeric_compress": _numerics,
    "gbt_int2_compress": _halves(Attribute("", "int2", 2, "s", base="int2")),
    "gbt_int4_compress": _halves(Attribute("", "int4", 4, "i", base="int4")),
    "gbt_int8_compress": _halves(Attribute("", "int8", 8, "d", base="int8")),
    "gbt_date_compress": _halves(Attribute("", "date", 4, "i", base="date")),
    "gbt_ts_compress": _halves(Attribute("", "timestamp", 8, "d", base="timestamp")),
    "gbt_tstz_compress": _halves(Attribute("", "timestamp", 8, "d", base="timestamp")),
    "gbt_uuid_compress": _halves(Attribute("", "uuid", 16, "c", base="uuid")),
    "gbt_macad_compress": _halves(Attribute("", "macaddr", 6, "i", base="macaddr")),
    "gbt_float4_compress": None,
    "gbt_float8_compress": None,
    "gbt_oid_compress": None,
    "gbt_cash_compress": None,
    "gbt_time_compress": None,
    "gbt_timetz_compress": None,
    "gbt_bool_compress": None,
    "gbt_inet_compress": None,  # as floating point numbers
    "ghstore_compress": None,  # a signature of hashes
}
"""Compressing functions whose keys have a form of their own; None for hashes and measures."""
_OWN_FORM = frozenset({"inet", "cidr", "ltree", "_ltree", "gtsvector", "gtrgm"})
"""Types that a compressing function which is not known stores in a form of its own under the type's name."""
_TEXT = Attribute("", "text", -1, "i", base="text")
_POINT = Attribute("", "point", 16, "d", base="point")
_BOX = Attribute("", "box", 32, "d", base="box")
_LEAVES = {
    "spg_text_config": _TEXT,
    "spg_quad_config": _POINT,
    "spg_kd_config": _POINT,
    "spg_box_quad_config": _BOX,
    "spg_bbox_quad_config": _BOX,
}
_PREFIXES = {
    "spg_text_config": _TEXT,
    "spg_quad_config": _POINT,
    "spg_kd_config": replace(_POINT, type="float8", base="float8", length=8),
    "spg_box_quad_config": _BOX,
    "spg_bbox_quad_config": _BOX,
}
