"""Volumes of a running PostgreSQL that are copied by somebody else: inside a fence, at one moment, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from envclone.config.schema import MountedConfig, SourceConfig, StoreConfig
from envclone.errors import ConfigError, UnsafeError
from envclone.models import Fenced
from envclone.stores.postgres.snapshot.directory import snapshot_directory
from envclone.stores.postgres.snapshot.fence import fenced
from envclone.stores.postgres.store import PostgresStore
from tests.support.postgres import Production, production, scratch

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Volumes:
    """The data and the log of a server, as two volumes' snapshots hold them, and what the server said."""

    server: Production
    place: Path
    said: Fenced

    def source(self, **mounted: str) -> StoreConfig:
        """The store as the Job has it."""
        source = SourceConfig(method="directory", path=self.place / "data", database="app",
                              mounted=MountedConfig(**mounted))  # fmt: skip
        return StoreConfig(kind="postgres", source=source)


@pytest.fixture(scope="module")
def volumes() -> Iterator[Volumes]:
    with production(18) as server, scratch() as place:
        server.create_database("app")
        server.execute("CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)", "app")
        config = StoreConfig(kind="postgres", source=SourceConfig(method="physical", dsn=server.dsn_for("app")))  # type: ignore[arg-type]
        with fenced(config) as fence:
            ignored = shutil.ignore_patterns("pg_wal", ".s.PGSQL*", "postmaster.*")
            shutil.copytree(server.data, place / "data", symlinks=True, ignore=ignored)
            server.execute("INSERT INTO t SELECT generate_series(1001, 2000); CHECKPOINT", "app")  # the data moves on
            said = fence.end()
        shutil.copytree(server.data / "pg_wal", place / "wal")
        (place / "data" / "pg_wal").symlink_to(place / "wal")
        owner = server.data.stat()
        for path in [place / "data", place / "wal", *(place / "data").rglob("*"), *(place / "wal").rglob("*")]:
            if not path.is_symlink():
                shutil.chown(path, owner.st_uid, owner.st_gid)
        yield Volumes(server, place, said)


def _taken(volumes: Volumes, **mounted: str) -> tuple[Path, str]:
    into = volumes.place / "into"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    made = snapshot_directory("main", volumes.source(**mounted), into, lambda event: None)
    assert not list((into / "data").glob("backup_label*"))
    with PostgresStore().open(into, made, log=volumes.place / "log") as session:
        (values,) = [values for _, values in session.read({"public.t.n"})]
        return into, f"{len(values)} {max(map(int, values))}"


def test_volumes_of_two_moments_recover_from_the_label_to_the_end_of_the_fence(volumes: Volumes) -> None:
    said = volumes.said
    _, rows = _taken(volumes, label=said.label, system=said.system, since=said.since)
    assert rows == "2000 2000"


def test_without_the_label_they_are_refused(volumes: Volumes) -> None:
    with pytest.raises(UnsafeError, match="not taken at one moment"):
        _taken(volumes)


def test_another_server_s_volume_and_an_older_one_are_refused(volumes: Volumes) -> None:
    label = volumes.said.label
    with pytest.raises(UnsafeError, match="system identifiers differ"):
        _taken(volumes, label=label, system="1")
    with pytest.raises(UnsafeError, match="older than its beginning"):
        _taken(volumes, label=label, since="FF/FF000000")


def test_a_standby_s_volume_is_refused(volumes: Volumes) -> None:
    mark = volumes.place / "data" / "standby.signal"
    mark.touch()
    try:
        with pytest.raises(UnsafeError, match="a standby's") as caught:
            _taken(volumes, moment="m")
        assert caught.value.hint == "take the primary's volumes"
    finally:
        mark.unlink()


def test_a_role_that_may_not_begin_a_backup_is_told_the_grant(volumes: Volumes) -> None:
    volumes.server.execute("CREATE ROLE reader LOGIN PASSWORD 'x'")
    dsn = volumes.server.dsn_for("app", "reader", "x")
    config = StoreConfig(kind="postgres", source=SourceConfig(method="physical", dsn=dsn))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="may not begin a backup") as caught, fenced(config):
        pass
    assert caught.value.hint and "needs EXECUTE on pg_backup_start" in caught.value.hint
    volumes.server.execute(
        "GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO reader", "app"
    )
    with fenced(config) as fence:
        assert "START WAL LOCATION" in fence.end().label
