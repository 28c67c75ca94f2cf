"""What the generators share: people, and rows that go into a table."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

__all__ = ["EITHER", "WORDS", "Crowd", "fill", "prose"]

EITHER = "either"
"""The label of a column of which it can be said in good faith that it is somebody's, and that it is nobody's."""

WORDS = """
    please call back tomorrow about the open invoice and the wrong amount that was promised by friday we mark this as
    done may the grant be approved in case of a broken printer thanks for your patience the update failed again after
    login while exporting a report nobody answers on the hotline since monday morning
""".split()  # noqa: SIM905


class Crowd:
    """Persons with everything that belongs to one, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        from faker import Faker

        Faker.seed(seed)
        self.fake = Faker(["en_US", "de_DE", "fr_FR", "es_ES"])
        self.us = Faker("en_US")
        self.random = random.Random(seed)

    def person(self, number: int) -> dict[str, Any]:
        """One person; `number` makes what has to be unique so."""
        first, last = self.fake.first_name(), self.fake.last_name()
        plain = "".join(c for c in f"{first}.{last}".lower() if c.isascii() and (c.isalnum() or c == "."))
        return {
            "first": first, "last": last, "name": f"{first} {last}",
            "email": f"{plain}{number}@{self.random.choice(('example.com', 'mail.test', 'post.example'))}",
            "login": f"{plain.replace('.', '_')}{number}", "phone": self.us.phone_number(),
            "street": self.fake.street_address().replace("\n", " "), "zip": self.us.postcode(),
            "city": self.fake.city(),
            "ip": self.us.ipv4_public(), "born": self.us.date_of_birth(),
        }  # fmt: skip


def prose(rnd: random.Random, name: str = "", least: int = 8, most: int = 30) -> str:
    """Some words, half of the time with somebody in them."""
    text = " ".join(rnd.choices(WORDS, k=rnd.randint(least, most))).capitalize() + "."
    return f"{text} Regards, {name}" if name and rnd.random() < 0.5 else text


def fill(conn: psycopg.Connection[Any], table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    """Copy rows into a table."""
    with conn.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)
