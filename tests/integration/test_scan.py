"""`envclone scan`: what it proposes, what it writes, and that no raw value leaves it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from tests.benchmarks.scan import CLINIC_LABELS, clinic, measure, opened
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: scan
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.t1.id: keep  # written by hand
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        import psycopg

        with psycopg.connect(server.dsn_for("app")) as conn:
            clinic(conn)
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        yield made


def test_bad_names_do_not_hide_people(here: Place, prod: Production) -> None:
    document = here.json("scan", "prod")
    found = {f"{one['address']} {one['path']}".strip(): one for one in document["stores"]["main"]}
    assert all(found[address]["personal"] for address in CLINIC_LABELS)
    assert "public.t1.id" not in found
    assert not [one for one in here.leftovers() if one.startswith("work/")]
    shown = here.call("scan", "prod").stdout
    raw = [value for row in prod.execute("SELECT c3, c6, c10 FROM t1", "app") for value in row]
    assert not [value for value in raw if len(value) > 5 and value in shown]


def test_what_is_written_makes_an_image(here: Place) -> None:
    written = here.call("scan", "prod", "--write")
    assert "rules added to the stack file" in written.stdout
    text = here.file.read_text()
    assert "public.t1.id: keep  # written by hand" in text
    assert here.call("scan", "prod").stdout.startswith("main: every field has a rule")
    made = here.call("image", "prod", check=False)
    assert made.returncode == 0, made.stderr


def test_init_writes_a_stack_file_that_is_whole(prod: Production) -> None:
    """From a DSN alone: every field has a rule, the password stands nowhere, and a second scan writes nothing."""
    with place() as there:
        pool = {"ENVCLONE_POOL": str(there.pool)}
        done = there.call("init", "--project", "first", "--from", prod.dsn_for("app"), env=pool)
        text = there.file.read_text()
        assert prod.password not in text and prod.password not in done.stdout + done.stderr
        assert "${PROD_PG_DSN?" in text and "export PROD_PG_DSN=" in done.stdout
        assert "customers" not in text, "no rule of the sample file"
        env = {**pool, "PROD_PG_DSN": prod.dsn_for("app")}
        assert "every field has a rule" in there.call("scan", "prod", "--write", env=env).stdout
        assert there.file.read_text() == text
        assert there.call("init", "--from", "PROD_PG_DSN", env=env, check=False).returncode == 8, "it is there already"


ODD = """
CREATE TABLE members (email text NOT NULL, region text) PARTITION BY HASH (email);
CREATE TABLE members_0 PARTITION OF members FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO members SELECT 'ann.meier' || i || '@corp.example', 'north' FROM generate_series(1, 60) i;
CREATE TABLE badges (id int PRIMARY KEY, owner_name text CHECK (owner_name ~ '^[A-Z][a-z]+ Smith$'));
INSERT INTO badges SELECT i, (ARRAY['Anna', 'Karl', 'Emma', 'Jane'])[i % 4 + 1] || ' Smith'
    FROM generate_series(1, 80) i;
CREATE TABLE notes (id int PRIMARY KEY, body text, words tsvector);
INSERT INTO notes SELECT i, 'the printer of floor ' || i || ' is broken again', 'printer' FROM generate_series(1, 40) i;
"""


def test_what_does_not_fit_is_not_proposed(prod: Production) -> None:
    """A partition key, a CHECK over names and words of unknown origin: known before anything is written."""
    prod.create_database("odd")
    prod.execute(ODD, "odd")
    with place() as there:
        env = {"ENVCLONE_POOL": str(there.pool), "PROD_PG_DSN": prod.dsn_for("odd")}
        done = there.call("init", "--project", "odd", "--from", "PROD_PG_DSN", env=env)
        assert "to be decided: public.members.email (text): email: a part of the partition key" in (done.stdout)
        text = there.file.read_text()
        assert "# public.members.email: keep, a constant or a hook" in text
        assert 'public.notes.words: "null"' in text, "it is not known what its words are made from"
        assert "public.badges.owner_name: person\n" not in text, "its constraint would not hold"
        again = there.call("scan", "prod", "--write", env=env)
        assert there.file.read_text() == text, again.stdout
        there.file.write_text(re.sub(r"# (public\.\S+): keep, a constant or a hook", r"\1: keep", text))
        assert "every field has a rule" in there.call("scan", "prod", env=env).stdout


DOCUMENTS = """
CREATE TABLE people (id int PRIMARY KEY, name text, email text);
INSERT INTO people SELECT i, 'Anna Qz' || chr(97 + i % 26) || 'rskaja', 'qz' || i || '@example.org'
    FROM generate_series(1, 60) i;
CREATE TABLE messages (id int PRIMARY KEY, content jsonb[], raw json[], config text);
INSERT INTO messages SELECT id, ARRAY[jsonb_build_object('type', 'text', 'text', 'Mail ' || name || ' at ' || email),
    NULL, to_jsonb(email)], ARRAY[json_build_object('from', email)],
    json_build_object('host', 'smtp.example', 'smtp_password', 'hunter-' || id)::text FROM people;
"""


def test_documents_in_arrays_and_texts_are_masked_where_somebody_stands(prod: Production) -> None:
    prod.create_database("docs")
    prod.execute(DOCUMENTS, "docs")
    with place() as there:
        env = {"ENVCLONE_POOL": str(there.pool), "PROD_PG_DSN": prod.dsn_for("docs")}
        there.call("init", "--project", "docs", "--from", "PROD_PG_DSN", env=env)
        rules = yaml.safe_load(there.file.read_text())["sanitize"]["rules"]["main"]
        assert rules["public.messages.content"] == rules["public.messages.raw"] == "json"
        assert rules["public.messages.config"] == {"$.smtp_password": "secret", "$.**": "text"}
        there.call("image", "prod", env=env)  # it proves every value


def test_figures_do_not_get_worse() -> None:
    """On six databases all personal data is found, and what replaces values stands on hardly anything else."""
    from tests.benchmarks.scan import LABELS, together

    with opened() as sessions:
        results = {name: measure(session, LABELS[name]) for name, session in sessions.items()}
    assert together(list(results.values()))["recall"] >= 0.99, results
    assert together(list(results.values()))["precision"] >= 0.95, results
    for name in ("chinook", "clinic", "desk"):
        assert results[name]["recall"] == 1.0, (name, results[name])
        assert results[name]["false_alarms"] <= 5, (name, results[name])
