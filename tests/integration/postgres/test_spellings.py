"""A production in which people are spelled in every way that software spells, and nobody's values stand."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.support.postgres import Production, production
from tests.support.stack import Place, bytes_hold, place

pytestmark = pytest.mark.real

NAME, MAIL = "Zanna Quimbyha", "zq7@corp.example"
STACK = """\
version: 1
project: spelled
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  nobody: {person: [Walk-in Customer]}
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.people.phone: phone
      public.people.device: uuid
      public.people.status: keep
      public.mails.how: keep
      public.mails.body: text
"""


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _jwt(payload: str) -> str:
    head, body = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ('{"alg":"HS256"}', payload))
    return f"{head}.{body}.c2ln"


SPELLINGS: Mapping[str, Callable[[str, str], str]] = {
    "plain": lambda name, mail: f"mail to {mail} please, {name}",
    "percent": lambda name, mail: f"https://app.example/reset?to={quote(mail, safe='')}&n={quote(name)}",
    "plus": lambda name, mail: f"https://app.example/s?q={name.replace(' ', '+')}",
    "entity": lambda name, mail: f"write to {mail.replace('@', '&#64;')} or {mail.replace('@', '&#x40;')} now",
    "word": lambda name, mail: f"To: =?utf-8?Q?{name.replace(' ', '=20')}?= <{mail}>",
    "basic": lambda name, mail: "Basic " + _b64(mail + ":secret"),
    "token": lambda name, mail: _jwt(json.dumps({"sub": mail})),
    "json": lambda name, mail: '{"to":"' + mail.replace("@", "\\u0040") + '"}',
    "twice": lambda name, mail: json.dumps(json.dumps({"to": mail})),
    "hex": lambda name, mail: mail.encode().hex(),
    "at": lambda name, mail: mail.replace("@", " [at] "),
    "hyphen": lambda name, mail: f"by {name[:10]}\u00ad{name[10:]}",
    "no width": lambda name, mail: f"by {name.replace(' ', chr(0x200B) + ' ')}",
    "blank": lambda name, mail: f"by {name.replace(' ', chr(0xA0))}",
    "line": lambda name, mail: f"by {name.replace(' ', chr(10))}",
    "wide": lambda name, mail: f"by {''.join(chr(ord(c) + 0xFEE0) if c != ' ' else c for c in name)}",
    "markup": lambda name, mail: f"by <b>{name.replace(' ', '</b> ')}",
    "user": lambda name, mail: f"login {name.replace(' ', '_').lower()} or {name.replace(' ', '')}",
}
NOBODY = (
    ("N/A", "none@none", "0000000000", "00000000-0000-0000-0000-000000000001", "none"),
    ("Deleted User", "noreply@corp.example", "N/A", "ffffffff-ffff-ffff-ffff-ffffffffffff", "N/A"),
    ("walk-in customer", "unknown", "000-000-0000", "00000000-0000-0000-0000-000000000002", "Walk-in Customer"),
)
SAID = ("status unknown, none given", "Deleted User N/A", "This is a Test", "a Walk-in Customer of 000-000-0000")


@pytest.fixture(scope="module")
def server() -> Iterator[Production]:
    with production(18) as started:
        started.create_database("app")
        started.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text, phone text, device uuid, status text);"
            "CREATE TABLE mails (how text, body text)",
            "app",
        )
        with psycopg.connect(started.dsn_for("app"), autocommit=True) as connection, connection.cursor() as cursor:
            person = (1, NAME, MAIL, "+49 30 1234107", "2f1c9f3e-5a6b-4c7d-8e9f-0a1b2c3d4e5f", "open")
            rows = [person, *((i, *row) for i, row in enumerate(NOBODY, 2))]
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s)", rows)
            mails = [(how, spell(NAME, MAIL)) for how, spell in SPELLINGS.items()]
            cursor.executemany("INSERT INTO mails VALUES (%s, %s)", [*mails, *(("said", text) for text in SAID)])
        yield started


@pytest.fixture(scope="module")
def branch(server: Production) -> Iterator[tuple[Place, dict[str, Any]]]:
    with place() as here:
        here.env["DSN"] = server.dsn
        here.write(STACK)
        yield here, here.json("branch", "prod", "--name", "b")


def test_people_are_masked_as_they_are_spelled_and_nobody_stays(branch: tuple[Place, dict[str, Any]]) -> None:
    here, made = branch
    with psycopg.connect(here.json("show", "b")["urls"]["main"]) as connection:
        people = connection.execute(
            "SELECT name, email, phone, device::text, status FROM people ORDER BY id"
        ).fetchall()
        mails = connection.execute("SELECT how, body FROM mails").fetchall()
    assert tuple(people[1:]) == NOBODY
    name, mail = people[0][:2]
    assert name != NAME and mail != MAIL
    told = dict(mails)
    for how, spell in SPELLINGS.items():
        assert told[how] == spell(name, mail), how
    assert [body for how, body in mails if how == "said"] == list(SAID)
    statement = here.json("attestation", made["image"])
    spared = {(one["field"], one["kind"]): one for one in statement["checks"]["fields"]["nobody"]}
    names = spared["main.public.people.name", "person"]
    assert names["count"] == 3 and set(names["values"]) == {"n/a", "deleted user", "xxxx-xx xxxxxxxx"}
    assert spared["main.public.people.device", "uuid"]["count"] == 3
    assert (
        bytes_hold(here.pool / "images", [MAIL.encode(), MAIL.encode().hex().encode(), _b64(MAIL)[:20].encode()]) == {}
    )
