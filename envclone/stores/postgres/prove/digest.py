"""An order-independent proof that the masked fields hold the pseudonyms of what they held, and nothing else changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from envclone.models import FieldKind, RowsDigest, StorePlan
from envclone.protocols import FieldMask, Masks
from envclone.stores.postgres.catalog.dependents import generated_from
from envclone.stores.postgres.catalog.read import derived_columns, stream_leaf, written_columns
from envclone.stores.postgres.catalog.tables import LARGE_OBJECTS, Column, Table, read_tables

__all__ = ["applied", "as_shown", "canonical", "digest", "server_hash"]

Connection = psycopg.Connection[tuple[Any, ...]]

_MODULUS = 1 << 128
_TEXT_ARRAYS = {"text[]", "varchar[]", "citext[]", "name[]"}


def digest(
    conn: Connection, plan: StorePlan, masks: Masks | None, placed: Collection[str] = ()
) -> dict[str, RowsDigest]:
    """The digest of each user table by `schema.table`; with `masks`, of what they would make of the rows.

    The unmasked columns of a row are hashed on the server (md5 of their binary form), the masked ones here
    (blake2b-128 of a canonical form: JSON parsed and written again, so that only its meaning counts).
    The address of a row of a `placed` table is hashed with it. Columns that the server computes from masked ones are
    left out. `fields` has the masked fields.
    Raises UnsafeError through the masks when one of them refuses a value.
    """
    digests = {table.address: _table(conn, table, plan, masks, table.address in placed) for table in read_tables(conn)}
    objects = _large_objects(conn, plan, masks)
    return digests | ({LARGE_OBJECTS: objects} if objects else {})


def _table(conn: Connection, table: Table, plan: StorePlan, masks: Masks | None, placed: bool) -> RowsDigest:
    masked = written_columns(table, plan)
    derived = {c.name for c in derived_columns(table, plan)}
    computed = derived | generated_from(conn, table, {c.name for c in masked} | derived)
    names = {c.name for c in masked} | computed
    kept = [c for c in table.columns.values() if c.name not in names and not c.virtual]
    addresses = [table.at(c.name) for c in masked]
    apply = [applied(conn, c, plan, masks, a) for c, a in zip(masked, addresses, strict=True)]
    forms = [canonical(c) for c in masked]
    subjects = [table.subject(plan.rules[a]) if masks else None for a in addresses]
    by = [c for c in subjects if c]
    expressions = [server_hash(kept, placed), *(c.read_as() for c in masked), *by]
    salts = [hashlib.blake2b(a.encode(), digest_size=16).digest() for a in addresses]
    rows_seen, total, sums = 0, 0, [0] * len(masked)
    blake2b, from_bytes = hashlib.blake2b, int.from_bytes
    for leaf in table.leaves:
        for rows in stream_leaf(conn, leaf, expressions):
            columns = list(zip(*rows, strict=True))
            its_subjects = iter(columns[1 + len(masked) :])
            per_row: list[Sequence[bytes]] = [[value.encode() for value in columns[0]]]
            for i in range(len(masked)):
                salt, form = salts[i], forms[i]
                values: Sequence[Any] = columns[i + 1]
                if subjects[i]:
                    values = list(zip(values, next(its_subjects), strict=True))
                hashes = [blake2b(salt + form(value), digest_size=16).digest() for value in apply[i](values)]
                sums[i] += sum(from_bytes(h, "big") for h in hashes)
                per_row.append(hashes)
            rows_seen += len(rows)
            total += sum(
                from_bytes(blake2b(b"".join(parts), digest_size=16).digest(), "big")
                for parts in zip(*per_row, strict=True)
            )
    fields = {a: s % _MODULUS for a, s in zip(addresses, sums, strict=True)}
    return RowsDigest(rows_seen, total % _MODULUS, fields)


def server_hash(kept: Sequence[Column], placed: bool) -> sql.Composable:
    """The expression that hashes the binary form of columns, with the row's address when it is `placed`."""
    # the text of a value that has no binary form (aclitem)
    forms: list[sql.Composable] = [sql.SQL("tableoid"), sql.SQL("ctid")] if placed else []
    forms += [sql.Identifier(c.name) if c.sendable else c.read_as() for c in kept]
    row = sql.SQL("ROW({})").format(sql.SQL(", ").join(forms))
    return sql.SQL("pg_catalog.md5(pg_catalog.record_send({}))").format(row)


def applied(conn: Connection, column: Column, plan: StorePlan, masks: Masks | None, address: str) -> FieldMask:
    """What makes of a column's values what the server would show of their pseudonyms; without masks the values."""
    if masks is None:
        return list
    mask = masks.field(plan.rules[address])
    shown = as_shown(conn, column)
    return mask if shown is None else lambda values: shown(mask(values))


def as_shown(conn: Connection, column: Column) -> Callable[[Sequence[Any]], list[Any]] | None:
    """What makes of masked values what the server shows of them, where that can be something else; None elsewhere.

    The server may print a value in another way than the mask wrote it (1.50, 2020-1-1).
    """
    cast = sql.SQL(column.type)  # format_type's own output, quoted by the server
    if column.kind not in (FieldKind.OTHER, FieldKind.VECTOR, FieldKind.ARRAY):
        return None
    if column.kind is FieldKind.ARRAY:
        return None if column.base in _TEXT_ARRAYS else _through_array(conn, column)

    def through_type(values: Sequence[Any]) -> list[Any]:
        rows = conn.execute(
            sql.SQL(
                "SELECT v::{}::pg_catalog.text FROM pg_catalog.unnest(%s::pg_catalog.text[]) "
                "WITH ORDINALITY AS u (v, n) ORDER BY n"
            ).format(cast),
            [list(values)],
        )
        return [row[0] for row in rows]

    return through_type


def _through_array(conn: Connection, column: Column) -> Callable[[Sequence[Any]], list[Any]]:
    """The elements as the server prints them again."""
    query = sql.SQL("SELECT %s::pg_catalog.text[]::{}::pg_catalog.text[]").format(sql.SQL(column.type))
    return lambda values: [
        None if value is None else conn.execute(query, [value]).fetchone()[0]  # type: ignore[index]
        for value in values
    ]


def canonical(column: Column) -> Callable[[Any], bytes]:
    """The form in which two values of a column are equal when they mean the same."""
    if column.kind is FieldKind.JSON:
        return _json_bytes if column.base == "json" else _jsonb_bytes
    if column.kind is FieldKind.ARRAY:
        return _array_bytes
    return _text_bytes


def _text_bytes(value: str | None) -> bytes:
    return b"\0" if value is None else b"\1" + value.encode("utf-8", "surrogatepass")


def _array_bytes(value: list[Any] | None) -> bytes:
    return b"\0" if value is None else b"\1" + json.dumps(value, ensure_ascii=True).encode()


def _json_bytes(value: str | None) -> bytes:
    if value is None:
        return b"\0"
    # numbers stay as they are written: 1.10 is not 1.1 for jsonb
    document = json.loads(value, parse_float=_Number, parse_int=_Number, object_pairs_hook=_Pairs)
    return b"\1" + json.dumps(_tagged(document), ensure_ascii=True, separators=(",", ":")).encode()


def _jsonb_bytes(value: str | None) -> bytes:
    """The same of a type that puts members in an order of its own, and keeps the last of equal keys."""
    if value is None:
        return b"\0"
    document = json.loads(value, parse_float=_Number, parse_int=_Number, object_pairs_hook=_in_order)
    return b"\1" + json.dumps(_tagged(document), ensure_ascii=True, separators=(",", ":")).encode()


def _in_order(pairs: list[tuple[str, Any]]) -> _Pairs:
    return _Pairs(sorted(dict(pairs).items()))


class _Number(str):
    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    __slots__ = ()


def _tagged(value: Any) -> Any:
    """The document with objects, numbers and strings told apart, members in their order (json keeps duplicates)."""
    if isinstance(value, _Pairs):
        return {"o": [[key, _tagged(item)] for key, item in value]}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    if isinstance(value, _Number):
        return {"n": str(value)}
    return value


def _large_objects(conn: Connection, plan: StorePlan, masks: Masks | None) -> RowsDigest | None:
    rule = plan.rules.get(LARGE_OBJECTS)
    if masks is not None and rule is not None and rule.masked:
        return None
    count, total = 0, 0
    with conn.transaction(), conn.cursor(name="envclone_objects") as cursor:
        cursor.execute(
            """SELECT pg_catalog.md5(pg_catalog.concat(loid, ':', pageno, ':', pg_catalog.md5(data)))
               FROM pg_catalog.pg_largeobject"""
        )
        for (value,) in cursor:
            count += 1
            total += int(value, 16)
    return RowsDigest(count, total % _MODULUS, {}) if count else None


def differences(raw: Mapping[str, RowsDigest], clean: Mapping[str, RowsDigest]) -> list[str]:
    """The tables and fields whose digests differ."""
    found = []
    for name in sorted(raw.keys() | clean.keys()):
        one, other = raw.get(name), clean.get(name)
        if one == other:
            continue
        fields = [a for a in (one.fields if one else {}) if other and one and one.fields[a] != other.fields.get(a)]
        found += fields or [name]
    return found
