"""What is read from the files, against what the server says is there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envclone.models import StoreSnapshot
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.format.checksum import page_checksums
from envclone.stores.postgres.format.page import normal_items
from envclone.stores.postgres.format.segments import ranges
from envclone.stores.postgres.format.tuples import attributes
from envclone.stores.postgres.format.visibility import dead
from envclone.stores.postgres.server import control
from tests.integration.postgres import desk
from tests.support.expanded import expand
from tests.support.postgres import production

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Stopped:
    """A stopped server's files, and what it said before."""

    directory: Path
    data: Path
    known: layout.Layout
    values: dict[str, list[str]]
    tids: dict[str, set[tuple[int, int]]]


def _texts(rng: random.Random) -> list[str]:
    """Texts that compress well, badly, not at all, and that make long and overlapping matches."""
    words = ["ticket", "Zoë", "山田", "refund ", "\n", "0123456789" * 30, "a" * 500, "ab" * 300]
    texts = ["x" * n for n in (100, 2100, 5000, 300_000)]
    for i in range(150):
        size = rng.choice([10, 500, 2500, 9000, 40_000])
        if i % 3 == 0:
            texts.append("".join(chr(rng.randrange(33, 127)) for _ in range(size)))
        else:
            part = "".join(rng.choice(words) for _ in range(max(1, size // 20)))
            texts.append(part + "".join(chr(rng.randrange(33, 127)) for _ in range(rng.randrange(300))))
    return texts


@pytest.fixture(scope="module", params=[18, 16])
def stopped(request: pytest.FixtureRequest) -> Iterator[Stopped]:
    rng = random.Random(11)
    checks = [] if request.param >= 18 else ["--data-checksums"]
    with production(request.param, initdb_args=checks) as running:
        with running.connect() as conn:
            conn.execute(
                'CREATE TABLE mixed (i int2, gone text, t text, c char(3), d float8, z "char", n name, u text, b bool)'
            )
            for i, text in enumerate(_texts(rng)):
                row = [i, None, text, "abc", 1.5, "q", "a name", text[::-1] if i % 2 else None, bool(i % 2)]
                conn.execute("INSERT INTO mixed VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", row)
            conn.execute("ALTER TABLE mixed DROP gone")
            conn.execute("ALTER TABLE mixed ADD late text DEFAULT 'missing on disk'")
            conn.execute("DELETE FROM mixed WHERE i % 10 = 0")
            conn.execute("VACUUM mixed")
            values: dict[str, list[str]] = {}
            for column in ("t", "u"):
                # inline values only count when compressed, external ones always
                query = f"""SELECT {column} FROM mixed WHERE pg_column_compression({column}) IS NOT NULL
                            OR pg_column_size({column}) > 2040"""
                values[column] = sorted(row[0] for row in conn.execute(query.encode()))
            tids = {
                name: {
                    tuple(map(int, row[0].strip("()").split(",")))  # type: ignore[misc]
                    for row in conn.execute(f"SELECT ctid::text FROM {name}".encode())
                }
                for name in ("mixed", "pg_class", "pg_proc", "pg_authid")
            }
        known = _layout(running)
        running.stop()
        layout.save(known, running.data.parent)
        yield Stopped(running.data.parent, running.data, known, values, tids)


def _layout(running: Any) -> layout.Layout:
    running.execute("UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'")
    return layout.read_layout(desk.connector(running, "postgres"))


def _relation(stopped: Stopped, name: str) -> layout.Relation:
    database = next(d for d in stopped.known.databases if d.name == "postgres")
    return next(r for r in database.relations if r.name.endswith(f".{name}"))


def test_decompressed_and_assembled_values_are_the_servers_own(stopped: Stopped) -> None:
    found: dict[str, list[str]] = {"t": [], "u": []}
    snapshot: Any = StoreSnapshot
    for place, value in expand(stopped.directory, snapshot):
        if place.startswith("public.mixed."):
            found[place.split()[0].rpartition(".")[2]].append(value.decode())
    assert len(stopped.values["t"]) > 60
    assert {column: sorted(texts) for column, texts in found.items()} == stopped.values


def test_line_pointers_are_the_servers_own(stopped: Stopped) -> None:
    for name, expected in stopped.tids.items():
        relation = _relation(stopped, name)
        found: set[tuple[int, int]] = set()
        count, transactions = 0, control.transactions(stopped.data)
        for part in ranges(stopped.data / relation.path, 8192, segment_pages=131072, at_once=3):
            items = normal_items(part.pages, name)
            gone = dead(part.pages, items, transactions)
            count += int(gone.sum())
            for page, number, is_dead in zip(items.page.tolist(), items.number.tolist(), gone.tolist(), strict=True):
                if not is_dead:
                    found.add((part.first_block + page, number))
        if name == "mixed":
            assert count == 0 and found == expected
        assert expected == found


def test_attributes_stand_where_the_server_put_them(stopped: Stopped) -> None:
    relation = _relation(stopped, "mixed")
    seen = 0
    for part in ranges(stopped.data / relation.path, 8192, segment_pages=131072):
        items = normal_items(part.pages, "mixed")
        for page, offset, length in zip(items.page, items.offset, items.length, strict=True):
            data = part.pages[page, offset : offset + length].tobytes()
            slots = {relation.attributes[s.index].name: s for s in attributes(data, relation.attributes)}
            assert "late" not in slots  # a missing attribute is not in the tuple
            number = int.from_bytes(data[slots["i"].start : slots["i"].end], "little")
            assert ("u" in slots) == bool(number % 2)
            assert data[slots["n"].start : slots["n"].end].rstrip(b"\0") == b"a name"
            assert data[slots["d"].start : slots["d"].end] == np.float64(1.5).tobytes()
            assert data[slots["b"].start] == number % 2
            assert data[slots["z"].start : slots["z"].end] == b"q"
            assert slots["b"].end == len(data)
            seen += 1
    assert seen == len(stopped.tids["mixed"])


def test_checksums_are_the_servers_own(stopped: Stopped) -> None:
    pages = 0
    for _, relation in stopped.known.heaps():
        for part in ranges(stopped.data / relation.path, 8192, segment_pages=131072):
            used = part.pages[:, 14:16].any(axis=1)
            stored = part.pages[used, 8:10].copy().view("<u2").ravel()
            assert (page_checksums(part.pages[used], part.blocks[used]) == stored).all(), relation.name
            pages += int(used.sum())
    assert pages > 300
