"""A refresh copies what changed, and is what a full copy would be; whatever is in the way, the copy is whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envclone import process, wait
from envclone.accounts import hand_over, service_account
from envclone.cow import extents
from envclone.errors import EnvcloneError
from envclone.lifecycle import snapshot
from envclone.models import ProgressEvent, RawSnapshot
from tests.support.postgres import Production, production
from tests.support.sourced import traces
from tests.support.stack import ROOT, Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: refresh
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "@DSN@", database: app@MORE@}}
sanitize:
  rules: {main: {public.people.name: person, public.people.id: keep, public.people.story: keep, public.far.id: keep}}
"""
SQL = """
CREATE TABLE people (id int PRIMARY KEY, name text, story text);
INSERT INTO people SELECT i, 'Zanzibar Quux' || chr(97 + i % 26), repeat(md5(i::text), 6)
  FROM generate_series(1, 40000) i;
CREATE TABLE far (id int) TABLESPACE elsewhere;
INSERT INTO far SELECT generate_series(1, 3000);
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18, {"summarize_wal": "on", "autovacuum": "off"}) as server:
        elsewhere = server.data.with_name("elsewhere")
        elsewhere.mkdir()
        hand_over(elsewhere, service_account())
        server.execute(f"CREATE TABLESPACE elsewhere LOCATION '{elsewhere}'")
        server.create_database("app")
        server.execute(SQL, "app")
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        declare(made, prod)
        yield made


def declare(here: Place, prod: Production, more: str = "") -> None:
    here.write(STACK.replace("@DSN@", prod.dsn_for("app")).replace("@MORE@", more))


def take(here: Place) -> tuple[RawSnapshot, list[str]]:
    """A new snapshot, and what was told meanwhile."""
    told: list[str] = []

    def progress(event: ProgressEvent) -> None:
        told.append(event.step)

    with snapshot.take(replace(here.open().project, progress=progress), "prod") as raw:
        return raw, list(dict.fromkeys(told))


def store(here: Place, raw: RawSnapshot) -> Path:
    return here.pool / "raw" / raw.id / "main"


def refresh(raw: RawSnapshot) -> dict[str, Any]:
    return dict(raw.stores["main"].details.get("refresh", {}))


def test_what_is_laid_over_is_what_a_full_copy_is(here: Place, prod: Production) -> None:
    prod.execute("VACUUM (FREEZE) people", "app")
    first, _ = take(here)
    prod.execute(
        "UPDATE people SET name = 'Yvonne Xu' WHERE id % 4000 = 0; DELETE FROM people WHERE id > 39000;"
        "CREATE TABLE made AS SELECT 1 AS id; DROP TABLE made; TRUNCATE far; INSERT INTO far VALUES (1);"
        "CREATE INDEX ON people (name)",
        "app",
    )
    second, told = take(here)
    assert refresh(second)["since"] == first.id and 0 < refresh(second)["blocks"] < 200
    assert not any("whole" in one for one in told)
    assert second.stores["main"].ran == (
        "pg_basebackup --format=plain --wal-method=stream --checkpoint=fast --no-sync --progress --verbose"
        " --no-password --label=envclone --incremental",
    )
    prod.execute("UPDATE people SET name = 'Yvonne Xu' WHERE id = 7", "app")
    prod.execute("SELECT 1 FROM people WHERE id = 39001 FOR UPDATE; SELECT 1 FROM people WHERE id = 9 FOR SHARE", "app")
    third, _ = take(here)  # by the manifest of an incremental one
    assert refresh(third)["since"] == second.id and 0 < refresh(third)["blocks"] < 40
    _, own = extents.usage(store(here, third))
    assert own < 4 << 20  # of a segment of the log what is not zero, and little more
    declare(here, prod, ", refresh: full")
    whole, _ = take(here)
    declare(here, prod)
    for tree in ("data", "tablespaces"):
        assert different(store(here, whole) / tree, store(here, third) / tree) == set()


def different(one: Path, other: Path) -> set[str]:
    """Files of either directory that the other has not, or has otherwise, but for what tells of the backup itself."""
    its = "backup_manifest|backup_label|pg_control|pg_wal/.*|pg_tblspc/.*|postgresql.auto.conf"
    done = process.run(["diff", "-rq", "--no-dereference", one, other], check=False)
    return {
        line for line in done.stdout.splitlines() if not re.search(rf"(/|: )({its})\b|Only in .*pg_(wal|tblspc)", line)
    }


def test_production_is_only_read(here: Place, prod: Production) -> None:
    before = traces(prod)
    again, _ = take(here)
    assert refresh(again)["since"]
    assert traces(prod) == before


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "other"])
def test_without_its_manifest_the_copy_is_whole(here: Place, prod: Production, damage: str) -> None:
    last, _ = take(here)
    kept = here.pool / "raw" / last.id / "main.manifest"
    data = kept.read_bytes()
    if damage == "gone":
        kept.unlink()
    elif damage == "other":
        kept.write_bytes(data.replace(b'"System-Identifier": ', b'"System-Identifier": 1'))
    else:
        kept.write_bytes(data[: len(data) // 2] if damage == "cut" else data.replace(b'"Size": 1', b'"Size": 2', 1))
    raw, told = take(here)
    why = f"copied as a whole: the backup manifest of {last.id} is {'gone' if damage == 'gone' else 'damaged'}"
    assert refresh(raw) == {"whole": why} and f"main is {why}" in told
    assert (here.pool / "raw" / raw.id / "main.manifest").exists()


def test_a_snapshot_that_lost_a_file_is_not_built_on(here: Place, prod: Production) -> None:
    last, _ = take(here)
    path = prod.execute("SELECT pg_relation_filepath('people')", "app")[0][0]
    (store(here, last) / "data" / path).unlink()
    raw, _ = take(here)
    assert "none of that name in the snapshot before" in refresh(raw)["whole"]
    assert (store(here, raw) / "data" / path).exists()
    assert {one.name for one in store(here, raw).iterdir()} == {"data", "tablespaces"}


def test_the_stack_file_decides(here: Place, prod: Production) -> None:
    take(here)
    declare(here, prod, ", refresh: full")
    raw, told = take(here)
    assert refresh(raw) == {} and "--incremental" not in raw.stores["main"].ran[0]
    assert not any("whole" in one for one in told)
    prod.execute("ALTER SYSTEM SET summarize_wal = off")
    prod.execute("SELECT pg_reload_conf()")
    try:
        for more, warned in ((", refresh: incremental", 1), ("", 0)):
            declare(here, prod, more)
            raw, _ = take(here)
            assert refresh(raw) == {"whole": "copied as a whole: summarize_wal is off in production"}
            assert len([one for one in raw.stores["main"].warnings if "summarize_wal" in one]) == warned
    finally:
        declare(here, prod)
        prod.execute("ALTER SYSTEM RESET summarize_wal")
        prod.execute("SELECT pg_reload_conf()")
    prod.execute("SELECT pg_switch_wal()")
    raw, _ = take(here)  # what was written meanwhile has no summary
    assert "WAL summaries are required" in refresh(raw).get("whole", "") or refresh(raw)["since"]


def test_a_run_that_was_killed_leaves_nothing_and_the_next_goes_on(here: Place, prod: Production) -> None:
    last, _ = take(here)
    prod.execute("UPDATE people SET story = story || 'x' WHERE id % 50 = 0", "app")
    declare(here, prod, ", max_rate: 512k")
    words = [sys.executable, "-m", "envclone", "--quiet", "--file", str(here.file), "snapshot", "prod"]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, process_group=0) as running:
        wait.until(
            lambda: any(here.pool.glob("tmp/*/main/.increment/data/base")) or None, what="the backup", timeout=30
        )
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    declare(here, prod)
    assert [raw for raw in here.leftovers() if raw.startswith("tmp/")]
    here.open().collect()
    assert [name for name in here.leftovers() if not name.startswith("raw/")] == []
    slots = "SELECT slot_name FROM pg_replication_slots"  # temporary ones: gone when the server sees that nobody reads
    wait.until(lambda: prod.execute(slots) == [] or None, what="the slot to go", timeout=30)
    again, _ = take(here)
    assert refresh(again)["since"] == last.id


def test_another_timeline_takes_a_whole_copy(here: Place, prod: Production) -> None:
    last, _ = take(here)
    prod.stop()
    (prod.data / "standby.signal").touch()
    hand_over(prod.data / "standby.signal", service_account())
    prod.start()
    prod.execute("SELECT pg_promote()")
    raw, told = take(here)
    why = f"copied as a whole: {last.id} is of another timeline"
    assert refresh(raw) == {"whole": why} and f"main is {why}" in told
    raw, _ = take(here)
    assert refresh(raw)["since"]


def test_a_connection_that_is_cut_is_an_error_and_no_snapshot(here: Place, prod: Production) -> None:
    before = here.leftovers()
    prod.execute("UPDATE people SET story = story || 'y' WHERE id % 50 = 0", "app")
    declare(here, prod, ", max_rate: 256k")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = 'envclone'"

    def progress(event: ProgressEvent) -> None:
        if event.step == "copying main":
            prod.execute(cut)

    try:
        with (
            pytest.raises(EnvcloneError, match="base backup failed"),
            snapshot.take(replace(here.open().project, progress=progress), "prod"),
        ):
            pass
    finally:
        declare(here, prod)
    assert here.leftovers() == before
