"""`envclone profile` against a running server and a compose file, as a user types it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
import yaml

from envclone.profiles.machine import here as machine
from tests.support.postgres import Production, production
from tests.support.stack import Place, place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: profiles
pool: {path: "{pool}"}
environments:
  prod:
    runtime: local
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}, profile: big-postgres}
    services:
      api: {image: acme/api}
sanitize: {rules: {main: {}}}
"""
COMPOSE = """\
services:
  main: {image: "postgres:18", cpus: 1, mem_limit: 256m}
  api: {image: "acme/api", cpus: 0.5, mem_limit: 128m}
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18, {"work_mem": "13MB", "random_page_cost": "1.1"}) as server:
        server.create_database("app")
        yield server


@pytest.fixture
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        made.write(STACK)
        (made.directory / "compose.yaml").write_text(COMPOSE)
        yield made


def test_captured_from_the_server_and_a_compose_file(here: Place, prod: Production) -> None:
    said = here.fresh.call("profile", "capture", "prod", "--from", str(here.directory / "compose.yaml")).stdout
    assert "big-postgres.yaml" in said and "prod-api.yaml" in said and "256MiB" in said
    profiles = here.file.parent / "profiles"
    written = yaml.safe_load((profiles / "big-postgres.yaml").read_text())
    assert written["settings"]["work_mem"] == "13MB" and written["settings"]["random_page_cost"] == "1.1"
    assert written["memory"] == "256MiB" and written["version"] == prod.engine.version
    assert written["sources"] == ["compose", "the running postgres"]
    assert prod.password not in (profiles / "big-postgres.yaml").read_text()
    assert yaml.safe_load((profiles / "prod-api.yaml").read_text())["cpus"] == 0.5
    again = here.call("profile", "capture", "prod", "--only", "main", check=False)
    assert again.returncode == 2 and "there already" in again.stderr
    (fresh,) = here.json("profile", "capture", "prod", "--only", "main", "--force")
    assert fresh["name"] == "big-postgres" and "memory" not in fresh["profile"]
    checked = here.json("profile", "check", "prod")
    assert checked["missing"] == [] and checked["host"]["cpus"] == machine()["cpus"]


def test_nothing_is_written_when_something_is_wrong(here: Place) -> None:
    bare = here.call("profile", "capture", "prod", "--offline", check=False)
    assert bare.returncode == 3 and "nothing says what main may use" in bare.stderr
    inspected = here.directory / "inspect.json"
    inspected.write_text(json.dumps([{"HostConfig": {"Memory": 1}, "Config": {}}]))
    vague = here.call("profile", "capture", "prod", "--from", str(inspected), check=False)
    assert vague.returncode == 3 and "--only" in vague.stderr
    both = ("--from", str(inspected), "--from", str(here.directory / "compose.yaml"))
    torn = here.call("profile", "capture", "prod", "--only", "main", *both, check=False)
    assert torn.returncode == 3 and "memory: compose says 268435456, docker inspect says 1" in torn.stderr
    assert here.call("profile", "capture", "prod", "--only", "nobody", check=False).returncode == 2
    assert not (here.file.parent / "profiles").exists()


def test_a_host_that_is_too_small(here: Place) -> None:
    folder = here.file.parent / "profiles"
    folder.mkdir()
    (folder / "big-postgres.yaml").write_text("memory: 900T\ncpus: 0.5\n")
    done = here.call("profile", "check", "prod", check=False)
    assert done.returncode == 6 and "900TiB are asked for" in done.stderr and "MiB" in done.stderr
    (folder / "big-postgres.yaml").write_text("memory: plenty\nspeed: 3\n")
    done = here.call("profile", "check", "prod", check=False)
    assert done.returncode == 3 and done.stderr.count("big-postgres.yaml: ") == 2


def test_parity_says_what_matches_differs_and_is_not_known(here: Place, prod: Production) -> None:
    here.call("profile", "capture", "prod", "--only", "main", "--from", str(here.directory / "compose.yaml"))
    here.call("branch", "prod", "--name", "b", "--allow-degraded")
    rows = {(row["store"], row["what"]): row for row in here.fresh.json("parity", "b")["rows"]}
    assert rows["main", "server version"]["parity"] == "match"
    assert rows["main", "setting work_mem"] == {
        "store": "main", "what": "setting work_mem", "production": "13MB", "branch": "13MB", "parity": "match",
    }  # fmt: skip
    assert rows["main", "extension plpgsql"]["parity"] == "match"
    assert rows["main", "memory"]["production"] == "256MiB"
    assert rows["main", "kernel"]["parity"] == "unknown"
    assert rows["main", "image"]["parity"] == "unknown"
    said = here.call("parity", "b").stdout
    assert "setting work_mem" not in said and "kernel" in said and "match" in said
    assert "setting work_mem" in here.call("parity", "b", "--all").stdout
    here.call("stop", "b")
    stopped = here.call("parity", "b", check=False)
    assert stopped.returncode == 4 and "envclone start b" in stopped.stderr
    here.call("rm", "b")


def test_a_setting_that_differs_is_shown(here: Place) -> None:
    folder = here.file.parent / "profiles"
    folder.mkdir()
    (folder / "big-postgres.yaml").write_text("{settings: {work_mem: 13MB, jit: 'on'}, host: {architecture: vax}}\n")
    refused = here.call("branch", "prod", "--name", "b", check=False)
    assert refused.returncode == 6 and "runs on vax" in refused.stderr
    here.call("branch", "prod", "--name", "b", "--allow-degraded")
    with psycopg.connect(here.json("show", "b")["urls"]["main"], autocommit=True) as conn:
        conn.execute("ALTER ROLE CURRENT_USER SET work_mem = '1MB'")
    rows = {row["what"]: row for row in here.json("parity", "b")["rows"]}
    assert (rows["setting work_mem"]["branch"], rows["setting work_mem"]["parity"]) == ("1MB", "differs")
    assert rows["architecture"]["parity"] == "differs"
    assert "degraded: architecture" in here.call("parity", "b").stdout
    here.call("rm", "b")
