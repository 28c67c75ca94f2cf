"""A production whose files nobody gets: dumped at one moment, restored in quarantine, sanitized and branched."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone import wait
from envclone.accounts import hand_over, service_account
from envclone.errors import BusyError, ConfigError, EnvcloneError, UnreachableError, UnsafeError
from envclone.models import ProgressEvent, StoreSnapshot
from envclone.stores.postgres.server import pinned, server, settings
from envclone.stores.postgres.snapshot.logical import dump
from envclone.stores.postgres.snapshot.logical.take import obstacles_logical, snapshot_logical
from tests.support.postgres import PASSWORD, Production, production
from tests.support.sourced import dumped, fill, traces
from tests.support.stack import place as stack_place


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    """With one of everything."""
    conf = {"wal_level": "logical", "work_mem": "5MB", "timezone": "Europe/Berlin", "hnsw.ef_search": "77"}
    with production(18, conf) as found:
        fill(found)
        yield found


def taken(prod: Production, place: Path, config: Any) -> tuple[StoreSnapshot, list[str]]:
    """A snapshot, and what its server says of itself."""
    into = place / "into"
    into.mkdir(mode=0o700)
    snapshot = snapshot_logical("main", config, into, lambda event: None)
    assert sorted(path.name for path in into.iterdir()) == ["data"]
    assert {path.stat().st_uid for path in into.rglob("*")} == {into.stat().st_uid}
    hand_over(into, service_account())
    settings.write_configuration(into / "data", prod.engine, snapshot.details["settings"])
    running = server.start(
        prod.engine, into / "data", socket_dir=server.socket_dir_for(into / "data"), log=place / "log"
    )
    try:
        with server.connect(running, "app", snapshot.details["superuser"]) as conn:
            seen = conn.execute("SELECT count(*), max(id) FROM desk.seen").fetchone()
            shown = conn.execute("SELECT name, setting FROM pg_settings WHERE name = 'work_mem'").fetchall()
            analyzed = conn.execute("SELECT reltuples FROM pg_class WHERE relname = 'people'").fetchone()
            subscriptions = conn.execute("SELECT count(*) FROM pg_subscription").fetchone()
        assert seen == (300, 300), "a materialized view is as stale as production's"
        assert (shown, analyzed, subscriptions) == ([("work_mem", "5120")], (299,), (0,))
        said = dumped(prod.engine, str(running.socket_dir), running.port, snapshot.details["superuser"])
    finally:
        server.stop(into / "data")
    return snapshot, said


def test_everything_comes_and_production_is_as_it_was(prod: Production, place: Path, store_config: Any) -> None:
    before = traces(prod)
    config = store_config(method="logical", dsn=prod.dsn_for("app"))
    snapshot, said = taken(prod, place, config)
    assert traces(prod) == before
    wanted = dumped(prod.engine, "127.0.0.1", prod.port, "postgres", PASSWORD)
    ours = (
        r"ALTER (PUBLICATION|EVENT TRIGGER) \w+ OWNER|.*GRANTED BY postgres"  # these need a superuser to own or grant
    )
    assert sorted(dumped_without(wanted, ours)) == sorted(dumped_without(said, ours))
    assert snapshot.rebuilt and snapshot.method == "logical" and snapshot.position
    assert snapshot.warnings == ("subscriptions are not restored: theirs",)
    text = json.dumps(snapshot.details)
    assert PASSWORD not in text and "topsecret" not in text
    captured = {item["name"]: item["value"] for item in snapshot.details["settings"]}
    assert {"work_mem": "5120kB", "timezone": "Europe/Berlin", "hnsw.ef_search": "77"}.items() <= captured.items()


def dumped_without(lines: list[str], pattern: str) -> list[str]:
    return [line for line in lines if not re.match(pattern, line)]


def test_what_would_be_partial_is_refused_by_name(prod: Production, place: Path, store_config: Any) -> None:
    def refused(user: str, password: str, kind: type[EnvcloneError], match: str) -> None:
        config = store_config(method="logical", dsn=prod.dsn_for("app", user, password))
        with pytest.raises(kind, match=match) as caught:
            snapshot_logical("main", config, place, lambda event: None)
        assert caught.value.hint and list(place.iterdir()) == []
        assert str(caught.value) in map(str, obstacles_logical(config, place))

    refused("clerk", "c", UnreachableError, "may not read desk.never, desk.numbers, .* and .* more")
    prod.execute("GRANT pg_read_all_data TO clerk; ALTER ROLE clerk INHERIT; ALTER LARGE OBJECT 77 OWNER TO app", "app")
    prod.execute("GRANT pg_read_all_data TO clerk WITH INHERIT TRUE", "app")
    try:
        refused("clerk", "c", UnreachableError, "may not read the large object 77")
        prod.execute("GRANT SELECT ON LARGE OBJECT 77 TO clerk", "app")
        refused("clerk", "c", UnreachableError, "does not see all rows of desk.people: row security")
        prod.execute("CREATE FUNCTION public.ours(int) RETURNS int LANGUAGE internal AS 'int4abs'", "app")
        refused("postgres", PASSWORD, UnsafeError, r"cannot bring the function (public\.)?ours\(integer\)")
    finally:
        prod.execute(
            "DROP FUNCTION IF EXISTS public.ours; REVOKE ALL ON LARGE OBJECT 77 FROM clerk;"
            'ALTER LARGE OBJECT 77 OWNER TO "Desk Owner"; REVOKE pg_read_all_data FROM clerk;'
            "ALTER ROLE clerk NOINHERIT",
            "app",
        )


def refused_whole(place: Path, config: Any, kind: type[BaseException], match: str, progress: Any = print) -> str:
    """A snapshot that fails leaves no file, no server and no session."""
    into = place / "into"
    into.mkdir(mode=0o700, exist_ok=True)
    with pytest.raises(kind, match=match) as caught:
        snapshot_logical("main", config, into, progress)
    assert list(into.iterdir()) == []
    assert server.status(into / "data") is None
    return str(caught.value)


def test_an_extension_can_be_left_out_unless_something_needs_it(
    prod: Production, place: Path, store_config: Any
) -> None:
    def config(name: str) -> Any:
        return store_config(method="logical", dsn=prod.dsn, database="app", without_extensions=[name])

    assert obstacles_logical(config("vector"), place) == []
    said = refused_whole(place, config("vector"), UnsafeError, "restoring failed at CREATE TABLE public.chunks")
    assert said.endswith('type "public.vector" does not exist')
    refused_whole(place, config("vectors"), ConfigError, "no extension vectors; there are: plpgsql, vector")


def sessions(prod: Production) -> list[tuple[Any, ...]]:
    return prod.execute(
        "SELECT pid, wait_event_type FROM pg_stat_activity WHERE application_name ~ '^envclone'"
        " AND pid <> pg_backend_pid()"
    )


@pytest.mark.parametrize("when", ["tables", "objects"])
def test_an_interrupted_snapshot_leaves_nothing(prod: Production, place: Path, store_config: Any, when: str) -> None:
    def interrupt(event: ProgressEvent) -> None:
        if event.unit == when:
            raise KeyboardInterrupt

    refused_whole(place, store_config(method="logical", dsn=prod.dsn_for("app")), KeyboardInterrupt, "^$", interrupt)
    wait.until(lambda: True if not sessions(prod) else None, what="pg_dump still runs", timeout=30)


def test_a_lock_and_a_connection_that_is_cut(
    prod: Production, place: Path, store_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = store_config(method="logical", dsn=prod.dsn_for("app"))

    def cut() -> None:
        while not (waiting := [pid for pid, what in sessions(prod) if what == "Lock"]):
            time.sleep(0.02)
        prod.execute(f"SELECT pg_terminate_backend({waiting[0]})")

    with prod.connect("app") as holder:
        holder.execute("BEGIN; LOCK TABLE desk.refs IN ACCESS EXCLUSIVE MODE")
        cutter = threading.Thread(target=cut)
        cutter.start()
        refused_whole(place, config, UnreachableError, "the dump failed")
        cutter.join()
        monkeypatch.setattr(dump, "LOCK_SECONDS", 0.5)
        refused_whole(place, config, BusyError, "waited 0.5 s for a lock")
        holder.execute("ROLLBACK; BEGIN; ALTER MATERIALIZED VIEW desk.seen RENAME TO unseen")
        monkeypatch.setitem(pinned._PATIENCE, "lock_timeout", "500ms")
        refused_whole(place, config, BusyError, "production took too long: canceling statement due to lock timeout")
    assert not sessions(prod)


STACK = """\
version: 1
project: managed
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: logical, dsn: "${DSN}"}}
sanitize:
  domains: {name: {kind: person}}
  rules:
    main:
      desk.*.name: name
      desk.people.p: {"$.a": keep, "$.b": text}
      desk.*.*: keep
      public.chunks.id: keep
      public.chunks.embedding: {vectors: keep}
      pg_largeobject: "null"
incidents: incidents/
"""
BUNDLE = """\
version: 1
incident: "9"
environment: prod
steps:
  - {id: search, kind: sql, store: main, role: clerk, key: id,
     sql: "SELECT id FROM public.chunks ORDER BY embedding <-> '[0.1, 0.2, 0.3, 0.4]' LIMIT 3"}
"""


def test_a_branch_says_first_that_its_indexes_were_rebuilt(prod: Production) -> None:
    prod.execute("GRANT SELECT ON public.chunks TO clerk", "app")
    with stack_place() as here:
        here.env["DSN"] = prod.dsn_for("app")
        here.write(STACK)
        (here.directory / "incidents").mkdir()
        (here.directory / "incidents" / "9.yaml").write_text(BUNDLE)
        here.call("incident", "record", "incidents/9.yaml")
        first = "fidelity: rebuilt: vector indexes of main were built again from a dump; "
        assert here.call("snapshot", "prod").stdout.startswith(first + "recorded answers were not compared yet")
        assert here.call("image", "prod").stdout.startswith(first)
        assert here.call("branch", "prod", "--incident", "9").stdout.startswith(first)
        assert here.call("replay", "9").stdout.startswith(first + "0 of 1 recorded answers changed (0.0%)")
        assert here.call("show", "prod-9").stdout.startswith(first + "0 of 1 recorded answers changed")
        assert "(rebuilt)" in here.call("images").stdout
        log = here.json("audit", "log")
        read = [event["details"] for event in log if event["action"] == "read"]
        assert {one["method"] for one in read} == {"record", "logical"}
        (ran,) = [event["details"]["ran"]["main"] for event in log if event["action"] == "snapshot"]
        assert ran[0].startswith("pg_dump --format=directory --jobs=2 --snapshot=") and PASSWORD not in str(log)
        (image,) = here.json("images")
        said = here.json("attestation", image["id"])["not_guaranteed"]
        assert any(line.startswith("vector indexes of main were built again") for line in said)
