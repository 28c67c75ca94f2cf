"""No message, trace, log or attestation holds an original: not a value, and no key of a document."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.postgres import production
from tests.support.stack import Place, place

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text CHECK (name LIKE 'Zan%'), email text UNIQUE, age int);
CREATE TABLE notes (id int PRIMARY KEY, body text, meta jsonb, doc text);
INSERT INTO people SELECT i, 'Zanna' || chr(97 + i % 26) || ' Quimby' || chr(97 + i / 26) || 'ska',
    'zq' || i || '@corp.example', 20 + i FROM generate_series(1, 60) i;
INSERT INTO notes SELECT id, 'wrote to ' || name || ' of ' || email,
    jsonb_build_object('shares', jsonb_build_object('Quimby' || id || ' heirs', 1,
            'kq' || id || '@corp.example', 'x'), 'n', id,
        'user', jsonb_build_object('email', email)),
    CASE WHEN id = 7 THEN '{"who": ' || name ELSE json_build_object('who', name)::text END
    FROM people;
"""
STACK = """\
version: 1
project: words
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.age: keep
      public.notes.id: keep
"""
GOOD = {
    "public.people.name": '"null"',
    "public.people.email": "email",
    "public.notes.body": "redact",
    "public.notes.meta": '"null"',
    "public.notes.doc": "redact",
}
TELLING = re.compile(r"(?i)zann?a[a-z]? ?quimby|zanna|quimby|[kz]q\d|corp\.example")
KEY = "$.shares['kq7@corp.example']"

HOOKS = {
    "raises.py": """
from envclone.hooks import hook
@hook(writes="main.public.people.email")
def mail(context, batch):
    values = batch["email"]
    raise ValueError(f"cannot read {values}")
""",
    "same.py": """
from envclone.hooks import hook
@hook(writes="main.public.people.email")
def mail(context, batch):
    values = batch["email"]
    return [values[0]] * len(values)
""",
    "cast.sql": "-- stage: after\n-- store: main\nSELECT body::int FROM public.notes;\n",
}

CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "an undeclared key": ({"public.notes.meta": '{"$.n": keep}'}, "", "xx#@xxxx.xxxxxxx"),
    "a rule for a key that is not there": (
        {"public.notes.meta": '{"$.**": text, "$.zq99@corp": email}'}, "", "matches nothing"),
    "an address that ends in a key": (
        {"public.notes.meta": "text", "public.notes.meta.zq7@corp.example": "email"}, "", "matches nothing"),
    "a path that is none": (
        {"public.notes.meta": '{"$.**": text, "$.shares[zq7@corp.example": email}'}, "", "is not a JSON path"),
    "two rules for one key": (
        {"public.notes.meta": '{"$.**": text, "$.*[\\"Quimby2 heirs\\"]": keep, "$.shares.*": redact}'},
        "", "equally specific"),
    "a leak in a kept column": ({"public.notes.body": "keep"}, "", "times a value of"),
    "a check that pseudonyms break": ({"public.people.name": "person"}, "", "people_name_check"),
    "a number where a mask takes none": ({"public.notes.meta": '{"$.**": text, "$.n": email}'}, "", "holds a number"),
    "a document that is none": ({"public.notes.doc": '{"$.who": person}'}, "", "not valid JSON"),
    "a hook that raises": ({}, "raises.py", "ValueError"),
    "a hook that breaks a unique index": ({}, "same.py", "UniqueViolation"),
    "an SQL hook that quotes a row": ({}, "cast.sql", "InvalidTextRepresentation"),
    "a domain that is none for the type": ({"public.people.age": "email"}, "", "cannot mask"),
}  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with production(18) as server, place() as made:
        server.create_database("app")
        server.execute(SCHEMA, "app")
        made.env["DSN"] = server.dsn_for("app")
        (made.directory / "hooks").mkdir()
        for name, text in HOOKS.items():
            (made.directory / "hooks" / name).write_text(text)
        yield made


def _write(here: Place, rules: dict[str, str], hook: str = "") -> None:
    chosen = GOOD | rules
    if hook.endswith(".py"):
        del chosen["public.people.email"]
    lines = [f"      {address!r}: {rule}".replace("'", '"', 2) for address, rule in chosen.items()]
    text = STACK
    for address in rules:
        text = text.replace(f"      {address}: keep\n", "")
    here.write(text + "\n".join(lines) + "\n" + (f"  hooks: [hooks/{hook}]\n" if hook else ""))


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_says_nothing_of_anybody(here: Place, case: str) -> None:
    rules, hook, expected = CASES[case]
    _write(here, rules, hook)
    done = here.call("--debug", "image", "prod", "--json", check=False)
    assert done.returncode in (3, 4), (case, done.returncode, done.stderr)
    assert expected in done.stdout, (case, done.stdout)
    assert not TELLING.findall(done.stdout), (case, done.stdout)
    assert not TELLING.findall(done.stderr), (case, done.stderr)
    assert "Traceback" in done.stderr
    log = here.pool / "audit.jsonl"  # what is refused before the first copy is in none
    assert not log.exists() or not TELLING.findall(log.read_text())


def test_the_attestation_shows_no_key_and_the_rule_works_all_the_same(here: Place) -> None:
    _write(here, {"public.notes.meta": f'{{"$.**": redact, "{KEY}": text, "$.shares[\'Quimby2 heirs\']": keep}}'})
    image = here.json("image", "prod")["id"]
    page = here.directory / "page.html"
    shown = here.call("attestation", image, "--html", str(page))
    document = here.call("attestation", image, "--json")
    signed = (here.pool / "images" / image / "attestation.json").read_text()
    for text in (shown.stdout, page.read_text(), document.stdout, signed, (here.pool / "audit.jsonl").read_text()):
        assert not TELLING.findall(text)
        assert "xx#@xxxx.xxxxxxx" in text or "audit" not in text
    assert "$.shares['xx#@xxxx.xxxxxxx']" in page.read_text().replace("&#x27;", "'")
    checked = here.call("--debug", "verify", image)  # by the paths as they are written
    assert not TELLING.findall(checked.stdout + checked.stderr)
