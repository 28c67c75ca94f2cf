"""Incidents pinned as cases, replayed as a gate: what they are, what still holds of them, and what `gc` leaves."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from envclone import process
from envclone.cases import files
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

STACK = """\
version: 1
project: cases
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
      public.people.*: keep
      public.chunks.*: keep
"""
BUNDLE = """\
version: 1
incident: "{name}"
environment: prod
note: Zoë Quuxington3 got nothing.
steps:
  - {{id: who, kind: sql, store: main, role: app, key: id,
     sql: "SELECT id, name, email FROM people WHERE email = %s", parameters: [zoe.quux3@corp.example],
     domains: {{"1": email}}}}
  - {{id: search, kind: sql, store: main, role: app, key: id, sql: "{search}"}}
"""
SEARCH = "SELECT id, body FROM chunks WHERE id > 2 ORDER BY id LIMIT 3"
JUDGE = """\
from envclone.hooks.author import hook

@hook(stage="judge")
def short(ctx, batch):
    return [len(answer) < 1000 and "Quux" not in answer for answer in batch["answer"]]
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE);"
            "INSERT INTO people SELECT i, 'Zoë Quuxington' || i, 'zoe.quux' || i || '@corp.example'"
            " FROM generate_series(1, 50) i;"
            "CREATE TABLE chunks (id int PRIMARY KEY, body text);"
            "INSERT INTO chunks SELECT i, 'refunds take ' || i || ' days' FROM generate_series(1, 20) i;"
            "CREATE ROLE app LOGIN PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO app",
            "app",
        )
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        (made.directory / "hooks").mkdir(mode=0o755)
        (made.directory / "hooks" / "judge.py").write_text(JUDGE)
        made.directory.chmod(0o755)
        for name in ("1234", "known"):
            bundle = made.directory / "incidents" / f"{name}.yaml"
            bundle.parent.mkdir(exist_ok=True)
            bundle.write_text(BUNDLE.format(name=name, search=SEARCH))
            made.call("incident", "record", str(bundle))
        made.json("image", "prod")
        yield made


def _pinned(here: Place, name: str, *expected: str) -> None:
    here.call("pin", name, "--again", *(word for one in expected for word in ("--expect", one)))


def test_pin_and_regress(here: Place, prod: Production) -> None:
    nothing = here.call("regress", check=False)
    assert (nothing.returncode, "envclone pin" in nothing.stderr) == (2, True)
    said = here.fresh.call(
        "pin", "1234", "--expect", "search:top-3=3,9", "--expect", "search:contains=refunds take 3 days"
    )
    assert "next: envclone regress 1234" in said.stdout
    here.call("pin", "known", "--expect", "reproduces")
    for name in ("1234", "known"):
        for file in (here.directory / "cases" / name).iterdir():
            assert "uux" not in file.read_text().lower(), "what is committed holds nobody"
    assert {one["case"]: one["flaw"] for one in here.fresh.json("cases")} == {"1234": "", "known": ""}

    found = json.loads(here.call("regress", "--json", "--junit", "report.xml", check=False).stdout)
    by_name = {one["case"]: one for one in found["cases"]}
    assert (by_name["1234"]["status"], by_name["1234"]["passed"]) == ("still failing", False)
    assert by_name["1234"]["reasons"] == ["search: of the first 3, 9 is not among them"]
    assert (by_name["known"]["status"], by_name["known"]["passed"]) == ("still failing", True)
    assert by_name["known"]["holds"] == {
        "bundle": "as pinned", "image": "as pinned", "key": "as pinned", "engine": "as pinned",
        "schema": "as pinned: there is no newer image to compare with",
    }  # fmt: skip
    suite = ET.fromstring((here.directory / "report.xml").read_text()).find("testsuite")
    assert suite is not None and (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert here.call("regress", check=False).returncode == 5
    assert here.call("regress", "known").returncode == 0
    assert here.json("ls") == [] and not [one for one in here.leftovers() if one.startswith("branches")]

    _pinned(here, "1234", "search:ids=3,4,5", "search:regex=refunds take \\d+ days", "judge=hooks/judge.py:short",
            "seconds=60", "{kind: rows, step: search, rows: [[3, refunds take 3 days], [4, refunds take 4 days], "
            "[5, refunds take 5 days]]}")  # fmt: skip
    assert here.fresh.json("regress", "1234", "--repeat", "3")["cases"][0]["runs"] == {"fixed": 3}
    assert here.json("regress", "1234", "--set", "work_mem=2MB")["cases"][0]["status"] == "fixed"
    cannot = here.call("regress", "1234", "--set", "role=postgres", check=False)
    assert (cannot.returncode, "cannot be set" in cannot.stderr) == (2, True)


def test_an_expectation_that_names_somebody_is_not_written_down(here: Place) -> None:
    before = (here.directory / "cases" / "1234" / "case.yaml").read_text()
    for wrong in ("contains=Zoë Quuxington3", "{kind: rows, rows: [[3, zoe.quux3@corp.example]]}"):
        done = here.call("pin", "1234", "--again", "--expect", wrong, check=False)
        assert done.returncode == 4 and "name somebody" in done.stderr, done.stderr
        assert "Quux" not in done.stderr
    assert here.call("pin", "1234", "--again", "--expect", "none:ids=1", check=False).returncode == 2
    assert (here.directory / "cases" / "1234" / "case.yaml").read_text() == before


def test_every_file_of_a_case_is_whole(here: Place, tmp_path: Path) -> None:
    _pinned(here, "1234", "search:ids=3,4,5")
    kept = files.load(here.directory / "cases", "1234")
    files.save(tmp_path, kept.case, kept.bundle)
    assert files.load(tmp_path, "1234").case == kept.case and files.load(tmp_path, "1234").bundle == kept.bundle
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1234"]


PLUGGED = """\
import psycopg
import pytest

pytestmark = pytest.mark.envclone(incident="1234", isolation="reset")

def test_writes(envclone_branch):
    with psycopg.connect(envclone_branch.dsn) as conn:
        conn.execute("DELETE FROM chunks")

def test_is_put_back_and_replayed(envclone_branch, envclone_incident):
    with psycopg.connect(envclone_branch.dsn) as conn:
        assert conn.execute("SELECT count(*) FROM chunks").fetchone() == (20,)
    envclone_incident.assert_fixed()
    assert envclone_incident.ids("search") == [3, 4, 5]
"""


def test_the_pytest_plugin(here: Place) -> None:
    tests = here.directory / "tests"
    tests.mkdir()
    (tests / "test_it.py").write_text(PLUGGED)
    plugged = ("-p", "no:envclone", "-p", "envclone.testing.plugin", "-p", "no:cacheprovider", "--strict-markers")
    done = process.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugged, "--envclone-file", here.file, tests],
        env={"PYTHONPATH": str(ROOT), **here.env}, cwd=tests, check=False,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert here.json("ls") == []


def test_a_field_without_a_rule_fails_the_check(here: Place, prod: Production) -> None:
    before = here.leftovers()
    assert here.call("scan", "prod", "--check").stdout == "every field has a rule\n"
    prod.execute("CREATE TABLE visits (who text)", "app")
    try:
        done = here.call("scan", "prod", "--check", check=False)
        assert (done.returncode, "public.visits.who" in done.stderr) == (4, True)
    finally:
        prod.execute("DROP TABLE visits", "app")
    away = here.call("scan", "prod", "--check", check=False, env={"DSN": "host=127.0.0.1 port=1"})
    assert away.returncode == 7
    assert here.leftovers() == before, "nothing is copied"
    assert here.call("scan", "prod", "--check", "--write", check=False).returncode == 2


def test_another_pool_imports_a_case_and_finds_the_same(here: Place) -> None:
    other = ("--pool", str(here.directory / "pool2"))
    gone = here.call(*other, "regress", "1234", check=False)
    assert gone.returncode == 6 and "is not in this pool" in gone.stdout
    fingerprint = here.fresh.json("case", "fingerprint")["fingerprint"]
    said = here.call("case", "export", "1234", "1234.case").stdout
    assert f"there: envclone case import 1234.case --trust {fingerprint}" in said
    with (here.directory / "1234.case").open("rb") as file:
        assert b"uux" not in file.read().lower()
    stranger = here.call(*other, "case", "import", "1234.case", check=False)
    assert (stranger.returncode, fingerprint in stranger.stderr) == (4, True)
    taken = here.call(*other, "case", "import", "1234.case", "--trust", fingerprint).stdout
    assert "next: envclone regress 1234" in taken
    (found,) = json.loads(here.call(*other, "regress", "1234", "--json").stdout)["cases"]
    assert found["status"] == "fixed"
    assert {found["holds"][what] for what in ("bundle", "image", "engine")} == {"as pinned"}
    assert found["holds"]["key"].endswith("the pool's own is not at hand"), "it takes no key"


def test_a_case_that_was_changed_or_has_no_image_cannot_run(here: Place) -> None:
    here.call("incident", "new", "late", "--sql", "SELECT 1 AS one", "--role", "app")
    here.call("incident", "record", str(here.directory / "incidents" / "late.yaml"))
    here.call("pin", "late", "--expect", "contains=1")
    bundle = here.directory / "cases" / "late" / "bundle.json"
    kept = bundle.read_text()
    bundle.write_text(kept.replace("SELECT 1", "SELECT 2"))
    changed = here.call("regress", "late", check=False)
    assert changed.returncode == 6 and "was changed since" in changed.stdout
    assert "bundle: changed since" in changed.stdout
    bundle.write_text(kept)
    assert here.call("regress", "late").returncode == 0
    case = here.directory / "cases" / "late" / "case.yaml"
    data = yaml.safe_load(case.read_text())
    data["pinned"]["image"] = "img-000000000000"
    case.write_text(yaml.safe_dump(data))
    gone = here.call("regress", "late", check=False)
    assert gone.returncode == 6 and "image img-000000000000 is not in this pool" in gone.stdout
    case.write_text("version: 1\nfixed: [{kind: ids}]\n")
    damaged = here.call("regress", "late", check=False)
    assert damaged.returncode == 6 and "pinned: Field required" in damaged.stdout
    assert here.fresh.call("unpin", "late").returncode == 0


def test_what_no_longer_holds_is_said(here: Place, prod: Production) -> None:
    _pinned(here, "1234", "search:ids=3,4,5")
    pinned = files.load(here.directory / "cases", "1234").case.pinned
    prod.execute("ALTER TABLE people ADD born text; ALTER TABLE chunks RENAME body TO words", "app")
    here.write(STACK.replace("public.people.*: keep", "public.people.*: keep\n      public.people.born: date"))
    other = {"ENVCLONE_MASKING_KEY": "7" * 64}

    # on production as it is now, the raw bundle is masked again with the key of now
    newest = json.loads(here.call("regress", "1234", "--fresh", "--json", env=other, check=False).stdout)["cases"][0]
    fresh = newest["image"]
    assert newest["status"] == "broken" and any("42703" in reason for reason in newest["reasons"]), newest
    assert fresh != pinned.image and fresh in [one["id"] for one in here.json("images")]
    assert here.json("ls") == []

    # a new schema and a new key do not touch a case on its own image
    text = (here.directory / "cases" / "1234" / "case.yaml").read_text()
    (version,) = {one["engine"] for one in pinned.engines.values()}
    (here.directory / "cases" / "1234" / "case.yaml").write_text(text.replace(f"engine: '{version}'", "engine: '18.1'"))
    done = json.loads(here.call("regress", "1234", "--json", env=other).stdout)["cases"][0]
    assert (done["status"], done["image"]) == ("fixed", pinned.image)
    assert done["holds"]["bundle"] == done["holds"]["image"] == "as pinned"
    assert done["holds"]["key"].startswith("another now (k") and pinned.key in done["holds"]["key"]
    assert done["holds"]["schema"] == (
        f"other fields in {fresh}: gone main.public.chunks.body; new main.public.chunks.words, main.public.people.born"
    )
    assert done["holds"]["engine"] == f"main: engine 18.1 when it was pinned, {version} here"

    # without the raw bundle it cannot run there, and says which key it lacks
    raw = here.directory / "incidents" / "1234.yaml"
    raw.rename(raw.with_suffix(".away"))
    for masked in (here.pool / "incidents").iterdir():
        masked.unlink()
    cannot = here.call("regress", "1234", "--against", fresh, env=other, check=False)
    assert cannot.returncode == 6 and f"masked with the key {pinned.key}" in cannot.stdout
    assert here.call("regress", "1234", env=other).returncode == 0, "its own image needs no raw bundle"
    raw.with_suffix(".away").rename(raw)


def test_gc_keeps_the_image_of_a_case_and_no_other(here: Place) -> None:
    pinned = files.load(here.directory / "cases", "1234").case.pinned.image
    collected = [one["name"] for one in here.fresh.json("gc")]
    assert pinned not in collected and pinned in [one["id"] for one in here.json("images")]
    here.call("unpin", "1234", "known")
    assert not (here.directory / "cases" / "1234").exists() and here.json("cases") == []
    assert pinned in [one["name"] for one in here.json("gc")]
