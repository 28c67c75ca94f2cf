"""A database's owner shadows every name that envclone uses, and settings of roles and databases lie in wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from envclone.stores.postgres.server import pinned
from envclone.stores.postgres.snapshot.source import open_source
from tests.security.production import hostile
from tests.support.majors import NEWEST_FIRST
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: hostile
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {SOURCE}}
sanitize:
  rules:
    main:
      public.people.name: person
      public.people.email: email
      public.people.*: keep
{RULES}
incidents: incidents/
"""
PHYSICAL = '{method: physical, dsn: "${DSN}", database: shop}'
DECLARED = "      hidden.patients.name: person\n      hidden.patients.*: keep"

BUNDLE = """\
version: 1
incident: "1"
environment: prod
steps:
  - id: who
    kind: sql
    store: main
    role: app
    sql: SELECT id, born FROM public.people ORDER BY id LIMIT 2
    key: id
    expect:
      columns: [id, born]
      origins: [public.people.id, public.people.born]
      rows: [[1, "1980-03-05"], [2, "1980-03-06"]]
      ids: [1, 2]
  - id: path
    kind: sql
    store: main
    role: app
    sql: SELECT pg_catalog.current_setting('search_path') AS path
    expect:
      columns: [path]
      origins: [""]
      rows: [["evil, pg_catalog, public"]]
"""


@pytest.fixture(scope="module", params=NEWEST_FIRST)
def prod(request: pytest.FixtureRequest) -> Iterator[Production]:
    with production(request.param, {"work_mem": "7MB", "search_path": "public, hidden"}) as server:
        hostile.shop(server, "shop")
        yield server


@pytest.fixture(scope="module")
def witness(prod: Production) -> Iterator[Path]:
    """The file that programs of sprung traps write to; the server's account can write it."""
    folder = prod.data.parent / "out"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder / "sprung"


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("shop")
        (made.directory / "incidents").mkdir()
        (made.directory / "incidents" / "1.yaml").write_text(BUNDLE)
        yield made


def write(here: Place, source: str = PHYSICAL, rules: str = DECLARED) -> None:
    here.write(STACK.replace("{SOURCE}", source).replace("{RULES}", rules))


def test_the_traps_spring_for_a_session_that_pins_nothing(prod: Production, witness: Path) -> None:
    assert hostile.arm(prod, "shop", witness) > 300
    with prod.connect("shop") as conn:
        for text in (
            b"SELECT relname FROM pg_catalog.pg_class WHERE relname <> 'x'",
            b"SELECT pg_catalog.count(*) FROM pg_catalog.pg_class WHERE oid = 1",
            b"SELECT 'x'::pg_catalog.text || 'y'::pg_catalog.text",
            b"SELECT format_type(1::pg_catalog.oid, 2)",
            b"SELECT count(*) FROM pg_catalog.pg_class",
            b"SELECT 1 FROM pg_class",
            b"SELECT 'x'::text",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="a trap sprang"):
                conn.execute(text)
    assert "operator <> name postgres" in hostile.sprung(witness)
    witness.unlink()


@pytest.mark.parametrize("superuser", [True, False])
def test_a_dsn_does_not_undo_what_is_pinned(prod: Production, superuser: bool) -> None:
    user, password = ("postgres", prod.password) if superuser else ("watcher", "w")
    if not superuser:
        prod.execute("CREATE ROLE watcher LOGIN REPLICATION PASSWORD 'w'; ALTER ROLE watcher SET search_path = evil")
        prod.execute("ALTER ROLE watcher SET role = 'mallory'; GRANT mallory TO watcher")
    options = "?options=-c%20Search_Path%3Devil%20-c%20role%3Dmallory%20-cmyapp.x%3D1%5C"
    for dsn in (prod.dsn_for("shop", user, password), prod.dsn_for("shop", user, password) + (options * superuser)):
        with open_source(dsn) as conn:
            for setting, value in pinned.production().items():
                if setting not in ("transaction_timeout", "event_triggers", "session_preload_libraries"):
                    (shown,) = conn.execute("SELECT pg_catalog.current_setting(%s)", [setting]).fetchone() or ("",)
                    assert shown == value, setting
            row = conn.execute("SELECT current_user, pg_catalog.current_setting('event_triggers', true)").fetchone()
            assert row == (user, ("off" if superuser else "on") if prod.engine.major >= 17 else None)


def test_no_name_of_the_owner_takes_the_place_of_the_servers(prod: Production, here: Place, witness: Path) -> None:
    write(here, rules="")
    refused = here.call("image", "prod", check=False)
    assert refused.returncode == 4, refused.stderr
    assert "hidden.patients.name" in refused.stderr + refused.stdout
    assert "hidden.patients" in here.call("scan", "prod").stdout
    write(here)
    here.call("image", "prod")
    assert hostile.sprung(witness) == ""


def test_a_branch_keeps_the_path_of_its_steps_and_springs_nothing(prod: Production, here: Place, witness: Path) -> None:
    recorded = here.call("incident", "record", str(here.directory / "incidents" / "1.yaml"), check=False)
    assert recorded.returncode == 4 and "evil" in recorded.stderr, "in that database nothing is sure to only read"
    here.call("branch", "prod", "--incident", "1")
    assert here.json("replay", "1")["reproduced"]
    here.call("parity", "prod-1")
    here.call("rm", "prod-1")
    assert hostile.sprung(witness) == ""


def test_settings_of_roles_and_databases_change_nothing(prod: Production, here: Place, witness: Path) -> None:
    hostile.disturb(prod, "shop")
    with pytest.raises(psycopg.OperationalError, match=r"not_there|timeout"):
        prod.connect("shop")
    image = here.json("image", "prod", "--fresh")
    assert here.call("verify", image["image"] if "image" in image else image["id"]).returncode == 0
    assert hostile.sprung(witness) == ""


def test_the_settings_that_are_pinned_are_captured_as_configured(here: Place) -> None:
    written = [path.read_text() for path in (here.pool / "images").rglob("data/postgresql.conf")]
    assert written
    for text in written:
        assert "search_path = 'public, hidden'" in text and "work_mem = '7168kB'" in text


def test_a_directory_with_that_catalog_is_no_other(prod: Production, here: Place, witness: Path) -> None:
    prod.stop()
    source = f"{{method: directory, path: {prod.data}, database: shop}}"
    write(here, source, rules="")
    refused = here.call("image", "prod", "--fresh", check=False)
    assert refused.returncode == 4 and "hidden.patients.name" in refused.stderr + refused.stdout
    write(here, source)
    here.call("image", "prod")
    assert hostile.sprung(witness) == ""
