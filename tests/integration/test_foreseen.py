"""Rules that `init --from` proposes are those that `image` accepts: parts of one person in what would be kept, too."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from envclone.config.load import load
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

PEOPLE = 150
SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, first_name text, last_name text, street text, zip text);
CREATE TABLE badges (id int PRIMARY KEY, source1 text, source2 text, state text);
CREATE TABLE mails (id int PRIMARY KEY, person_id int REFERENCES people, salutation_kind text, lang text);
CREATE TABLE accounts (id int PRIMARY KEY, model text, tier text);
CREATE TABLE events (id int PRIMARY KEY, doc jsonb);
CREATE TABLE seats (id int PRIMARY KEY, mail_id int REFERENCES mails, channel text, role text);
CREATE TABLE pieces (id int PRIMARY KEY, code text, item text, colour text);
"""
MASKED = {
    "public.badges.source1": "person",  # beside it, in a kept column, what else its person is called
    "public.mails.salutation_kind": "text",  # 'Hi Quenzel', in the rows of that person
    "public.accounts.model": "username",  # both names in one word
    "public.seats.channel": "person",  # the name of whom the row's mail is of
}
"""What would be kept by its name, and says somebody in parts."""
KEPT = (
    "public.badges.source2",  # alone it says nobody
    "public.badges.state",
    "public.mails.lang",
    "public.accounts.tier",
    "public.seats.role",
    "public.pieces.code",
    "public.pieces.item",
    "public.pieces.colour",
)
"""Nobody's: everyday words beside people."""


def _name(draw: random.Random) -> str:
    """A name that no dictionary has."""
    return "".join(draw.choice("bdgklmprtvz") + draw.choice("aeiouy") for _ in range(3)).capitalize() + "x"


def fill(conn: Any) -> None:
    """People whose names are in no dictionary, and tables that say them in parts."""
    draw = random.Random(5)
    names = [(_name(draw), _name(draw)) for _ in range(PEOPLE)]
    conn.execute(SCHEMA)
    with conn.cursor() as cursor:
        for i, (first, last) in enumerate(names):
            street = f"{_name(draw)}weg {draw.randrange(1, 90)}"
            other = draw.randrange(PEOPLE)
            doc = {"source": {"model": first, "channel": last}, "kind": draw.choice(("add", "drop"))}
            its: list[tuple[str, tuple[object, ...]]] = [
                ("people", (i, first, last, street, f"{draw.randrange(10000, 99999)}")),
                ("badges", (i, first, last, draw.choice(("open", "closed", "grace")))),
                *(("mails", (3 * i + j, i, f"Hi {first}", draw.choice(("de", "en")))) for j in range(3)),
                ("accounts", (i, f"{first}.{last}".lower(), draw.choice(("gold", "silver")))),
                ("events", (i, json.dumps(doc))),
                ("seats", (i, 3 * i, last, draw.choice(("admin", "will", "guest")))),
                ("pieces", (i, f"P-{other}", draw.choice(("a lamp", "a chair")), draw.choice(("red", "blue")))),
            ]
            for table, values in its:
                cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(values))})", values)


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        with server.connect("app") as conn:
            fill(conn)
        yield server


def _rules(here: Place) -> dict[str, Any]:
    return dict(load(here.file, here.env).stack.sanitize.rules["main"])


def test_an_image_is_made_at_the_first_attempt(prod: Production) -> None:
    """What is proposed is accepted, and what is proposed for a part of a person is refused when it is kept."""
    with place() as here:
        here.env.update({"ENVCLONE_POOL": str(here.pool), "PROD_PG_DSN": prod.dsn_for("app")})
        began = here.call("init", "--project", "app", "--from", "PROD_PG_DSN").stdout
        assert "to be decided" not in began
        text, rules = here.file.read_text(), _rules(here)
        assert {address: rules[address] for address in MASKED} == MASKED
        assert {rules[address] for address in KEPT} == {"keep"}
        assert rules["public.events.doc"] == {
            "$.kind": "keep",
            "$.source.channel": "person",
            "$.source.model": "keep",
        }
        looked_at = text.split("# decided on weak evidence")[1].split("# kept")[0]
        for address in (*MASKED, "public.events.doc"):
            assert f" {address}:" in looked_at
        assert looked_at.count("; an image that keeps it is refused") == len(MASKED) + 1
        made = here.call("image", "prod", check=False)
        assert made.returncode == 0, made.stderr

        kept = text
        for address, domain in MASKED.items():
            kept = kept.replace(f"{address}: {domain}", f"{address}: keep")
        here.file.write_text(kept.replace('channel": person', 'channel": keep'))
        refused = here.call("image", "prod", "--json", check=False)
        assert refused.returncode == 4, refused.stdout
        found = json.loads(refused.stdout)["error"]["findings"]
        assert {one["place"] for one in found} == {f"main.{a}" for a in (*MASKED, "public.events.doc")}


def test_scan_writes_what_is_left(prod: Production) -> None:
    """A rule that a person wrote stays; what is proposed beside it is foreseen under it."""
    with place() as here:
        here.env.update({"ENVCLONE_POOL": str(here.pool), "PROD_PG_DSN": prod.dsn_for("app")})
        here.call("init", "--project", "app", "--from", "PROD_PG_DSN")
        own = [line for line in here.file.read_text().splitlines() if not line.strip().startswith("public.badges.s")]
        own.insert(own.index("      # masked"), "      public.badges.source2: person  # by hand")
        here.file.write_text("\n".join(own) + "\n")
        here.call("scan", "prod", "--write")
        rules = _rules(here)
        assert rules["public.badges.source1"] == "keep", "alone it says nobody"
        assert rules["public.badges.source2"] == "person"
        assert here.call("image", "prod", check=False).returncode == 0
