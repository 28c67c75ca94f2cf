"""Fills the demo's production database: its rows by COPY, then the years that made it what it is now."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from envclone.demo.desk import OPENED, Chunk, Desk, Ticket
from envclone.demo.people import Contact, Customer
from envclone.demo.schema import SCHEMA

if TYPE_CHECKING:
    import psycopg

    from envclone.demo.embeddings import Matrix

__all__ = ["INDEX", "count", "fill", "live", "settle"]

INDEX = "chunks_embedding"
EARLY = 0.95
"""The share of the chunks that were there when the index was made; the others were inserted into it."""

PRODUCTS = ("label rolls", "badge cards", "scanner battery", "dock", "service visit", "seat licence", "cable kit")
PLANS = ("starter", "team", "business", "enterprise")
BROWSERS = ("Firefox/128.0", "Chrome/126.0", "Safari/17.5", "NorthwindApp/4.2")
TAGS = ("vip", "churn-risk", "beta", "newsletter", "late-payer")

Rows = Iterable[tuple[Any, ...]]


def fill(conn: psycopg.Connection[Any], desk: Desk, vectors: Matrix, seed: int, told: Callable[[str], None]) -> None:
    """Make the schema and load everybody, those who left since too; the index is made over the early chunks."""
    conn.execute(SCHEMA)
    random = Random(seed + 2)  # noqa: S311 - reproducible data, nothing secret
    everybody = sorted((*desk.people.customers, *desk.people.leavers), key=lambda c: c.id)
    shopping = _Shopping(random, everybody)
    sessions = [(n, random.choice(everybody)) for n in range(1, len(everybody) * 3 // 2)]
    tables: list[tuple[str, Rows]] = [
        ("agents", ((a.id, a.full_name, a.email, a.phone) for a in desk.people.agents)),
        ("customers", (_customer(c, random) for c in everybody)),
        ("accounts", (_account(c, random) for c in everybody)),
        ("sessions", (_session(n, c, random) for n, c in sessions)),
        ("login_events", (_login(n, random.choice(everybody), random) for n in range(1, len(everybody) * 3))),
        ("orders", shopping.orders),
        ("order_items", shopping.items),
        ("refunds", shopping.refunds),
        ("tickets", (_ticket(t) for t in desk.tickets)),
    ]
    for table, rows in tables:
        told(table)
        _copy(conn, table, rows)
    told("chunks")
    early = round(len(desk.chunks) * EARLY)
    texts = ["[" + ",".join(map(repr, row)) + "]" for row in vectors.tolist()]
    _copy(conn, "chunks", (_chunk(c, texts) for c in desk.chunks[:early]))
    told(INDEX)
    conn.execute(
        sql.SQL("CREATE INDEX {} ON chunks USING hnsw (embedding vector_cosine_ops)").format(sql.Identifier(INDEX))
    )
    _copy(conn, "chunks", (_chunk(c, texts) for c in desk.chunks[early:]))
    conn.execute("SELECT setval(pg_get_serial_sequence('login_events', 'id'), (SELECT max(id) FROM login_events))")


def live(conn: psycopg.Connection[Any], desk: Desk) -> None:
    """The years after: customers change their address or leave, rows are touched, the materialized view goes stale.

    Chunks are vacuumed, so that their index is repaired around what was deleted; the other tables keep dead rows.
    """
    moved = [(c.id, c.email) for c in desk.people.customers if c.former_email is not None]
    ids, emails = [m[0] for m in moved], [m[1] for m in moved]
    gone = [c.id for c in desk.people.leavers]
    conn.execute("UPDATE customers SET tags = tags || 'surveyed-2024'::text WHERE id % 9 = 4")
    conn.execute("UPDATE tickets SET meta = meta || '{\"closed\": true}' WHERE id % 7 = 3")
    conn.execute("UPDATE orders SET recipient = upper(recipient) WHERE id % 23 = 5")
    conn.execute("REFRESH MATERIALIZED VIEW customer_activity")
    with conn.transaction():
        new = sql.SQL("unnest(%s::int[], %s::text[]) AS new(id, email)")
        conn.execute(
            sql.SQL("UPDATE accounts a SET email = new.email FROM {} WHERE a.customer_id = new.id").format(new),
            (ids, emails),
        )
        conn.execute(
            sql.SQL("UPDATE customers c SET email = new.email FROM {} WHERE c.id = new.id").format(new), (ids, emails)
        )
        conn.execute("DELETE FROM customers WHERE id = ANY(%s)", (gone,))
    conn.execute("VACUUM (ANALYZE) chunks")
    conn.execute("ANALYZE")
    conn.execute("CHECKPOINT")


def settle(conn: psycopg.Connection[Any], role: str, password: str, database: str) -> None:
    """Make the application's login role and the settings that belong to it and to the database.

    Somebody raised `hnsw.ef_search` for the whole database, and overlooked that the application's role has one of
    its own, which wins.
    """
    name, db = sql.Identifier(role), sql.Identifier(database)
    # the server gets the verifier alone, so no log or statistics view can show the password
    verifier = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    for statement in (
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier)),
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(name),
        sql.SQL("ALTER DATABASE {} SET hnsw.ef_search = '100'").format(db),
        sql.SQL("ALTER DATABASE {} SET jit = off").format(db),
        sql.SQL("ALTER ROLE {} SET hnsw.ef_search = '30'").format(name),
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET statement_timeout = '30s'").format(name, db),
    ):
        conn.execute(statement)


def count(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """The rows of each table."""
    tables = conn.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()
    counted = {}
    for (table,) in tables:
        row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        counted[str(table)] = int(row[0]) if row else 0
    return counted


def _copy(conn: psycopg.Connection[Any], table: str, rows: Rows) -> None:
    with conn.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
        for row in rows:
            copy.write_row(row)


def _customer(customer: Customer, random: Random) -> tuple[Any, ...]:
    preferences: dict[str, Any] = {
        "language": customer.locale[:2],
        "newsletter": random.random() < 0.4,
    }
    if customer.emergency is not None:
        preferences["emergency"] = _contact(customer.emergency)
    tags = [tag for tag in TAGS if random.random() < 0.15]
    if random.random() < 0.03:  # an odd tag, made by an import that went wrong
        tags.append(f"contact:{customer.first_email}")
    joined = OPENED - dt.timedelta(hours=random.randrange(20_000))
    return (
        customer.id,
        customer.full_name,
        customer.first_email,
        customer.phone if customer.id % 29 else None,
        customer.household or None,
        Jsonb(preferences),
        tags,
        joined,
    )


def _contact(contact: Contact) -> dict[str, str]:
    return {
        "name": contact.name,
        "phone": contact.phone,
        "email": contact.email,
        "relation": contact.relation,
    }


def _account(customer: Customer, random: Random) -> tuple[Any, ...]:
    digest = hashlib.sha256(f"{customer.id}:{customer.first_email}".encode()).hexdigest()
    created = OPENED + dt.timedelta(minutes=random.randrange(900_000))
    return (customer.first_email, customer.id, random.choice(PLANS), f"sha256${digest}", created)


def _session(number: int, customer: Customer, random: Random) -> tuple[Any, ...]:
    ip = f"{random.randrange(11, 223)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    started = OPENED + dt.timedelta(minutes=random.randrange(1_000_000))
    return (number, customer.first_email, ip if number % 11 else None, random.choice(BROWSERS), started)


def _login(number: int, customer: Customer, random: Random) -> tuple[Any, ...]:
    at = OPENED + dt.timedelta(minutes=random.randrange(1_000_000))
    return (number, customer.first_email, random.random() < 0.95, at)


class _Shopping:
    """Orders with their items, and refunds of some of them."""

    def __init__(self, random: Random, customers: list[Customer]) -> None:
        self.orders: list[tuple[Any, ...]] = []
        self.items: list[tuple[Any, ...]] = []
        self.refunds: list[tuple[Any, ...]] = []
        for number in range(1, len(customers) * 3 // 2):
            customer = random.choice(customers)
            lines = random.choice((1, 1, 2, 3))
            prices = [random.randrange(500, 30_000) / 100 for _ in range(lines)]
            placed = OPENED + dt.timedelta(minutes=random.randrange(1_000_000))
            self.orders.append((number, customer.id, customer.full_name, placed, f"{sum(prices):.2f}"))
            for line, price in enumerate(prices, start=1):
                self.items.append((number, line, random.choice(PRODUCTS), 1, f"{price:.2f}"))
            if number % 31 == 0:
                reason = f"{customer.full_name} sent it back, see {customer.phone}" if number % 2 else None
                self.refunds.append((len(self.refunds) + 1, number, 1, reason))


def _ticket(ticket: Ticket) -> tuple[Any, ...]:
    return (
        ticket.id,
        ticket.customer.id,
        ticket.agent.id,
        ticket.parent_id,
        ticket.subject,
        ticket.body,
        Jsonb(ticket.meta),
        ticket.created_at,
    )


def _chunk(chunk: Chunk, texts: list[str]) -> tuple[Any, ...]:
    ticket = chunk.ticket.id if chunk.ticket is not None else None
    return (chunk.id, ticket, chunk.source, chunk.title, chunk.body, chunk.tags, texts[chunk.id - 1])
