"""What a type holds, however deep, that is kept only by a written decision: vectors, and the words of a text search.

An embedding can be inverted in good part, a `tsvector` is read back as it stands. Either can lie in an array, a row, a
domain or a range, and so on down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from envclone.models import Held

__all__ = ["VECTOR_TYPES", "Holders"]

VECTOR_TYPES = frozenset(("vector", "halfvec", "sparsevec", "vecf16", "svector", "bvector", "veci8"))
"""The types of pgvector, and those of pgvecto.rs."""

_NO_TEXTS = frozenset(
    (
        *("bool", "int2", "int4", "int8", "numeric", "float4", "float8", "money", "oid", "xid", "xid8", "cid", "tid"),
        *("date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "bit", "varbit", "pg_lsn", "char"),
        *("point", "line", "lseg", "box", "path", "polygon", "circle", "cube", "seg", "geometry", "geography"),
        *("regclass", "regproc", "regprocedure", "regoper", "regoperator", "regtype", "regrole", "regnamespace"),
        *("regconfig", "regdictionary", "regcollation", "pg_snapshot", "txid_snapshot", "int2vector", "oidvector"),
    )
)
"""Base types whose values are not texts of anybody."""

_WORDS = frozenset(("tsvector",))


class Holders:
    """What each type of a database holds; read once from its catalog."""

    def __init__(self, conn: psycopg.Connection[tuple[Any, ...]]) -> None:
        types = conn.execute(
            "SELECT oid::pg_catalog.int8, typname, typtype::pg_catalog.text, typbasetype::pg_catalog.int8,"
            " typelem::pg_catalog.int8, typcategory::pg_catalog.text, typrelid::pg_catalog.int8,"
            " typsend OPERATOR(pg_catalog.<>) 0 FROM pg_catalog.pg_type"
        ).fetchall()
        self._types = {row[0]: row[1:7] for row in types}
        self._silent = {row[0] for row in types if not row[7]}
        self._members: dict[int, list[tuple[str, int]]] = {}
        for relation, name, type_ in conn.execute(
            "SELECT a.attrelid::pg_catalog.int8, a.attname, a.atttypid::pg_catalog.int8"
            " FROM pg_catalog.pg_attribute a"
            " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid"
            " WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped"
            " AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,c,v,m,f}'::pg_catalog.\"char\"[])"
            " ORDER BY a.attrelid, a.attnum"
        ):
            self._members.setdefault(relation, []).append((name, type_))
        self._ranges: Mapping[int, int] = {
            owner: subtype
            for made, many, subtype in conn.execute(
                "SELECT rngtypid::pg_catalog.int8, rngmultitypid::pg_catalog.int8, rngsubtype::pg_catalog.int8"
                " FROM pg_catalog.pg_range"
            )
            for owner in (made, many)
        }

    def of(self, oid: int) -> tuple[Held, ...]:
        """What a type holds, with the path inside the JSON document of a row; '' is the value itself."""
        return tuple(dict.fromkeys(self._below(oid, (), frozenset())))

    def only_vectors(self, oid: int) -> bool:
        """Whether the values are vectors, or arrays or ranges of nothing else."""
        name, kind, base, element, category, _ = self._types[oid]
        if kind == "d":
            return self.only_vectors(base)
        if kind in "rm" and oid in self._ranges:
            return self.only_vectors(self._ranges[oid])
        if category == "A" and element:
            return self.only_vectors(element)
        return bool(kind == "b" and name in VECTOR_TYPES)

    def opaque(self, oid: int) -> bool:
        """Whether the values can hold texts of anybody: a type of which nothing else is known does."""
        name, kind, base, element, category, relation = self._types[oid]
        if kind == "d":
            return self.opaque(base)
        if kind == "e":
            return False  # its labels are the schema's
        if kind in "rm" and oid in self._ranges:
            return self.opaque(self._ranges[oid])
        if kind == "c":
            return any(self.opaque(type_) for _, type_ in self._members.get(relation, ()))
        if category == "A" and element:
            return self.opaque(element)
        return name not in _NO_TEXTS and name not in VECTOR_TYPES

    def sendable(self, oid: int) -> bool:
        """Whether the values have a binary form: an array of what has none fails when it is asked for its own."""
        _, kind, base, element, category, relation = self._types[oid]
        inner = [type_ for _, type_ in self._members.get(relation, ())] if kind == "c" else []
        inner += [base] if kind == "d" else []
        inner += [self._ranges[oid]] if kind in "rm" and oid in self._ranges else []
        inner += [element] if category == "A" and element else []
        return oid not in self._silent and all(map(self.sendable, inner))

    def _below(self, oid: int, steps: tuple[str, ...], above: frozenset[int]) -> Sequence[Held]:
        if oid in above or oid not in self._types:
            return []
        name, kind, base, element, category, relation = self._types[oid]
        inner = above | {oid}
        if kind == "d":
            return self._below(base, steps, inner)
        if kind in "rm" and oid in self._ranges:
            return [Held(_path(steps), one.what) for one in self._below(self._ranges[oid], (), inner)]
        if kind == "c":
            found: list[Held] = []
            for member, type_ in self._members.get(relation, ()):
                found += self._below(type_, (*steps, f".{member}"), inner)
            return found
        if category == "A" and element:
            return self._below(element, (*steps, "[*]"), inner)
        if kind == "b" and name in VECTOR_TYPES:
            return [Held(_path(steps), "vectors")]
        return [Held(_path(steps), "words")] if kind == "b" and name in _WORDS else []


def _path(steps: tuple[str, ...]) -> str:
    from envclone.masking.jsonscan import render

    return render(steps) if steps else ""
