"""Productions that the store contract runs on: one factory per adapter.

A third party's store joins by a factory that yields an `Adapter` in a scratch directory, and a line in ADAPTERS.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from envclone.config.schema import StoreConfig
from envclone.incidents.bundle import SqlStep, Step, VectorStep
from tests.support.majors import NEWEST_FIRST
from tests.support.postgres import production
from tests.support.qdrant import build

PEOPLE = 300


def who(number: int) -> tuple[str, str]:
    """The name and the address of a person."""
    return f"Zoë Quuxington{chr(97 + number % 26)}", f"zoe.quux{number}@corp.example"


@dataclass(frozen=True)
class Adapter:
    """A stopped production: what to copy, the rules for it, the table or collection with PEOPLE rows, and steps."""

    kind: str
    config: StoreConfig
    source: Path
    rules: Mapping[str, str | Mapping[str, str]]
    table: str
    step: Step
    wrong: Step
    listens: bool


@contextlib.contextmanager
def postgres(directory: Path, major: int) -> Iterator[Adapter]:
    """A PostgreSQL of that version with one table, its server stopped."""
    with production(major) as server:
        server.create_database("app")
        server.execute("CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, note text)", "app")
        with server.connect("app") as conn, conn.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO people VALUES (%s, %s, %s, %s)",
                [(i, *who(i), (who(i)[0] + " said hello. ") * 400) for i in range(PEOPLE)],
            )
        server.stop()
        config = StoreConfig.model_validate(
            {"kind": "postgres", "source": {"method": "directory", "path": str(server.data), "database": "app"}}
        )
        rules = {"public.people.id": "keep", "public.people.name": "person", "public.people.email": "email"}
        yield Adapter(
            "postgres",
            config,
            server.data,
            {**rules, "public.people.note": "text"},
            "public.people",
            SqlStep(id="ask", store="it", sql="SELECT id, length(name) FROM people ORDER BY id LIMIT 5", key="id"),
            SqlStep(id="wrong", store="it", sql="DELETE FROM people"),
            listens=True,
        )


@contextlib.contextmanager
def qdrant(directory: Path) -> Iterator[Adapter]:
    """A Qdrant storage directory with one indexed collection."""

    def payload(number: int) -> dict[str, object]:
        name, email = who(number)
        return {"author": {"name": name, "email": email}, "text": (name + " said hello. ") * 40, "n": number}

    made = build(directory / "storage", points=PEOPLE, payload=payload, indexed=("author.email",))
    config = StoreConfig.model_validate(
        {"kind": "qdrant", "source": {"method": "directory", "path": str(directory / "storage")}}
    )
    yield Adapter(
        "qdrant",
        config,
        directory / "storage",
        {
            "articles.author.name": "person",
            "articles.author.email": "email",
            "articles.text": "text",
            "articles.n": "keep",
            "articles.vectors": "keep",
            "articles.point_ids": "keep",
        },
        "articles",
        VectorStep(id="ask", store="it", collection="articles", vector=made.vectors[0].tolist(), limit=5),
        VectorStep(id="wrong", store="it", collection="articles", vector=[1.0], limit=5),
        listens=False,
    )


ADAPTERS: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Adapter]]] = {
    **{f"postgres-{major}": partial(postgres, major=major) for major in NEWEST_FIRST},
    "qdrant": qdrant,
}
