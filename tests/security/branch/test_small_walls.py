"""The small walls of a branch: no true times, a limit of processes, and a reset that takes nobody else's image."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from envclone.config.services import ServiceConfig
from envclone.models import Branch, BranchState, Container, Endpoint, Preview, StoreSnapshot
from envclone.profiles.profile import Profile
from envclone.runtimes.docker import compose
from tests.support.postgres import production
from tests.support.stack import Place, place

STACK = """\
version: 1
project: acme
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${PROD_DSN}", database: app}}
sanitize:
  rules:
    main:
      public.people.name: person
      public.people.*: keep
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    """A production that tracks when its transactions ended, and a branch of it."""
    with production(18, {"track_commit_timestamp": "on"}) as server, place() as made:
        server.create_database("app")
        server.execute("CREATE TABLE people (id int PRIMARY KEY, name text)", "app")
        for number in range(5):
            server.execute(f"INSERT INTO people VALUES ({number}, 'Jane Doe')", "app")
        known = server.execute("SELECT count(pg_xact_commit_timestamp(xmin)) FROM people", "app")
        assert known == [(5,)], "production knows"
        made.env["PROD_DSN"] = server.dsn_for("app")
        made.write(STACK)
        made.call("branch", "prod", "--name", "b")
        try:
            yield made
        finally:
            made.call("rm", "--force", "b", check=False)


def _url(here: Place) -> str:
    return str(here.json("show", "b")["urls"]["main"])


def test_a_branch_has_no_time_of_production_s_transactions(here: Place) -> None:
    (image,) = (here.pool / "images").iterdir()
    assert list((image / "main" / "data" / "pg_commit_ts").iterdir()) == []
    with psycopg.connect(_url(here), autocommit=True) as conn:
        setting = conn.execute("SELECT current_setting('track_commit_timestamp')").fetchone()
        assert setting == ("on",), "as in production"
        times = conn.execute("SELECT pg_xact_commit_timestamp(xmin) FROM public.people").fetchall()
        assert times == [(None,)] * 5
        conn.execute("INSERT INTO public.people VALUES (99, 'new')")
        own = conn.execute("SELECT pg_xact_commit_timestamp(xmin) FROM public.people WHERE id = 99").fetchone()
        assert own is not None and own[0] is not None


def test_reset_takes_only_the_image_that_the_branch_was_made_from(here: Place) -> None:
    with psycopg.connect(_url(here), autocommit=True) as conn:
        conn.execute("INSERT INTO public.people VALUES (100, 'mine')")
    (image,) = (here.pool / "images").iterdir()
    aside = image.with_name("aside")
    before = _record(here)

    def refused(said: str) -> None:
        done = here.call("reset", "b", check=False)
        assert done.returncode == 4 and said in done.stderr, done.stderr
        assert _record(here) == before
        with psycopg.connect(_url(here)) as conn:
            kept = conn.execute("SELECT count(*) FROM public.people WHERE id = 100").fetchone()
            assert kept == (1,), "nothing was destroyed"

    image.rename(aside)
    try:
        refused("is gone")
    finally:
        aside.rename(image)
    here.call("image", "prod", "--again")
    (other,) = (one for one in image.parent.iterdir() if one != image)
    image.rename(aside)
    other.rename(image)  # another image under the same id
    try:
        refused("")
    finally:
        image.rename(other)
        aside.rename(image)
    here.call("reset", "b")
    with psycopg.connect(_url(here)) as conn:
        assert conn.execute("SELECT count(*) FROM public.people WHERE id = 100").fetchone() == (0,)


def _record(here: Place) -> object:
    found = json.loads((here.pool / "branches" / "b" / "branch.json").read_text())
    found.pop("expires_at", None)  # using it makes it live longer
    return found


@pytest.mark.parametrize("profile", [None, Profile.model_validate({"cpus": 1}), Profile.model_validate({"pids": 77})])
def test_every_container_has_a_limit_of_processes(tmp_path: Path, profile: Profile | None) -> None:
    now = dt.datetime.now(dt.UTC)
    store = StoreSnapshot("main", "postgres", "physical", "18.4", now, 0, 0, 0)
    main = Container(command=("postgres",), user="999:999", endpoint=Endpoint(store="main", kind="postgres"), mounts=())
    text = compose.render(
        Branch("b", "prod", "img-1", BranchState.CREATING, now, None, {"main": store}),
        tmp_path,
        {"main": main},
        Preview(stores=("main",), services={"api": ServiceConfig(image="a")}),
        {"sandbox": "s", "main": "m", "api": "a"},
        {} if profile is None else {"api": profile, "main": profile},
        pool=tmp_path,
        account="999:999",
        parts=compose.template(None),
    )
    limits = {name: one["pids_limit"] for name, one in yaml.safe_load(text)["services"].items()}
    wanted = 77 if profile is not None and profile.pids else 4096
    assert limits == {"sandbox": 64, "main": wanted, "api": wanted}
