"""Lists of numbers that the server takes as vectors, though nothing in the statement's text says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from envclone.stores.postgres.steps.parameters import as_vector

if TYPE_CHECKING:
    import psycopg

__all__ = ["fitted"]

_VECTORS = """
    SELECT t.oid::pg_catalog.int8 FROM pg_catalog.pg_type t
    WHERE t.typname OPERATOR(pg_catalog.=) ANY ('{vector,halfvec}'::pg_catalog.name[])
"""


def fitted(conn: psycopg.Connection[Any], text: str, values: list[Any] | None) -> list[Any] | None:
    """The values, a list of numbers as a vector's text where the server's own parser has a vector in its place.

    An application whose driver knows the type sends it without a cast: as the argument of a function, of a comparison
    behind a name, in an `INSERT`. Asked in an open transaction, whose state stays as it is.
    """
    lists = [number for number, one in enumerate(values or ()) if _floats(one)]
    if values is None or not lists:
        return values
    from psycopg.pq import ExecStatus

    conn.execute("SAVEPOINT envclone_fitted")
    prepared = conn.pgconn.prepare(b"", text.encode())
    kinds: Sequence[int] = ()
    if prepared.status == ExecStatus.COMMAND_OK:
        described = conn.pgconn.describe_prepared(b"")
        kinds = [described.param_type(number) for number in range(described.nparams)]
    conn.execute("ROLLBACK TO SAVEPOINT envclone_fitted")
    if not kinds:
        return values  # what is wrong with it is told by its run
    vectors = {int(row[0]) for row in conn.execute(_VECTORS).fetchall()}
    return [as_vector(one) if number in lists and number < len(kinds) and kinds[number] in vectors else one
            for number, one in enumerate(values)]  # fmt: skip


def _floats(value: Any) -> bool:
    return (
        isinstance(value, list)
        and any(isinstance(one, float) for one in value)
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value)
    )
