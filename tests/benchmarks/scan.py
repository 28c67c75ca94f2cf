"""How many columns with personal data `envclone scan` finds: python -m tests.benchmarks.scan --json

Real databases on a real PostgreSQL: Chinook, a clinic whose columns are called c1, c2, …, and a support desk whose
columns are called misc, val, data and the like (Faker, seeded). Each column is labelled by hand. `found` are the
columns with personal data that got a rule that is not keep; `kind_right` those that got one of the labelled domains;
`false_alarms` columns with nobody's data that got a mask, out of `harmless`. Side by side, `names_only` is what names
and types alone propose. A rule is destructive when it replaces every value, whatever it is (all but keep and free
text): `precision` is the part of these that stands on columns with personal data. Columns of which both can be said in
good faith do not count.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from envclone import process
from envclone.lifecycle.scan import scan_session
from envclone.masking.guesses import guess
from envclone.stores.postgres.session import PREPARATION, PostgresSession
from tests.first_hour import assistant, helpdesk, shop
from tests.first_hour.filling import EITHER
from tests.support.postgres import production

SOFT = ("keep", "text", "json")
"""Rules under which what is nobody's stays as it is."""
CHINOOK = Path(__file__).parents[1] / "data" / "chinook.sql"
ROWS = 300

CHINOOK_LABELS = {
    **dict.fromkeys(("public.customer.first_name", "public.customer.last_name"), "person"),
    **dict.fromkeys(("public.employee.first_name", "public.employee.last_name"), "person"),
    "public.customer.company": "company",
    **dict.fromkeys(
        ("public.customer.address", "public.employee.address", "public.invoice.billing_address"), "address"
    ),
    **dict.fromkeys(("public.customer.city", "public.employee.city", "public.invoice.billing_city"), "address"),
    **dict.fromkeys(
        ("public.customer.postal_code", "public.employee.postal_code", "public.invoice.billing_postal_code"),
        "address key redact",
    ),
    **dict.fromkeys(
        ("public.customer.phone", "public.customer.fax", "public.employee.phone", "public.employee.fax"), "phone"
    ),
    **dict.fromkeys(("public.customer.email", "public.employee.email"), "email"),
    "public.employee.birth_date": "date",
    # composers and artists are persons, though public ones
    "public.track.composer": "person text",
    "public.artist.name": "person text",
}
CLINIC = """
CREATE TABLE t1 (id int PRIMARY KEY, c1 text, c2 text, c3 text, c4 text, c5 date, c6 text, c7 text, c8 text, c9 int,
    c10 text, c11 inet, c12 text);
CREATE TABLE t2 (id int PRIMARY KEY, r1 int REFERENCES t1 (id), c1 text, c2 numeric(8,2), c3 text, c4 timestamptz,
    c5 text);
CREATE TABLE t3 (id int PRIMARY KEY, c1 text, c2 text, c3 jsonb);
"""
CLINIC_LABELS = {
    "public.t1.c1": "person", "public.t1.c2": "person", "public.t1.c3": "email", "public.t1.c4": "phone",
    "public.t1.c6": "national_id", "public.t1.c7": "address", "public.t1.c10": "iban", "public.t1.c11": "ip",
    "public.t2.c1": "text", "public.t2.c5": "person text", "public.t3.c1": "username", "public.t3.c2": "secret",
    "public.t3.c3 $.a": "person", "public.t3.c3 $.b.x": "email",
}  # fmt: skip
DESK = """
CREATE TABLE entries (k bigint PRIMARY KEY, misc text, val text, data text, extra text, flag bool, kind text, ref uuid,
    opt1 text, opt2 text, opt3 text, n1 int, n2 numeric);
CREATE TABLE blobs (k bigint PRIMARY KEY, payload jsonb, raw text, src text, tag text[], h text);
"""
DESK_LABELS = {
    "public.entries.misc": "person", "public.entries.val": "email", "public.entries.data": "text",
    "public.entries.extra": "phone", "public.entries.opt1": "card", "public.entries.opt2": "company",
    "public.blobs.payload $.who": "person", "public.blobs.payload $.via": "ip", "public.blobs.payload $.msg": "text",
    "public.blobs.raw": "text json", "public.blobs.src": "ip", "public.blobs.h": "mac",
    "public.blobs.tag": "username person text",
}  # fmt: skip


def clinic(conn: psycopg.Connection[Any]) -> None:
    """Patients, visits and accounts in columns without a name."""
    from faker import Faker

    Faker.seed(21)
    us, de, es = Faker("en_US"), Faker("de_DE"), Faker("es_ES")
    conn.execute(CLINIC)  # type: ignore[arg-type]
    for i in range(1, ROWS + 1):
        conn.execute(
            "INSERT INTO t1 VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(i, us.first_name(), us.last_name(), us.email(), us.phone_number(), us.date_of_birth(), us.ssn()),
                *(de.street_address() if i % 2 else us.street_address(), us.random_element(("A", "B", "0", "AB"))),
                *(us.random_int(1, 400), de.iban(), us.ipv4_public(), us.random_element(("open", "closed"))),
            ],
        )
        conn.execute(
            "INSERT INTO t2 VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                *(i, i, f"{us.first_name()} complains of headaches. {us.paragraph()}", us.random_int(10, 90000) / 100),
                *(
                    us.random_element(("cardiology", "surgery", "ent")),
                    us.date_time(),
                    f"Dr. {es.first_name()} {es.last_name()}",
                ),
            ],
        )
        conn.execute(
            "INSERT INTO t3 VALUES (%s, %s, %s, %s)",
            [i, us.user_name(), us.sha256(), json.dumps({"a": us.name(), "b": {"x": us.email(), "y": i}, "s": "ok"})],
        )


def desk(conn: psycopg.Connection[Any]) -> None:
    """A support desk whose columns are called anything."""
    from faker import Faker

    Faker.seed(22)
    us, fr = Faker("en_US"), Faker("fr_FR")
    conn.execute(DESK)  # type: ignore[arg-type]
    for i in range(1, ROWS + 1):
        conn.execute(
            "INSERT INTO entries VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(
                    i,
                    f"{fr.last_name().upper()}, {fr.first_name()}",
                    us.email(),
                    us.paragraph(),
                    fr.phone_number(),
                    i % 2 == 0,
                ),
                *(us.random_element(("a", "b")), us.uuid4(), us.credit_card_number("visa"), us.company()),
                *(us.random_element(("red", "green", "blue")), us.random_int(), us.random_int() / 7),
            ],
        )
        payload = {"who": us.name(), "via": us.ipv4_public(), "msg": us.paragraph(), "n": i, "lang": "en"}
        conn.execute(
            "INSERT INTO blobs VALUES (%s, %s, %s, %s, %s, %s)",
            [
                i,
                json.dumps(payload),
                json.dumps({"t": us.name()}),
                us.ipv6(),
                [us.user_name(), us.user_name()],
                us.mac_address(),
            ],
        )


def measure(session: PostgresSession, labels: Mapping[str, str]) -> dict[str, Any]:
    """Columns found by the scan, and by names alone."""
    proposals = {f"{one.address} {one.path}".strip(): one for one in scan_session(session)}
    inventory = session.inventory()
    either = {address for address, kinds in labels.items() if kinds == EITHER}
    labels = {address: kinds for address, kinds in labels.items() if kinds != EITHER}
    destructive = [a for a, one in proposals.items() if one.domain not in SOFT and a not in either]
    missed = [a for a in labels if a not in proposals or not proposals[a].personal]
    wrong_kind = {
        a: proposals[a].domain for a in labels if a not in missed and proposals[a].domain not in labels[a].split()
    }
    harmless = [a for a in proposals if a not in labels and a not in either]
    alarms = {a: proposals[a].domain for a in harmless if proposals[a].personal}
    named = {a: guess(f) for a, f in inventory.fields.items()}
    return {
        "personal": len(labels),
        "found": len(labels) - len(missed),
        "kind_right": len(labels) - len(missed) - len(wrong_kind),
        "harmless": len(harmless),
        "false_alarms": len(alarms),
        "recall": round(1 - len(missed) / len(labels), 3),
        "destructive": len(destructive),
        "precision": round(sum(a in labels for a in destructive) / max(1, len(destructive)), 3),
        "names_only_kind_right": sum(named.get(a, "") in kinds.split() for a, kinds in labels.items()),
        "missed": missed,
        "other_kind": wrong_kind,
        "alarms": alarms,
    }


DATABASES: Mapping[str, Callable[[psycopg.Connection[Any]], None] | None] = {
    "chinook": None, "clinic": clinic, "desk": desk, "helpdesk": helpdesk.build, "shop": shop.build,
    "assistant": assistant.build,
}  # fmt: skip
LABELS = {
    "chinook": CHINOOK_LABELS, "clinic": CLINIC_LABELS, "desk": DESK_LABELS, "helpdesk": helpdesk.LABELS,
    "shop": shop.LABELS, "assistant": assistant.LABELS,
}  # fmt: skip


@contextmanager
def opened() -> Iterator[dict[str, PostgresSession]]:
    """A server with the three databases, and a session on each."""
    with production(18) as server:
        sessions = {}
        for name, fill in DATABASES.items():
            if fill is None:  # the script makes its database itself
                process.run(
                    [
                        *(server.engine.bindir / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.socket_dir),
                        *("-p", str(server.port), "-U", "postgres", "-d", "postgres"),
                    ],
                    input=CHINOOK.read_text(),
                )
            else:
                server.create_database(name)
                with psycopg.connect(server.dsn_for(name)) as conn:
                    fill(conn)

            @contextmanager
            def connect(
                dbname: str | None = None, *, autocommit: bool = True, login: str = "", dsn: str = server.dsn_for(name)
            ) -> Any:
                with psycopg.connect(dsn, autocommit=True) as conn:
                    conn.execute(PREPARATION)  # type: ignore[arg-type]
                    conn.autocommit = autocommit
                    yield conn

            sessions[name] = PostgresSession(connect, name, name, Path("/nowhere"))
        yield sessions


def together(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Recall and precision over all databases."""
    personal, found = (sum(one[key] for one in results) for key in ("personal", "found"))
    destructive = sum(one["destructive"] for one in results)
    right = sum(one["precision"] * one["destructive"] for one in results)
    return {"recall": round(found / personal, 3), "precision": round(right / destructive, 3)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with opened() as sessions:
        result: dict[str, Any] = {name: measure(session, LABELS[name]) for name, session in sessions.items()}
        result["all"] = together(list(result.values()))
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
