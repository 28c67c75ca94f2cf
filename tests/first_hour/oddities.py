"""Tables as applications have them beside their main ones: mail, switches and goods, an agent's threads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from tests.first_hour.filling import EITHER, Crowd, fill, prose

__all__ = ["GOODS", "MAIL", "THREADS", "goods", "mail", "packed", "threads", "unpacked"]

MAIL = {
    "public.letters.raw_email": "text", "public.letters.signature": "text", "public.letters.cc": "email text",
    "public.mailboxes.email_name": "person text", "public.mailboxes.emailId": "email",
}  # fmt: skip
GOODS = {"public.papers.number": EITHER, "public.papers.note": "text"}
THREADS = {
    "public.checkpoints.thread_id": "key email text", "public.checkpoint_blobs.thread_id": "key email text",
    "public.checkpoint_blobs.blob": "json text", "public.checkpoint_writes.thread_id": "key email text",
    "public.checkpoint_writes.blob": "json text", "public.checkpoints.metadata $.source": EITHER,
}  # fmt: skip
_TITLES = ("Support Agent", "Head of Sales", "Team Lead")
_GOODS = ("Rosemary", "Basil", "Ginger", "Carrots", "Kale", "Bread", "Olive Oil", "Large", "Small", "Goat Cheese")


def mail(conn: psycopg.Connection[Any], crowd: Crowd, people: Sequence[Mapping[str, Any]]) -> None:
    """Letters as they came, signatures above a title that another column has, too; and what is said of addresses."""
    conn.execute(
        """CREATE TABLE letters (id serial PRIMARY KEY, raw_email text, signature text, job_title text, cc text);
        CREATE TABLE mailboxes (id serial PRIMARY KEY, email_name text, "emailId" text, "emailDomainId" text,
            email_type text, email_verified text)"""
    )
    rnd = crowd.random
    fill(
        conn,
        "letters",
        "raw_email, signature, job_title, cc",
        [
            (
                f"From: {p['name']} <{p['email']}>\nTo: help@desk.example\n\n{prose(rnd, p['name'])}",
                f"{p['name']}\n{_TITLES[i % 3]}",
                _TITLES[i % 3],
                p["email"] if i % 3 else None,
            )
            for i, p in enumerate(people)
        ],
    )
    fill(
        conn,
        "mailboxes",
        'email_name, "emailId", "emailDomainId", email_type, email_verified',
        [(p["name"], p["email"], f"d{i % 4}", ("work", "home")[i % 2], "yes") for i, p in enumerate(people)],
    )


def goods(conn: psycopg.Connection[Any], crowd: Crowd) -> None:
    """Switches that are unique in pairs, goods that are called like persons, links that recur, numbers counted up."""
    conn.execute(
        """CREATE TABLE switches (id serial PRIMARY KEY, feature text, value text, UNIQUE (feature, value));
        CREATE TABLE variants (id serial PRIMARY KEY, display_name text, tracking_url text, webhook_type text);
        CREATE TABLE papers (id serial PRIMARY KEY, number text UNIQUE, note text)"""
    )
    rnd = crowd.random
    values = ["true", "admins", *(f"Shop::Actor;{i}" for i in range(40))]
    fill(conn, "switches", "feature, value", [(f, v) for f in ("checkout", "stock", "vouchers") for v in values])
    kinds = ("stock_changed", "price_changed")
    fill(
        conn,
        "variants",
        "display_name, tracking_url, webhook_type",
        [(_GOODS[i % 10], "https://track.example/:number", kinds[i % 2]) for i in range(90)],
    )
    fill(conn, "papers", "number, note", [(f"R{i:09}", prose(rnd)) for i in range(120)])


def threads(conn: psycopg.Connection[Any], people: Sequence[Mapping[str, Any]]) -> None:
    """An agent's threads as a checkpointer stores them: the state in msgpack, and nothing of it in the documents."""
    conn.execute(
        """CREATE TABLE checkpoint_migrations (v int PRIMARY KEY);
        CREATE TABLE checkpoints (thread_id text, checkpoint_ns text DEFAULT '', checkpoint_id text,
            parent_checkpoint_id text, type text, checkpoint jsonb, metadata jsonb,
            PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
        CREATE TABLE checkpoint_blobs (thread_id text, checkpoint_ns text DEFAULT '', channel text, version text,
            type text, blob bytea, PRIMARY KEY (thread_id, checkpoint_ns, channel, version));
        CREATE TABLE checkpoint_writes (thread_id text, checkpoint_ns text DEFAULT '', checkpoint_id text, task_id text,
            idx int, channel text, type text, blob bytea, task_path text DEFAULT '',
            PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx))"""
    )
    fill(conn, "checkpoint_migrations", "v", [(v,) for v in range(9)])
    some = list(enumerate(people[:60]))
    of = [f"user-{p['email']}" for _, p in some]
    ids = [f"1f1eabd8-48f9-678b-bfff-{i:012x}" for i, _ in some]
    tasks = [f"5d2c1a77-0000-4000-8000-{i:012x}" for i, _ in some]
    version = "00000000000000000000000000000002.0.5410167216967331"
    fill(
        conn,
        "checkpoints",
        "thread_id, checkpoint_id, checkpoint, metadata",
        [
            (
                of[i],
                ids[i],
                json.dumps(
                    {
                        "v": 4,
                        "id": ids[i],
                        "channel_values": {},
                        "channel_versions": {"messages": version},
                        "updated_channels": ["messages"],
                    }
                ),
                json.dumps({"step": 1, "source": "loop", "parents": {}}),
            )
            for i, _ in some
        ],
    )
    states = [packed({"customer": {"name": p["name"], "email": p["email"]}, "turns": i, "open": True}) for i, p in some]
    fill(
        conn,
        "checkpoint_blobs",
        "thread_id, channel, version, type, blob",
        [(of[i], "messages", version, "msgpack", states[i]) for i, _ in some],
    )
    fill(
        conn,
        "checkpoint_writes",
        "thread_id, checkpoint_id, task_id, idx, channel, type, blob",
        [(of[i], ids[i], tasks[i], 0, "messages", "msgpack", states[i]) for i, _ in some],
    )


def packed(value: object) -> bytes:
    """A value in msgpack: small maps, texts, booleans, numbers below 128."""
    if isinstance(value, dict):
        return bytes((0x80 | len(value),)) + b"".join(packed(one) for pair in value.items() for one in pair)
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes((value,))
    text = str(value).encode()
    return bytes((0xD9, len(text))) + text if len(text) > 31 else bytes((0xA0 | len(text),)) + text


def unpacked(data: bytes) -> Any:
    """The value that `packed` wrote."""
    return _unpacked(data, 0)[0]


def _unpacked(data: bytes, at: int) -> tuple[Any, int]:
    head, at = data[at], at + 1
    if head in (0xC2, 0xC3):
        return head == 0xC3, at
    if head < 0x80:
        return head, at
    if head < 0x90:
        found: dict[Any, Any] = {}
        for _ in range(head & 0x0F):
            key, at = _unpacked(data, at)
            found[key], at = _unpacked(data, at)
        return found, at
    if head == 0xD9:
        head, at = data[at], at + 1
        return data[at : at + head].decode(), at + head
    return data[at : at + (head & 0x1F)].decode(), at + (head & 0x1F)
