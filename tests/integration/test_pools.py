"""The same life of a branch on every kind of pool: XFS with reflink, btrfs, and a file system that shares nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from envclone import process
from tests.support.postgres import production, scratch
from tests.support.stack import Place, place

STACK = """\
version: 1
project: pools
pool: {path: "{pool}", driver: @DRIVER@}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules:
    main: {public.people.name: person, public.people.id: keep, public.bulk.*: keep}
"""


@contextmanager
def _btrfs() -> Iterator[Place]:
    with scratch() as directory:
        image, pool = directory / "btrfs.img", directory / "pool"
        with image.open("wb") as file:
            os.truncate(file.fileno(), 2 * 2**30)
        process.run(["mkfs.btrfs", "-q", image])
        pool.mkdir()
        process.run(["mount", "-o", "loop", image, pool])
        try:
            yield Place(directory, pool)
        finally:
            process.run(["umount", pool])


@contextmanager
def _plain() -> Iterator[Place]:
    with scratch() as directory:
        yield Place(directory, directory / "pool")


POOLS = {"reflink": place, "btrfs": _btrfs, "copy": _plain}


@pytest.mark.root
@pytest.mark.parametrize("driver", POOLS)
def test_a_branch_s_life(driver: str) -> None:
    with production(18) as server, POOLS[driver]() as here:
        server.create_database("app")
        server.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text);"
            "INSERT INTO people SELECT i, 'Jane Doe' FROM generate_series(1, 500) i;"
            "CREATE TABLE bulk (data bytea); ALTER TABLE bulk ALTER data SET STORAGE EXTERNAL;"
            "INSERT INTO bulk SELECT decode(repeat(md5(i::text), 60000), 'hex') FROM generate_series(1, 20) i",
            "app",
        )
        here.env["DSN"] = server.dsn_for("app")
        here.write(STACK.replace("@DRIVER@", driver))
        one = here.json("branch", "prod", "--name", "one")
        two = here.json("branch", "prod", "--name", "two")
        assert (one["driver"], two["image"]) == (driver, one["image"])
        with psycopg.connect(one["urls"]["main"]) as conn:
            conn.execute("DELETE FROM people")
        with psycopg.connect(two["urls"]["main"]) as conn:
            assert conn.execute("SELECT count(*) FROM people").fetchone() == (500,)
        shown = here.json("show", "two")
        assert shown["bytes"] > 30 * 2**20
        assert (shown["own_bytes"] < 5 * 2**20) == (driver != "copy")
        said = here.call("branch", "prod", "--name", "three").stderr
        assert ("full copy" in said) == (driver == "copy")
        here.call("reset", "one")
        here.call("rm", "one", "two", "three")
        assert [path for path in here.leftovers() if path.split("/")[0] not in ("raw", "images")] == []
        assert Path(here.pool / "images" / one["image"]).is_dir()
