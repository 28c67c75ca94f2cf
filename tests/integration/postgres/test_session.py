"""A private session on a clone, from the snapshot of a running server to the next start."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone.config.schema import StoreConfig
from envclone.errors import UnsafeError
from envclone.models import StoreSnapshot
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.rights import logins
from envclone.stores.postgres.server import control, server
from envclone.stores.postgres.store import PostgresStore
from tests.integration.postgres import desk
from tests.support.postgres import production, scratch

pytestmark = pytest.mark.real

SERVERS = """
CREATE ROLE clerk LOGIN PASSWORD 'qpassword00001';
CREATE ROLE fdw_user;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER ledger FOREIGN DATA WRAPPER nothing
    OPTIONS (host 'qhost.internal', port '5432', dbname 'qledger', fetch_size '7', "access_key" 'qsecret00001');
CREATE USER MAPPING FOR clerk SERVER ledger OPTIONS (user 'u', password 'qsecret00002');
CREATE USER MAPPING FOR PUBLIC SERVER ledger OPTIONS (password 'qsecret00003');
CREATE FUNCTION stop_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ddl'; END $$;
CREATE PUBLICATION everything FOR TABLE animals;
CREATE SUBSCRIPTION feed CONNECTION 'host=qhost.internal password=qsecret00004' PUBLICATION p WITH (connect = false);
ALTER ROLE clerk SET session_preload_libraries = '/qlib/evil.so';
ALTER ROLE clerk SET work_mem = '7MB';
CREATE EVENT TRIGGER stop_ddl ON ddl_command_start EXECUTE FUNCTION stop_ddl();
ALTER EVENT TRIGGER stop_ddl ENABLE ALWAYS;
"""
SECRETS = ["qpassword00001", *[f"qsecret0000{i}" for i in range(1, 5)], "qhost.internal", "qledger", "/qlib/evil.so"]


def _quiet(event: Any) -> None:
    """No progress."""


@contextlib.contextmanager
def clone(raw: Path, place: Path) -> Iterator[Path]:
    """A copy of a raw snapshot, removed at the end, whatever runs on it."""
    target = place / "clone"
    shutil.copytree(raw, target, symlinks=True)
    try:
        yield target
    finally:
        server.stop(target / "data", "immediate")
        shutil.rmtree(target)


@pytest.fixture(scope="module", params=[18, 16])
def raw(request: pytest.FixtureRequest) -> Iterator[tuple[Path, StoreSnapshot]]:
    """The snapshot of a running server full of what must not come along."""
    with production(request.param, {"max_prepared_transactions": "5"}) as running, scratch() as place:
        for name in ("shop", "other", "forgotten"):
            running.create_database(name)
        with running.connect("shop") as conn:
            desk.load(conn)
        prepare = "BEGIN; INSERT INTO animals VALUES ('qprepared00001'); PREPARE TRANSACTION 'waiting'"
        running.execute(prepare, "shop")
        running.execute(SERVERS, "shop")
        running.execute("CREATE TABLE t AS SELECT 'qother00001' AS x", "other")
        running.execute("CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false)", "other")
        running.execute("UPDATE pg_database SET datallowconn = false WHERE datname = 'forgotten'")
        running.execute("CREATE TABLE t AS SELECT 'qtemplate00001' AS x", "template1")
        running.execute("CREATE TABLE t AS SELECT 'qpostgres00001' AS x")
        directory = place / "raw"
        directory.mkdir(mode=0o711)
        source = {"method": "physical", "dsn": running.dsn_for("shop")}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        yield directory, PostgresStore().snapshot("main", config, directory, _quiet)


def test_a_clone_is_sanitized_defanged_and_closed_cleanly(raw: tuple[Path, StoreSnapshot]) -> None:
    store, masks, (source, snapshot) = PostgresStore(), desk.LetterMasks(), raw
    with scratch() as place, clone(source, place) as directory:
        log = place / "server.log"
        with store.open(directory, snapshot, log=log) as session:
            running = server.status(directory / "data")
            assert running is not None and running.socket_dir.stat().st_mode & 0o777 == 0o700
            with server.connect(running, "shop", logins.require(directory).operator) as conn:
                shown = conn.execute("SHOW listen_addresses").fetchone()
            assert shown == ("",)
            plan = desk.plan(session.inventory())
            expected = session.digest(plan, masks)
            session.rewrite(plan, masks, _quiet)
            cleaned = {item.what: item for item in session.defang()}
        assert server.status(directory / "data") is None
        assert not running.socket_dir.exists()
        assert control.read(directory / "data").state is control.State.SHUT_DOWN
        assert cleaned["other databases dropped"].detail == "forgotten, other"
        assert cleaned["maintenance databases made again"].detail == "template1, postgres"
        assert cleaned["role passwords removed"].detail == "clerk, postgres"
        assert cleaned["subscriptions dropped"].detail == "feed"
        assert cleaned["subscriptions of other databases removed"].detail == "s"
        assert cleaned["user mappings dropped"].count == 2
        assert cleaned["foreign servers pointed nowhere"].detail == "ledger"
        assert cleaned["event triggers disabled"].detail == "stop_ddl"
        assert cleaned["settings of roles and databases removed"].count == 1
        store.scrub(directory, snapshot, plan)
        with store.open(directory, snapshot, log=log) as session:
            assert session.digest(plan, None) == expected
            integrity = session.integrity()
            assert integrity.orphans == 0 and not integrity.problems
            running = server.status(directory / "data")
            assert running is not None
            with server.connect(running, "shop", logins.require(directory).operator) as conn:
                assert conn.execute("SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL").fetchall() == []
                assert conn.execute("SELECT srvoptions FROM pg_foreign_server").fetchone() == (
                    ["host=disabled.invalid", "fetch_size=7"],
                )
                assert conn.execute("SELECT count(*) FROM pg_publication WHERE pubupdate").fetchone() == (1,)
                assert conn.execute("SELECT count(*) FROM pg_prepared_xacts").fetchone() == (0,)
                assert conn.execute("SELECT setconfig FROM pg_db_role_setting ORDER BY 1").fetchall() == [
                    (["session_replication_role=replica"],),
                    (["work_mem=7MB"],),
                ]
                names = conn.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
                assert [name for (name,) in names] == ["postgres", "shop", "template0", "template1"]
                flags = (
                    "SELECT datallowconn, datistemplate FROM pg_database WHERE datname ~ 'template' ORDER BY datname"
                )
                assert conn.execute(flags).fetchall() == [(False, True), (True, True)]
        needles = [*SECRETS, "qprepared00001", "qother00001", "qtemplate00001", "qpostgres00001"]
        assert desk.occurrences(directory / "data", needles) == {}
        # the check can fail: the raw snapshot has them all (hashed or encrypted ones aside)
        there = {needle for found in desk.occurrences(source / "data", needles).values() for needle in found}
        assert there == set(needles) - {"qpassword00001"}


def test_an_error_stops_the_server_and_leaves_no_layout(raw: tuple[Path, StoreSnapshot]) -> None:
    store, (source, snapshot) = PostgresStore(), raw
    with scratch() as place, clone(source, place) as directory:
        with pytest.raises(ZeroDivisionError), store.open(directory, snapshot, log=place / "log") as session:
            plan = desk.plan(session.inventory())
            session.rewrite(plan, desk.LetterMasks(), _quiet)
            raise ZeroDivisionError
        assert server.status(directory / "data") is None
        with pytest.raises(UnsafeError, match="did not end cleanly"):
            layout.load(directory)
        with pytest.raises(UnsafeError, match="did not end cleanly"):
            store.scrub(directory, snapshot, plan)


def test_no_value_reaches_the_server_log(raw: tuple[Path, StoreSnapshot]) -> None:
    store, (source, snapshot) = PostgresStore(), raw
    with scratch() as place, clone(source, place) as directory:
        log = place / "server.log"
        with pytest.raises(UnsafeError), store.open(directory, snapshot, log=log) as session:
            session.rewrite(desk.plan(session.inventory(), email="same"), desk.LetterMasks(), _quiet)
        text = log.read_text()
        assert "ready to accept connections" in text
        assert "everybody" not in text and "@origin" not in text and "duplicate" not in text


def test_a_method_that_the_store_does_not_have_is_refused() -> None:
    from envclone.errors import ConfigError

    source = {"method": "physical", "dsn": "postgresql://x/y"}
    config = StoreConfig.model_validate({"kind": "postgres", "source": source})
    config = config.model_copy(update={"source": config.source.model_copy(update={"method": "snapshot"})})
    with scratch() as place, pytest.raises(ConfigError, match="snapshot"):
        PostgresStore().snapshot("main", config, place, _quiet)
