"""Hooks, those in `hooks/` among them: run, listed, tried, and refused when they do wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, initials text, label text,
    postcode text);
CREATE TABLE tickets (id int PRIMARY KEY, author text REFERENCES people (email), channel text, body text);
CREATE TABLE chats (id int PRIMARY KEY, messages jsonb);
CREATE TABLE sessions (token text PRIMARY KEY, email text);
INSERT INTO people SELECT i, 'Jane' || chr(96 + i) || 'a Quimbyton', 'jane' || chr(96 + i) || 'a@corp.example', 'JQ',
    'Jane' || chr(96 + i) || 'a Quimbyton <jane' || chr(96 + i) || 'a@corp.example>', '1011' || i % 10
    FROM generate_series(1, 20) i;
INSERT INTO tickets SELECT i, 'jane' || chr(96 + i) || 'a@corp.example',
    CASE WHEN i % 2 = 0 THEN 'email' ELSE 'web' END,
    'Jane' || chr(96 + i) || 'a Quimbyton is waiting.' || E'\\n-- \\nJane' || chr(96 + i) || 'a, Secret Street 5'
    FROM generate_series(1, 20) i;
INSERT INTO chats SELECT i, jsonb_build_array(
    jsonb_build_object('role', 'system', 'content', 'You answer Questions of Customers.'),
    jsonb_build_object('role', 'user', 'content', 'I am Jane' || chr(96 + i) || 'a Quimbyton.'))
    FROM generate_series(1, 20) i;
INSERT INTO sessions SELECT md5(i::text), 'jane' || chr(96 + i) || 'a@corp.example' FROM generate_series(1, 20) i;
ANALYZE;
"""
STACK = """\
version: 1
project: hooks
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.tickets.id: keep
      public.tickets.channel: keep
      public.chats.id: keep
      public.sessions.*: null
  hooks: [HOOKS]
"""
ALL = "drop_sessions.sql signatures.py initials.py conversation.py postcodes labels.sql no_orphans.sql no_addresses.py"


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        shutil.copytree(ROOT / "hooks", made.directory / "hooks")
        made.write(stack(*ALL.split()))
        yield made


def stack(*files: str, more: str = "") -> str:
    # nothing in the sessions can be null; their table is emptied before
    rules = STACK.replace("public.sessions.*: null", f"public.sessions.*: keep{more}")
    return rules.replace("[HOOKS]", json.dumps([f"hooks/{name}" for name in files]))


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchall()


def test_every_hook_that_ships_does_its_work(here: Place) -> None:
    url = here.json("branch", "prod", "--name", "b")["urls"]["main"]
    assert rows(url, "SELECT count(*) FROM sessions") == [(0,)]
    assert rows(url, "SELECT count(*) FROM people WHERE label <> name || ' <' || email || '>'") == [(0,)]
    assert rows(url, "SELECT count(*) FROM people WHERE initials <> left(name, 1) || substr(name, 8, 1)") == [(0,)]
    assert rows(url, "SELECT DISTINCT postcode FROM people") == [("10000",)]
    assert rows(url, "SELECT DISTINCT messages->0->>'content' FROM chats") == [("You answer Questions of Customers.",)]
    assert rows(
        url,
        "SELECT count(*) FROM chats c JOIN people p USING (id) WHERE messages->1->>'content' = 'I am ' || name || '.'",
    ) == [(20,)]
    by_mail = rows(
        url, "SELECT t.body, p.name FROM tickets t JOIN people p ON p.email = t.author WHERE channel = 'email'"
    )
    assert len(by_mail) == 10
    assert all(body == f"{name} is waiting.\n[signature]" for body, name in by_mail)
    assert rows(url, "SELECT count(*) FROM tickets WHERE channel = 'web' AND body LIKE '%Secret Street%'") == [(10,)]
    stats = rows(url, "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE attname = 'label'")
    assert stats and "Quimbyton" not in str(stats)
    here.call("rm", "b")


def test_list_and_try(here: Place) -> None:
    listed = here.call("hooks", "list").stdout
    assert "hooks/signatures.py:body" in listed and "hooks/no_orphans.sql" in listed
    assert {one["stage"] for one in here.json("hooks", "list")} == {"before", "mask", "after", "verify"}
    tried = here.json("hooks", "test", "initials", "--rows", "3")
    assert tried["fields"]["public.people.initials"][0][0] == "JQ"
    shown = here.call("hooks", "test", "hooks/labels.sql", "--rows", "2").stdout
    assert "BEFORE" in shown and "Janeaa Quimbyton" in shown
    assert here.json("hooks", "test", "no_addresses")["fields"]["public.tickets.body"][0][1] is False
    several = here.call("hooks", "test", "nobody", check=False)
    assert several.returncode == 2 and "there are:" in several.stderr
    assert not [one for one in here.leftovers() if one.startswith("work/")]


BAD = {
    "raises.py": ("def value(ctx, batch):\n    raise ValueError(batch['name'][0])", "ValueError in line 4"),
    "short.py": ("def value(ctx, batch):\n    return batch['name'][:-1]", "19 values for 20 rows"),
    "number.py": ("def value(ctx, batch):\n    return [1 for _ in batch['name']]", "type int"),
    "exits.py": ("def value(ctx, batch):\n    import os; os._exit(3)", "ended without an answer"),
    "asks.py": ("def value(ctx, batch):\n    return ctx.mask('nothing', batch['name'])", "LookupError in line 4"),
    "random.py": (
        "def value(ctx, batch):\n    import random; return [str(random.random()) for _ in batch['name']]",
        "public.people.name is not what the masks make",
    ),
    "broken.py": ("def value(ctx, batch:\n", "SyntaxError"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_hook_that_does_wrong_fails_the_image_and_is_named(here: Place, name: str) -> None:
    body, expected = BAD[name]
    head = 'from envclone.hooks import hook\n\n@hook(writes="main.public.people.name")\n'.replace("\n\n", "\n")
    (here.directory / "hooks" / name).write_text(head + body + "\n")
    text = stack(*ALL.split(), name).replace("      public.people.name: person\n", "")
    refused(here, text, name if name != "random.py" else "", expected)


def refused(here: Place, text: str, name: str, expected: str) -> None:
    here.write(text)
    before = here.leftovers()
    done = here.call("image", "prod", check=False)
    assert done.returncode == 4, done.stderr
    assert name in done.stderr and expected in done.stderr
    assert "Quimbyton" not in done.stderr and "Traceback" not in done.stderr
    assert here.leftovers() == before
    here.write(stack(*ALL.split()))


def test_rubbish_from_a_program(here: Place) -> None:
    for name, line, expected in (
        ("rubbish", "echo hello", "not a line of JSON"),
        ("silent", "true", "ended without an answer"),
        ("nothing", "echo '{}'", "did not begin by saying"),
    ):
        path = here.directory / "hooks" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
        refused(here, stack(*ALL.split(), name), name, expected)


def test_sql_that_fails_or_finds_something(here: Place) -> None:
    for text, expected in (
        ("-- stage: after\n\nUPDATE people SET email = 'x';", "UniqueViolation"),
        ("-- stage: before\nSELECT 'Quimbyton'::int;", "InvalidTextRepresentation"),
        ("-- stage: verify\nSELECT 1 FROM people WHERE id < 4;", "found 3 rows"),
        ("-- stage: after\n-- writes: public.people.nothing\nSELECT 1;", "public.people.nothing"),
        ("-- stage: after\nUPDATE people SET postcode = 'Zanna Quimbyton';", "public.people.postcode"),
    ):
        (here.directory / "hooks" / "mine.sql").write_text(text)
        refused(here, stack(*ALL.split(), "mine.sql"), "" if "." in expected else "mine.sql", expected)


def test_a_file_that_is_not_there_or_a_column_with_two_rules(here: Place) -> None:
    here.write(stack("nowhere.py"))
    gone = here.call("image", "prod", check=False)
    assert gone.returncode == 3 and "hooks/nowhere.py" in gone.stderr
    here.write(stack(*ALL.split(), more="\n      public.people.label: person"))
    twice = here.call("image", "prod", check=False)
    assert twice.returncode == 3 and "public.people.label" in twice.stderr
    here.write(stack(*ALL.split()))


def test_a_changed_file_makes_another_image(here: Place) -> None:
    first = here.json("image", "prod")["id"]
    assert here.json("image", "prod")["id"] == first
    path = here.directory / "hooks" / "initials.py"
    path.write_text(path.read_text() + "\n# changed\n")
    assert here.json("image", "prod")["id"] != first


def test_a_rule_can_name_a_function(here: Place) -> None:
    (here.directory / "hooks" / "shout.py").write_text(
        "from envclone.hooks import hook\n@hook()\ndef shout(ctx, batch):\n"
        "    return [v and v.upper() for v in ctx.mask('person', next(iter(batch.values())))]\n"
    )
    text = stack(*ALL.split()).replace(
        "public.people.name: person", 'public.people.name: "python:hooks/shout.py:shout"'
    )
    here.write(text)
    before_try = here.json("hooks", "test", "shout", "--value", "Jane Doe")["fields"]["value"]
    assert before_try[0][0] == "Jane Doe" and before_try[0][1].isupper()
    done = here.call("image", "prod", check=False)
    # the label and the initials follow another mask of the name: nobody notices, for no rule ties them
    assert done.returncode in (0, 4)


def test_a_hook_that_hangs_is_ended(tmp_path: Path) -> None:
    from envclone.errors import UnsafeError
    from envclone.hooks.hookset import HookSet

    (tmp_path / "slow.py").write_text(
        "from envclone.hooks import hook\nimport time\n@hook(writes='main.t.c')\ndef slow(ctx, batch): time.sleep(60)\n"
    )
    tmp_path.chmod(0o755)  # the account that hooks run as reads it
    hooks = HookSet(tmp_path, ["slow.py"], ["main"], deadline=2)
    with pytest.raises(UnsafeError, match=r"slow\.py:slow failed: it did not answer within 2 s"):
        hooks.mask("python:slow.py:slow", ["x"])
