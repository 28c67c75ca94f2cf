"""Raw snapshots of real servers: running under load, stopped, and those that cannot be taken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone import wait
from envclone.accounts import hand_over, service_account
from envclone.errors import BusyError, ConfigError, EnvcloneError, ResourceError, UnreachableError, UnsafeError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.stores.postgres.server import control, server, settings
from envclone.stores.postgres.server.engine import for_snapshot
from envclone.stores.postgres.snapshot import directory
from envclone.stores.postgres.snapshot.source import snapshot_physical
from tests.support.ports import unused_port
from tests.support.postgres import PASSWORD, Production, production, scratch


def silent(event: ProgressEvent) -> None:
    """Tells nobody."""


def started(place: Path, snapshot: StoreSnapshot) -> server.Running:
    """What a session does with a clone: configure, recover, start in private."""
    hand_over(place, service_account())
    engine = for_snapshot(snapshot)
    settings.write_configuration(place / "data", engine, snapshot.details["settings"], snapshot.details["overrides"])
    return server.start(engine, place / "data", socket_dir=server.socket_dir_for(place / "data"), log=place / "log")


def rows(running: server.Running, database: str, sql: str, user: str = "postgres") -> list[tuple[Any, ...]]:
    with server.connect(running, database, user, search_path="public") as conn:
        return conn.execute(sql.encode()).fetchall()


# --- physical -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [16, 18])
def test_snapshot_under_write_load_comes_up_consistent(place: Path, store_config: Any, major: int) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)
    seen: list[ProgressEvent] = []
    with production(major, {"max_wal_size": "64MB", "checkpoint_timeout": "30s"}) as prod:
        prod.create_database("bank")
        prod.execute("CREATE EXTENSION vector", "bank")
        pgbench = [str(prod.engine.program("pgbench"))]
        env = {"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"]}
        where = ["-h", "127.0.0.1", "-p", str(prod.port), "-U", "postgres", "bank"]
        subprocess.run([*pgbench, "-i", "-q", "-s", "5", *where], env=env, check=True, capture_output=True)
        load = subprocess.Popen(
            [*pgbench, "-n", "-c", "4", "-T", "60", *where],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while prod.execute("SELECT count(*) FROM pgbench_history", "bank")[0][0] < 200:
                time.sleep(0.05)
            before = prod.execute(
                "SELECT count(*), pg_current_wal_lsn()::text, clock_timestamp() FROM pgbench_history", "bank"
            )[0]
            snapshot = snapshot_physical(
                "main", store_config(method="physical", dsn=prod.dsn_for("bank")), into, seen.append
            )
            after = prod.execute("SELECT count(*), clock_timestamp() FROM pgbench_history", "bank")[0]
            assert load.poll() is None, "the load ended before the snapshot did"
        finally:
            load.terminate()
            load.wait()
        system = prod.execute("SELECT system_identifier::text FROM pg_control_system()")[0][0]
    assert after[0] > before[0] + 10
    assert before[2] <= snapshot.consistent_at <= after[1]
    assert snapshot.position == snapshot.details["wal"]["end"] > before[1]
    assert snapshot.details["database"] == "bank" and snapshot.details["superuser"] == "postgres"
    assert snapshot.details["extensions"].keys() == {"plpgsql", "vector"}
    assert snapshot.details["system_identifier"] == system
    assert snapshot.engine_version == prod.engine.version
    assert snapshot.bytes > 50_000_000 and snapshot.files > 900
    assert PASSWORD not in json.dumps(snapshot.details)
    copied = [event for event in seen if event.unit == "bytes"]
    assert copied and copied[-1].done == copied[-1].total
    assert (into / "data").stat().st_mode & 0o777 == 0o700
    place.joinpath("log").touch()
    running = started(into, snapshot)
    try:
        with server.connect(running, "bank", "postgres", search_path="public") as conn:
            sums = [
                conn.execute(sql).fetchone()
                for sql in (
                    "SELECT sum(abalance) FROM pgbench_accounts",
                    "SELECT sum(tbalance) FROM pgbench_tellers",
                    "SELECT sum(bbalance) FROM pgbench_branches",
                    "SELECT sum(delta) FROM pgbench_history",
                )
            ]
            count = conn.execute("SELECT count(*) FROM pgbench_history").fetchone()
            assert count is not None and before[0] <= count[0] <= after[0]
            assert len(set(sums)) == 1, sums
    finally:
        server.stop(into / "data")


def test_tablespaces_come_along_with_relative_links(place: Path, store_config: Any) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)
    with production(18) as prod, scratch() as elsewhere:
        space = elsewhere / "a=b"
        space.mkdir(mode=0o700)
        hand_over(space, service_account())
        prod.execute(f"CREATE TABLESPACE side LOCATION '{space}'")
        prod.execute("CREATE TABLE apart TABLESPACE side AS SELECT generate_series(1, 500) AS id")
        snapshot = snapshot_physical("main", store_config(method="physical", dsn=prod.dsn), into, silent)
        prod.execute("DROP TABLE apart")
    (link,) = (into / "data" / "pg_tblspc").iterdir()
    assert not Path(os.readlink(link)).is_absolute()
    moved = place / "moved"  # a clone elsewhere needs no new links
    into.rename(moved)
    running = started(moved, snapshot)
    try:
        assert rows(running, "postgres", "SELECT count(*) FROM apart") == [(500,)]
    finally:
        server.stop(moved / "data")


def test_a_superuser_of_another_name_and_the_settings_are_recorded(place: Path, store_config: Any) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)
    conf = {
        "work_mem": "7MB", "hnsw.ef_search": "77", "app.jwt_secret": "topsecret", "archive_mode": "on",
        "archive_command": "scp %p secret@host:", "log_statement": "all", "synchronous_standby_names": "",
        "primary_conninfo": "host=x password=topsecret", "cluster_name": "prod-1",
    }  # fmt: skip
    with production(18, conf, superuser="Big Boss") as prod:
        prod.create_database("app")
        config = store_config({"max_connections": "33"}, method="physical", dsn=prod.dsn, database="app")
        snapshot = snapshot_physical("main", config, into, silent)
        assert snapshot.details["database"] == "app" and snapshot.details["superuser"] == "Big Boss"
        text = json.dumps(snapshot.details)
        assert "topsecret" not in text and "secret@host" not in text
    changes = {
        change.name: change
        for change in settings.write_configuration(
            into / "data", prod.engine, snapshot.details["settings"], snapshot.details["overrides"]
        )
    }
    assert changes["archive_mode"].production == "on" and changes["archive_mode"].branch == "off"
    assert changes["archive_command"].production == settings.HIDDEN
    assert changes["app.jwt_secret"].branch is None and changes["log_statement"].branch is None
    assert changes["max_connections"].branch == "33"
    assert "work_mem" not in changes
    running = started(into, snapshot)
    try:
        shown = dict(
            rows(
                running,
                "app",
                "SELECT name, setting FROM pg_settings UNION SELECT 'ef', current_setting('hnsw.ef_search', true)"
                " UNION SELECT 'jwt', current_setting('app.jwt_secret', true)",
                "Big Boss",
            )
        )
    finally:
        server.stop(into / "data")
    assert shown["work_mem"] == "7168" and shown["ef"] == "77" and shown["cluster_name"] == "prod-1"
    assert shown["jwt"] is None
    assert shown["archive_mode"] == "off" and shown["archive_command"] in ("", "(disabled)")
    assert shown["primary_conninfo"] == "" and shown["max_connections"] == "33"
    assert shown["max_logical_replication_workers"] == "0" and shown["log_statement"] == "none"


@pytest.fixture(scope="module")
def plain() -> Iterator[Production]:
    """One server for what must fail before anything is copied."""
    with production(18) as prod:
        prod.execute("CREATE ROLE reader LOGIN PASSWORD 'r'; CREATE ROLE copier LOGIN REPLICATION PASSWORD 'c'")
        prod.execute("CREATE DATABASE app")
        yield prod


def refused(place: Path, config: Any, kind: type[EnvcloneError], match: str) -> EnvcloneError:
    into = place / "into"
    into.mkdir(mode=0o700, exist_ok=True)
    with pytest.raises(kind, match=match) as caught:
        snapshot_physical("main", config, into, silent)
    assert list(into.iterdir()) == []
    assert "\n" not in caught.value.message and caught.value.hint
    assert PASSWORD not in caught.value.message
    return caught.value


def test_a_server_that_is_not_there(place: Path, store_config: Any) -> None:
    port = unused_port()
    dsn = f"postgresql://u:hidden-word@127.0.0.1:{port}/x"
    error = refused(place, store_config(method="physical", dsn=dsn), UnreachableError, "refused")
    assert "hidden-word" not in str(error)
    dsn = "postgresql://u:hidden-word@no-such-host.invalid/x"
    error = refused(place, store_config(method="physical", dsn=dsn), UnreachableError, "no-such-host")
    assert "hidden-word" not in str(error) and "host name" in (error.hint or "")


def test_a_dsn_that_cannot_be_read_is_not_quoted(place: Path, store_config: Any) -> None:
    config = store_config(method="physical", dsn="postgresql://u:hidden word%zz@h/x")
    assert "hidden" not in str(refused(place, config, ConfigError, "DSN"))


def test_a_wrong_password_and_an_unknown_database(place: Path, store_config: Any, plain: Production) -> None:
    dsn = plain.dsn_for("app", password="hidden-word")
    error = refused(place, store_config(method="physical", dsn=dsn), UnreachableError, "password authentication failed")
    assert "hidden-word" not in str(error)
    refused(place, store_config(method="physical", dsn=plain.dsn_for("nope")), UnreachableError, "nope")
    config = store_config(method="physical", dsn=plain.dsn, database="nope")
    refused(place, config, ConfigError, "no database 'nope'; there are: app, postgres")


def test_a_role_without_replication(place: Path, store_config: Any, plain: Production) -> None:
    dsn = plain.dsn_for("app", "reader", "r")
    error = refused(place, store_config(method="physical", dsn=dsn), UnreachableError, "'reader'.*REPLICATION")
    assert error.hint == "ALTER ROLE reader REPLICATION"


def test_a_plain_replication_role_is_enough(place: Path, store_config: Any, plain: Production) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)
    config = store_config(method="physical", dsn=plain.dsn_for("app", "copier", "c"))
    snapshot = snapshot_physical("main", config, into, silent)
    assert snapshot.details["superuser"] == "postgres" and snapshot.position
    assert any("pg_read_all_settings" in warning for warning in snapshot.details["warnings"])
    shown = {item["name"] for item in snapshot.details["settings"]}
    assert "shared_buffers" in shown


def test_a_server_that_gives_no_base_backups(place: Path, store_config: Any) -> None:
    with production(18, {"wal_level": "minimal", "max_wal_senders": "0"}) as prod:
        refused(place, store_config(method="physical", dsn=prod.dsn), UnreachableError, "wal_level is minimal")
    with production(18, {"max_wal_senders": "0"}) as prod:
        refused(place, store_config(method="physical", dsn=prod.dsn), UnreachableError, "max_wal_senders is 0")
    with production(18, {"max_wal_senders": "1"}) as prod:
        refused(place, store_config(method="physical", dsn=prod.dsn), BusyError, "needs two")


def test_no_free_replication_slot_is_no_obstacle(place: Path, store_config: Any) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)
    with production(16, {"max_replication_slots": "1"}) as prod:
        prod.execute("SELECT pg_create_physical_replication_slot('taken')")
        assert snapshot_physical("main", store_config(method="physical", dsn=prod.dsn), into, silent).position
    assert list((into / "data" / "pg_replslot").iterdir()) == []


def test_pg_hba_without_a_replication_line(place: Path, store_config: Any) -> None:
    with production(18) as prod:
        hba = prod.data / "pg_hba.conf"
        hba.write_text("".join(line for line in hba.read_text().splitlines(True) if "replication" not in line))
        loaded = prod.execute("SELECT pg_conf_load_time()")
        prod.execute("SELECT pg_reload_conf()")
        wait.until(
            lambda: True if prod.execute("SELECT pg_conf_load_time()") != loaded else None,
            what="the server did not read its files again",
            timeout=30,
        )
        error = refused(place, store_config(method="physical", dsn=prod.dsn), UnreachableError, "no pg_hba.conf entry")
    assert "host replication" in (error.hint or "")


def test_an_extension_that_is_missing_here(place: Path, store_config: Any) -> None:
    with production(18) as prod:
        prod.execute(  # what CREATE EXTENSION leaves in the catalog of a production that has it
            "INSERT INTO pg_extension SELECT 99999, 'postgis', 10, extnamespace, false, '3.5', NULL, NULL"
            " FROM pg_extension WHERE extname = 'plpgsql'"
        )
        error = refused(place, store_config(method="physical", dsn=prod.dsn), ResourceError, "extension postgis")
    assert "ENVCLONE_PG_BIN_18" in (error.hint or "")


def test_a_full_disk_is_seen_before_anything_is_copied(
    place: Path, store_config: Any, plain: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(place)._replace(free=8 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    error = refused(place, store_config(method="physical", dsn=plain.dsn), ResourceError, "needs .* MB.*8 MB free")
    assert "pool" in (error.hint or "")


def test_an_interrupted_base_backup_leaves_nothing(place: Path, store_config: Any, plain: Production) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)

    def interrupt(event: ProgressEvent) -> None:
        if event.unit == "bytes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snapshot_physical("main", store_config(method="physical", dsn=plain.dsn), into, interrupt)
    assert list(into.iterdir()) == []
    deadline = time.monotonic() + 10
    while plain.execute("SELECT count(*) FROM pg_stat_replication") != [(0,)]:
        assert time.monotonic() < deadline, "pg_basebackup still runs"
        time.sleep(0.05)


# --- directory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [16, 18])
def test_a_stopped_directory_is_copied_and_comes_up(place: Path, store_config: Any, major: int) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)
    with production(major, {"work_mem": "9MB"}, superuser="Big Boss") as prod, scratch() as elsewhere:
        space = elsewhere / "space"
        space.mkdir(mode=0o700)
        hand_over(space, service_account())
        prod.create_database("app")
        prod.execute("CREATE EXTENSION vector; CREATE TABLE t AS SELECT generate_series(1, 100) AS id", "app")
        prod.execute(f"CREATE TABLESPACE side LOCATION '{space}'")
        prod.execute("CREATE TABLE apart TABLESPACE side AS SELECT generate_series(1, 50) AS id", "app")
        prod.execute("VACUUM FULL pg_class", "app")  # a mapped catalog in another file
        prod.execute("ALTER SYSTEM SET maintenance_work_mem = '21MB'")
        prod.stop()
        listing = sorted((path, path.lstat().st_mtime_ns) for path in prod.data.rglob("*"))
        config = store_config(method="directory", path=prod.data)
        snapshot = directory.snapshot_directory("main", config, into, silent)
        assert sorted((path, path.lstat().st_mtime_ns) for path in prod.data.rglob("*")) == listing
        state = control.read(prod.data)
    assert snapshot.details["database"] == "app" and snapshot.details["superuser"] == "Big Boss"
    assert snapshot.details["extensions"].keys() == {"plpgsql", "vector"}
    assert snapshot.consistent_at == state.time
    assert snapshot.position == control.lsn_text(state.checkpoint)
    names = {item["name"]: item["value"] for item in snapshot.details["settings"]}
    assert names["work_mem"] == "9MB" and names["maintenance_work_mem"] == "21MB"
    running = started(into, snapshot)
    try:
        sql = "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM apart), current_setting('maintenance_work_mem')"
        assert rows(running, "app", sql, "Big Boss") == [(100, 50, "21MB")]
    finally:
        server.stop(into / "data")


def test_configuration_in_another_directory_is_read_where_the_stack_file_says_so(
    place: Path, store_config: Any
) -> None:
    """Debian's layout: postgresql.conf and what it includes lie in /etc."""
    with production(18) as prod:
        prod.create_database("app")
        prod.stop()
        etc = place / "etc"
        (etc / "conf.d").mkdir(parents=True)
        (prod.data / "postgresql.conf").rename(etc / "postgresql.conf")
        with (etc / "postgresql.conf").open("a") as file:
            file.write(f"data_directory = '{prod.data}'\ninclude_dir = 'conf.d'\n")
        (etc / "conf.d" / "10-tuning.conf").write_text("work_mem = '7MB'\n")

        def taken(name: str, **source: Any) -> StoreSnapshot:
            into = place / name
            into.mkdir(mode=0o700)
            config = store_config(method="directory", path=prod.data, database="app", **source)
            return directory.snapshot_directory("main", config, into, silent)

        without, told = taken("without"), taken("told", config=etc)
        with pytest.raises(ConfigError, match=r"holds no postgresql\.conf"):
            taken("wrong", config=etc / "conf.d")
    assert [line for line in without.warnings if "source.config names its directory" in line]
    assert not told.warnings
    assert {item["name"]: item["value"] for item in told.details["settings"]}["work_mem"] == "7MB"
    running = started(place / "told", told)
    try:
        assert rows(running, "app", "SELECT current_setting('work_mem')") == [("7MB",)]
    finally:
        server.stop(place / "told" / "data")


@pytest.mark.root
def test_directories_that_may_not_be_copied(place: Path, store_config: Any) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)

    def refused(kind: type[EnvcloneError], match: str, **source: Any) -> None:
        with pytest.raises(kind, match=match) as caught:
            directory.snapshot_directory("main", store_config(method="directory", **source), into, silent)
        assert list(into.iterdir()) == []
        assert caught.value.hint

    refused(ConfigError, "not a directory", path=place / "nowhere")
    refused(UnreachableError, "PG_VERSION", path=place)
    with production(18) as prod:
        refused(BusyError, "runs on", path=prod.data)
        prod.create_database("one")
        prod.create_database("two")
        server.stop(prod.data, "immediate")
        refused(UnsafeError, "not stopped cleanly.*in production", path=prod.data)
        prod.start()
        prod.stop()
        refused(ConfigError, "which database.*one, postgres, two", path=prod.data)
        refused(ConfigError, "no database 'three'", path=prod.data, database="three")
        (prod.data / "postmaster.pid").write_text(f"{os.getpid()}\n{prod.data}\n")  # left by one that is gone
        snapshot = directory.snapshot_directory(
            "main", store_config(method="directory", path=prod.data, database="two"), into, silent
        )
        assert snapshot.details["database"] == "two"
        assert not (into / "data" / "postmaster.pid").exists()


def test_a_writer_during_the_copy_is_noticed(place: Path, store_config: Any) -> None:
    into = place / "into"
    into.mkdir(mode=0o700)
    with production(18) as prod:
        prod.stop()
        once = threading.Event()

        def copier(source: Path, target: Path) -> None:
            if not once.is_set():
                once.set()
                (prod.data / "base" / "1" / "99999").write_bytes(b"late")
            target.write_bytes(source.read_bytes())

        config = store_config(method="directory", path=prod.data)
        with pytest.raises(UnsafeError, match=r"while it was copied.*99999"):
            directory.snapshot_directory("main", config, into, silent, copier)
    assert list(into.iterdir()) == []
