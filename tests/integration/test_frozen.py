"""One snapshot of the file system that two stores lie on, taken while their servers ran: both are of one moment."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envclone import process
from envclone.cow import loop
from envclone.cow.frozen import frozen
from envclone.errors import UnsafeError
from envclone.stores.postgres.server import control, server
from tests.support.postgres import production
from tests.support.qdrant import build
from tests.support.rawlook import asked
from tests.support.stack import place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: frozen
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: directory, path: "@HERE@/data", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "@HERE@/points"}}
sanitize:
  rules:
    main: {public.people.id: keep, public.people.name: person}
    kb: {articles.number: keep, articles.point_ids: keep, articles.vectors: keep}
"""
SQL = """
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people SELECT i, 'Zanzibar Quuxing' || chr(97 + i) FROM generate_series(1, 20) i;
CHECKPOINT;
INSERT INTO people SELECT i, 'Zanzibar Quuxing' || chr(77 + i) FROM generate_series(21, 40) i;
"""


KILLED = """
import os, random, sys, qdrant_edge as q
shard, chance = q.EdgeShard.load(sys.argv[1]), random.Random(1)
for first in range(0, 120, 3):
    vectors = [[chance.gauss(0, 1) for _ in range(16)] for _ in range(9)]
    points = [q.Point(first + n, vector, {"number": first + n}) for n, vector in enumerate(vectors)]
    shard.update(q.UpdateOperation.upsert_points(points))
    if first % 7 == 0:
        shard.update(q.UpdateOperation.delete_points([first + 1]))
os._exit(0)
"""
"""A server that ends with points in its log alone, some of them written several times."""


@contextmanager
def _volume(top: Path) -> Iterator[Path]:
    """A file system of its own, that can be made read-only."""
    volume = top / "volume"
    loop.create(volume, 512 << 20)
    try:
        yield volume
    finally:
        loop.remove(volume, force=True)


def _mounted(volume: Path, how: str) -> None:
    process.run(["mount", "-o", f"remount,{how}", volume])


@pytest.mark.root
def test_a_frozen_volume_is_of_one_moment(tmp_path: Path) -> None:
    with place() as here, _volume(here.directory) as volume:
        with production(18) as prod:
            prod.create_database("app")
            prod.execute(SQL, "app")
            server.stop(prod.data, "immediate")  # what a file system's snapshot holds: nothing was shut down
            shutil.copytree(prod.data, volume / "data", symlinks=True)
            engine = prod.engine
        made = build(volume / "points", points=200, payload=lambda number: {"number": number}, indexed=())
        process.run([sys.executable, "-c", KILLED, made.shard()])
        here.write(STACK.replace("@HERE@", str(volume)))
        assert control.read(volume / "data").state is control.State.IN_PRODUCTION
        with pytest.raises(UnsafeError, match="not stopped cleanly") as refused:
            here.open().snapshot("prod")
        assert "read-only" in (refused.value.hint or "")
        _mounted(volume, "ro")
        try:
            raw = here.open().snapshot("prod")
            assert (raw.consistency, raw.skew_ms, raw.skew_wal) == ("atomic", 0, 0)
            assert asked(here, raw, engine, "app", ["SELECT count(*) FROM public.people"]) == [[(40,)]]
            assert here.json("branch", "prod", "--name", "one")["name"] == "one"
            here.json("rm", "one")
        finally:
            _mounted(volume, "rw")
        shutil.rmtree(volume / "data")
        assert frozen([volume]) is None


@pytest.mark.root
def test_a_read_only_mount_of_a_living_file_system_is_not_frozen(tmp_path: Path) -> None:
    bound = tmp_path / "bound"
    bound.mkdir()
    process.run(["mount", "--bind", tmp_path, bound])
    try:
        process.run(["mount", "-o", "remount,bind,ro", bound])
        with pytest.raises(OSError, match="Read-only"):
            (bound / "file").touch()
        assert frozen([bound]) is None
    finally:
        process.run(["umount", bound])
