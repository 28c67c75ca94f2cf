"""Masking takes the key; an engineer without it replays what the operator masked, and asks for no pseudonym."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: handed
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.id: keep
incidents: incidents/
"""
STEP = '  - {{id: {id}, kind: sql, store: main, role: {role}, sql: "{sql}", {more}}}\n'
ASKED = "Odilia Brandmoser"
ORACLE = f"""\
version: 1
incident: oracle
environment: prod
steps:
  - id: ask
    kind: sql
    store: main
    role: app
    sql: SELECT unnest(%(n)s::text[]) AS pseudonym
    parameters: {{n: ["{ASKED}", Christopher, Wolfhard Quenzelmann]}}
    domains: {{n: person}}
    expect: {{columns: [pseudonym], origins: [""], rows: []}}
"""
ANSWERS = f"""\
version: 1
incident: answers
environment: prod
steps:
  - id: ask
    kind: sql
    store: main
    role: app
    sql: SELECT name FROM people WHERE id < 0
    expect: {{columns: [name], origins: [public.people.name], rows: [["{ASKED}"]]}}
"""
HONEST = """\
version: 1
incident: honest
environment: prod
note: zoe.quux3@corp.example got nothing.
steps:
  - id: who
    kind: sql
    store: main
    role: app
    sql: SELECT id, name, email FROM people WHERE email = %(email)s
    parameters: {email: zoe.quux3@corp.example}
    domains: {email: email}
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE);"
            "INSERT INTO people SELECT i, 'Zoë Quuxington' || i, 'zoe.quux' || i || '@corp.example'"
            " FROM generate_series(1, 50) i;"
            "INSERT INTO people VALUES (99, 'Odilia Brandmoser', 'odilia@corp.example');"
            "CREATE ROLE app LOGIN; GRANT SELECT ON people TO app; CREATE ROLE boss LOGIN SUPERUSER",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    """The operator's place: her key lies outside of the pool, and the pool's own keys are gone from it."""
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        folder = made.directory / "incidents"
        folder.mkdir()
        for name, text in (("oracle", ORACLE), ("answers", ANSWERS), ("honest", HONEST), ("later", HONEST)):
            (folder / f"{name}.yaml").write_text(text.replace("incident: honest", f"incident: {name}"))
        key = made.directory / "operator.key"
        key.write_text("ab" * 32 + "\n")
        key.chmod(0o600)
        made.call("image", "prod", env=operator(made))
        made.call("branch", "prod", "--name", "shared", env=operator(made))
        made.call("incident", "record", str(folder / "honest.yaml"), env=operator(made))
        assert not (made.pool / "keys" / "masking.key").exists()
        yield made


def operator(here: Place) -> dict[str, str]:
    return {"ENVCLONE_MASKING_KEY_FILE": str(here.directory / "operator.key")}


def bundle(here: Place, name: str) -> Path:
    return here.directory / "incidents" / f"{name}.yaml"


def test_masking_takes_the_key(here: Place) -> None:
    for command in (("replay", "honest", "--branch", "shared"), ("branch", "prod", "--incident", "honest")):
        done = here.call(*command, check=False)
        assert done.returncode == 4, done.stderr
        assert "envclone incident mask honest" in done.stderr
    assert not (here.pool / "keys" / "masking.key").exists(), "no new key was made for that"
    assert list((here.pool / "incidents").iterdir()) == []


def test_who_has_no_key_replays_what_was_masked(here: Place) -> None:
    handed = here.directory / "handed.yaml"
    done = here.call("incident", "mask", "honest", "-o", str(handed), env=operator(here))
    assert "warning" not in done.stderr, "production gave what was asked for"
    assert handed.stat().st_mode & 0o777 == 0o600
    assert not re.search("quux|zo[eë]", handed.read_text(), re.IGNORECASE)
    document = yaml.safe_load(handed.read_text())
    assert "domains" not in document["steps"][0] and document["signature"]
    assert document["steps"][0]["parameters"]["email"] == document["steps"][0]["expect"]["rows"][0][2]

    report = here.json(
        "replay", "honest", "--branch", "shared"
    )  # from the pool; the raw bundle is there, and of no use
    assert report["reproduced"] and report["masked"] == document["masked"]
    raw = bundle(here, "honest").read_text()
    bundle(here, "honest").unlink()
    assert here.json("replay", "honest", "--branch", "shared")["reproduced"], "without the raw bundle"
    bundle(here, "honest").write_text(handed.read_text())
    assert here.json("replay", "honest", "--branch", "shared")["reproduced"], "from the file that was handed over"
    made = here.json("branch", "prod", "--incident", "honest", "--name", "own")
    assert made["incident"] == "honest"
    here.call("rm", "own")
    bundle(here, "honest").write_text(raw)


def test_what_a_statement_made_of_a_name_is_not_handed_over(here: Place) -> None:
    made = (
        "reverse(name), substr(name, 1, 5), encode(convert_to(name, 'UTF8'), 'hex'), md5(name),"
        " replace(name, 'u', '4'),"
        " array(SELECT ascii(substr(name, i, 1)) FROM generate_series(1, 30) i), regexp_split_to_array(name, ''),"
        " coalesce(name, ''), length(name), id, email"
    )
    text = HONEST.replace("incident: honest", "incident: spelled").replace("SELECT id, name, email", f"SELECT {made}")
    bundle(here, "spelled").write_text(text)
    here.call("incident", "record", str(bundle(here, "spelled")), env=operator(here))
    handed = here.directory / "spelled.yaml"
    here.call("incident", "mask", "spelled", "-o", str(handed), env=operator(here))
    (row,) = yaml.safe_load(handed.read_text())["steps"][0]["expect"]["rows"]
    assert [str(value).startswith("(not comparable") for value in row] == [True] * 8 + [False] * 3
    assert row[8:10] == [15, 3]
    assert here.json("replay", "spelled", "--branch", "shared")["reproduced"], "what is left is compared"
    here.call("incident", "mask", "spelled", "--allow-computed", "-o", str(handed), env=operator(here))
    (row,) = yaml.safe_load(handed.read_text())["steps"][0]["expect"]["rows"]
    assert row[0].startswith("3notgnixuu"), "the operator decided to hand it over"
    bundle(here, "spelled").unlink()


def test_a_bundle_that_only_says_that_it_is_masked(here: Place) -> None:
    handed = here.directory / "handed.yaml"
    here.call("incident", "mask", "honest", "-o", str(handed), env=operator(here))
    good = yaml.safe_load(handed.read_text())
    forged = [
        yaml.safe_load(ORACLE) | {"incident": "forged", "masked": good["masked"]},
        yaml.safe_load(ORACLE) | {"incident": "forged", "masked": good["masked"], "signature": good["signature"]},
        good | {"note": "changed"},
        good | {"signature": "0" * 128},
        good | {"steps": [good["steps"][0] | {"domains": {"email": "person"}}]},
    ]
    for number, document in enumerate(forged):
        bundle(here, "forged").write_text(json.dumps(document))
        env = operator(here) if number == 0 else {}  # who holds the key is not an easier to deceive
        done = here.call("replay", "forged", "--branch", "shared", check=False, env=env)
        assert done.returncode == 4, done.stdout + done.stderr
        assert "not masked by this pool's keys or was changed" in done.stderr
    bundle(here, "forged").unlink()


@pytest.mark.parametrize("name", ["oracle", "answers"])
@pytest.mark.parametrize("command", ["replay", "branch", "mask"])
def test_nobody_asks_for_the_pseudonym_of_a_name_of_her_choice(here: Place, name: str, command: str) -> None:
    """Not even where the key is: what somebody wrote into a bundle is not a question that envclone answers."""
    arguments = {
        "replay": ("replay", name, "--branch", "shared"),
        "branch": ("branch", "prod", "--incident", name),
        "mask": ("incident", "mask", name),
    }[command]
    for env in ({}, operator(here)):
        done = here.call(*arguments, check=False, env=env)
        assert done.returncode == 4, done.stdout + done.stderr
        assert "pseudonym" not in done.stdout
    assert "ask: " in done.stderr and "--allow-chosen" in done.stderr
    assert ASKED not in done.stderr + done.stdout
    assert not [path for path in (here.pool / "incidents").iterdir() if path.name.startswith(name)]


def test_an_oracle_that_was_recorded_is_not_handed_over(here: Place) -> None:
    """Recording makes the answers production's; a list of names that it only repeats is still the bundle's choice."""
    bundle(here, "again").write_text(ORACLE.replace("incident: oracle", "incident: again"))
    here.call("incident", "record", str(bundle(here, "again")), env=operator(here))
    done = here.call("incident", "mask", "again", check=False, env=operator(here))
    assert done.returncode == 4
    assert "ask: 3 values of 'n', as 'person'" in done.stderr
    told = here.call("incident", "mask", "again", "--allow-chosen", env=operator(here))
    assert "warning: chosen by the bundle, not by production: ask: 3 values" in told.stderr


def test_on_one_machine_it_is_one_step(here: Place) -> None:
    here.call("incident", "record", str(bundle(here, "later")), env=operator(here))
    assert here.call("branch", "prod", "--incident", "later", "--name", "one", env=operator(here)).returncode == 0
    assert here.json("replay", "later", "--branch", "one")["reproduced"]
    here.call("rm", "one")


def test_a_replay_runs_no_step_as_a_superuser(here: Place) -> None:
    """Neither by its name nor by what a role may become, and nothing of the bundle's other steps hides it."""
    for role in ("postgres", "boss"):
        bundle(here, "esc").write_text(
            "version: 1\nincident: esc\nenvironment: prod\nsteps:\n"
            f"  - {{id: a, kind: sql, store: main, role: {role}, expect: {{columns: [], rows: []}},"
            f" sql: \"COPY (SELECT current_user) TO PROGRAM 'cat > {here.directory}/pwned'\"}}\n"
            f"  - {{id: b, kind: sql, store: main, role: {role}, sql: SELECT rolsuper FROM pg_roles WHERE"
            " rolname = current_user, expect: {columns: [rolsuper], origins: [''], rows: [[true]]}}\n"
        )
        done = here.call("replay", "esc", "--branch", "shared", check=False, env=operator(here))
        assert done.returncode in (4, 5), done.stdout + done.stderr
        assert "b: the same" not in done.stdout
        if done.returncode == 5:  # the branch has made it an ordinary role
            assert "superuser" in done.stdout or "permission denied" in done.stdout or "rolsuper" in done.stdout
        assert not (here.directory / "pwned").exists()
