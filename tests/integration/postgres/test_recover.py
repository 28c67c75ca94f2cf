"""A base backup and production's log: PostgreSQL recovers to the very transaction, in a cage, without a shell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from envclone import process, wait
from envclone.accounts import account_of, hand_over
from envclone.config.schema import StoreConfig
from envclone.models import StoreSnapshot
from envclone.models.moments import By, Reached, Target
from envclone.stores.postgres.server import private, server
from envclone.stores.postgres.server.engine import Engine
from envclone.stores.postgres.snapshot.source import snapshot_physical
from envclone.stores.postgres.track import recover, segments
from tests.support.postgres import Production, production, scratch

pytestmark = pytest.mark.real
SIZE = 16 << 20


@dataclass
class Recorded:
    """A base backup, the log behind it, and the moments around a row that was there for one transaction only."""

    place: Path
    engine: Engine
    base: Path
    snapshot: StoreSnapshot
    wal: Path
    written: str
    deleted: str
    between: dt.datetime
    lsn: str

    def recovered(self, name: str, target: Target | None) -> tuple[Reached, list[int]]:
        """What a clone of the base, recovered to a target, holds."""
        clone = self.place / name
        process.run(["cp", "-a", self.base, clone])
        hand_over(clone, account_of(clone))
        supply = recover.Supply(segments.segments(self.wal, SIZE), (), SIZE, 1)
        snapshot, reached = recover.recover(clone, self.snapshot, target, supply, log=self.place / f"{name}.log")
        assert snapshot.position == reached.position and server.status(clone / "data") is None
        assert not list((clone / "data").glob("*.signal")) and not list((clone / "data").glob("backup_label*"))
        data, log = clone / "data", self.place / f"{name}.log"
        options = private.options(18)
        running = server.start(self.engine, data, socket_dir=server.socket_dir_for(data), log=log, options=options)
        try:
            with closing(server.connect(running, "app", "postgres")) as conn:
                return reached, [row[0] for row in conn.execute("SELECT id FROM public.t ORDER BY id")]
        finally:
            server.stop(data, "immediate")


def _transaction(prod: Production, sql: str) -> str:
    with closing(prod.connect("app")) as conn, conn.transaction():
        conn.execute(sql.encode())
        row = conn.execute("SELECT pg_current_xact_id()::text").fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    with production(18) as prod, scratch() as place:
        prod.create_database("app")
        prod.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)", "app")
        base, wal = place / "base", place / "wal"
        for folder in (base, wal):
            folder.mkdir(mode=0o700)
        source = {"kind": "postgres", "source": {"method": "physical", "dsn": prod.dsn_for("app")}}
        snapshot = snapshot_physical("main", StoreConfig.model_validate(source), base, lambda event: None)
        written = _transaction(prod, "INSERT INTO t VALUES (2)")
        [[between, lsn]] = prod.execute("SELECT clock_timestamp(), pg_current_wal_insert_lsn()::text")
        deleted = _transaction(prod, "DELETE FROM t WHERE id = 2")
        prod.execute("SELECT pg_create_restore_point('after the deed')")
        _transaction(prod, "INSERT INTO t VALUES (3)")
        [[end]] = prod.execute("SELECT pg_current_wal_flush_lsn()::text")
        program = prod.engine.program("pg_receivewal")
        prod.execute("SELECT pg_create_physical_replication_slot('s', true)")
        prod.execute("SELECT pg_switch_wal()")
        process.run([program, "-D", wal, "-d", prod.dsn, "--slot=s", f"--endpos={end}", "--no-loop"])
        wait.until(lambda: segments.segments(wal, SIZE) or None, what="no log was received", timeout=10)
        yield Recorded(place, prod.engine, base, snapshot, wal, written, deleted, between, lsn)


@pytest.mark.parametrize(
    ("name", "target", "there", "reason"),
    [
        ("before", lambda made: Target(By.XID, made.written, inclusive=False), [1], "before transaction"),
        ("point", lambda made: Target(By.POINT, "after the deed"), [1], 'at restore point "after the deed"'),
        ("all", lambda made: None, [1, 3], "no recovery target"),
    ],
)
def test_the_very_transaction_is_there(
    recorded: Recorded, name: str, target: object, there: list[int], reason: str
) -> None:
    assert callable(target)
    reached, rows = recorded.recovered(name, target(recorded))
    assert rows == there
    assert reached.reason.startswith(reason) and reached.timeline == 1


def test_a_moment_behind_the_log_is_missed(recorded: Recorded) -> None:
    with pytest.raises(recover.Missed):
        recorded.recovered("late", Target(By.TIME, (recorded.between + dt.timedelta(hours=1)).isoformat()))


def test_a_moment_before_the_base_is_too_early(recorded: Recorded) -> None:
    with pytest.raises(recover.TooEarly):
        recorded.recovered("early", Target(By.LSN, str(recorded.snapshot.details["wal"]["start"])))


def test_a_name_is_no_command_and_no_setting(recorded: Recorded) -> None:
    trace = recorded.place / "trace"
    with pytest.raises(recover.Missed):
        recorded.recovered("name", Target(By.POINT, f"';touch {trace}"))
    assert not trace.exists()
