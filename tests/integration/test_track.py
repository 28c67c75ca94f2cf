"""Production is followed under constant writes: any moment to the transaction, and faults that leave nothing half.

The tests share one production and its track, and go on where the one before stopped.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone import process, wait
from envclone.accounts import hand_over, service_account
from envclone.errors import UsageError
from envclone.lifecycle import tracks
from envclone.models import RawSnapshot
from envclone.models.moments import By, Target
from envclone.models.tracked import Window
from tests.support.ports import unused_port
from tests.support.postgres import Production, production
from tests.support.qdrant import build
from tests.support.rawlook import asked
from tests.support.stack import ROOT, Place, place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: followed
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "@DSN@", database: app}}
      points: {kind: qdrant, source: {method: directory, path: "@POINTS@"}}
    track: {every: 1h, window: 12h, held: 64MiB}
quarantine: {keep: 20}
incidents: incidents/
sanitize:
  rules:
    main: {public.people.id: keep, public.people.name: person, public.accounts.*: keep, public.t.*: keep}
    points: {articles.number: keep, articles.point_ids: keep, articles.vectors: keep}
"""
SQL = """
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people SELECT i, 'Zanzibar Quuxing' || chr(97 + i) FROM generate_series(1, 20) i;
CREATE TABLE accounts (id int PRIMARY KEY, balance int);
INSERT INTO accounts SELECT i, 0 FROM generate_series(1, 10) i;
CREATE TABLE t (id int PRIMARY KEY);
"""


@dataclass
class Followed:
    """A production that is written to all the time, and the process that follows it."""

    prod: Production
    here: Place
    said: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self) -> subprocess.Popen[bytes]:
        """Start the process, and wait until it receives."""
        with self.said.open("ab") as out:
            one = subprocess.Popen(
                [sys.executable, "-m", "envclone", "--file", str(self.here.file), "track", "prod"],
                stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        self.processes.append(one)
        wait.until(lambda: self.received() or None, what="nothing is received", timeout=40, longest=0.5,
                   diagnosis=self.said.read_text)  # fmt: skip
        return one

    def end(self, signum: signal.Signals = signal.SIGTERM) -> int:
        one = self.processes.pop()
        one.send_signal(signum)
        return one.wait(30)

    def slots(self) -> list[str]:
        return [row[0] for row in self.prod.execute("SELECT slot_name FROM pg_replication_slots ORDER BY 1")]

    def received(self) -> list[Any]:
        return self.prod.execute(
            "SELECT pid FROM pg_stat_replication WHERE application_name = 'envclone track' AND write_lsn IS NOT NULL"
        )

    def windows(self) -> list[Window]:
        """The windows that there are."""
        return list(tracks.windows(self.here.open().project, "prod")["main"])

    def window(self) -> Window:
        """The one window that there is."""
        [window] = self.windows()
        return window

    def reaches(self, moment: dt.datetime) -> None:
        """Wait until the window has a moment."""
        wait.until(
            lambda: self.window().until >= moment or None, what="the window does not reach the moment",
            timeout=40, interval=0.1, longest=0.5, diagnosis=self.said.read_text,
        )  # fmt: skip

    def write(self, dsn: str) -> None:
        """The stack file with this DSN."""
        points = str(self.prod.data.parent / "points")
        self.here.write(STACK.replace("@DSN@", dsn).replace("@POINTS@", points))

    def rows(self, target: Target | None = None) -> tuple[list[int], int]:
        """A snapshot, of a moment: the rows of `t`, and the sum that every transaction keeps."""
        return self.held(self.here.open().snapshot("prod", target=target))

    def held(self, raw: RawSnapshot) -> tuple[list[int], int]:
        """The rows of `t` in a snapshot, and the sum that every transaction keeps."""
        sums = "SELECT sum(balance)::int FROM public.accounts"
        rows, [[total]] = asked(self.here, raw, self.prod.engine, "app", ["SELECT id FROM public.t ORDER BY id", sums])
        return [row[0] for row in rows], total


@contextlib.contextmanager
def _written(prod: Production) -> Iterator[None]:
    """Somebody moves money from one account to another all the time; the sum is always nothing."""
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            with contextlib.suppress(psycopg.Error), closing(prod.connect("app")) as conn:
                while not ended.is_set():
                    number += 1
                    with conn.transaction():
                        conn.execute("UPDATE accounts SET balance = balance - 1 WHERE id = %s", [number % 10 + 1])
                        conn.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", [number % 7 + 1])
                    ended.wait(0.005)
            ended.wait(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def followed() -> Iterator[Followed]:
    with production(18) as prod, place() as here:
        prod.create_database("app")
        prod.execute(SQL, "app")
        build(prod.data.parent / "points", points=20, payload=lambda number: {"number": number}, indexed=())
        (here.directory / "incidents").mkdir()
        one = Followed(prod, here, here.directory / "said")
        one.write(prod.dsn_for("app"))
        with _written(prod):
            try:
                one.follow()
                wait.until(
                    lambda: one.windows() or None, what="no base backup", timeout=60, longest=0.5,
                    diagnosis=one.said.read_text,
                )  # fmt: skip
                yield one
            finally:
                for left in one.processes:
                    left.kill()
                    left.wait()


def test_a_row_of_one_moment_is_there_to_the_transaction(followed: Followed) -> None:
    prod, here = followed.prod, followed.here
    with closing(prod.connect("app")) as conn:
        conn.execute("INSERT INTO t VALUES (1)")
        written = conn.execute("INSERT INTO t VALUES (2) RETURNING xmin::text").fetchone()
        seen = conn.execute("SELECT clock_timestamp(), pg_current_wal_insert_lsn()::text").fetchone()
        conn.execute("DELETE FROM t WHERE id = 2")
        conn.execute("SELECT pg_create_restore_point('deleted')")
    assert written is not None and seen is not None
    followed.reaches(seen[0])
    assert followed.rows(Target(By.XID, written[0])) == ([1, 2], 0)
    assert followed.rows(Target(By.XID, written[0], inclusive=False)) == ([1], 0)
    assert followed.rows(Target(By.LSN, seen[1], inclusive=False)) == ([1, 2], 0)
    assert followed.rows(Target(By.POINT, "deleted")) == ([1], 0)

    step = {"id": "rows", "kind": "sql", "store": "main", "sql": "SELECT id FROM public.t ORDER BY id",
            "expect": {"columns": ["id"], "rows": [[1], [2]]}}  # fmt: skip
    bundle = {"version": 1, "incident": "1234", "environment": "prod", "at": seen[0].isoformat(), "steps": [step]}
    (here.directory / "incidents" / "1234.json").write_text(json.dumps(bundle))
    made = here.json("branch", "prod", "--incident", "1234")
    assert made["moment"][0].startswith("the state at time ") and "LSN" in made["moment"][1]
    assert here.json("replay", "1234", check=False)["reproduced"]
    statement = here.json("attestation", made["image"])["image"]["raw"]["moment"]
    assert statement["asked"] == {
        "by": "time", "value": seen[0].astimezone(dt.UTC).isoformat(), "inclusive": True, "timeline": 0,
    }  # fmt: skip
    reached = statement["stores"]["main"]
    assert dt.datetime.fromisoformat(reached["at"]) <= seen[0] and reached["position"] and reached["exact"]

    refused = here.call("branch", "prod", "--at", "2020-01-01T00:00:00Z", "--name", "early", check=False)
    assert refused.returncode == 2 and f"main: {followed.window().since:%Y-%m-%d %H:%M:%S} to " in refused.stderr
    with pytest.raises(UsageError, match="outside of what the track"):
        followed.rows(Target(By.XID, "4000000"))


def test_stores_are_brought_to_one_moment(followed: Followed) -> None:
    """What has no log is copied first, and the database is recovered to that; else the distance is told."""
    asked = dt.datetime.now(dt.UTC)
    [[ahead]] = followed.prod.execute("SELECT clock_timestamp()")
    ahead -= asked  # at most: its clock was read later
    followed.prod.execute("INSERT INTO t VALUES (3)", "app")
    before = dt.datetime.now(dt.UTC)
    raw = followed.here.open().snapshot("prod")
    main, points = raw.stores["main"], raw.stores["points"]
    assert (raw.consistency, raw.skew_ms, raw.skew_wal, raw.moment) == ("barrier", 0, 0, None)
    assert before <= points.consistent_at and main.consistent_at - ahead <= points.consistent_at
    there, total = followed.held(raw)
    assert 3 in there and total == 0
    nearest = followed.here.open().snapshot("prod", target=Target(By.TIME, (before + ahead).isoformat()))
    assert nearest.consistency == "skewed" and nearest.moment is not None
    assert not nearest.moment.stores["points"].exact and nearest.moment.stores["points"].apart > 0


def test_what_is_kept_is_raws_alone(followed: Followed) -> None:
    for kind in ("tracks", "bases"):
        assert (followed.here.pool / kind).stat().st_mode & 0o777 == 0o700
    [track] = (followed.here.pool / "tracks").iterdir()
    for path in (track, *track.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
    [program] = [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if _of(entry, track)]
    assert followed.prod.password.encode() not in program.read_bytes()
    sessions = followed.prod.execute(
        "SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name LIKE 'envclone%'"
    )
    assert sessions == [("envclone track",)]


def _of(entry: Path, track: Path) -> bool:
    try:
        return b"pg_receivewal" in (said := entry.read_bytes()) and str(track).encode() in said
    except OSError:
        return False


def test_faults_leave_one_window(followed: Followed) -> None:
    """A program that dies, a production that restarts, a slot that is dropped, a track that is killed: it goes on."""
    prod = followed.prod
    [slot] = followed.slots()
    [track] = (followed.here.pool / "tracks").iterdir()
    since = followed.window().since

    def again(what: str) -> None:
        followed.reaches(dt.datetime.now(dt.UTC))
        assert followed.window().since == since, what
        assert followed.slots() == [slot], what

    [program] = [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if _of(entry, track)]
    os.kill(int(program.parent.name), signal.SIGKILL)
    again("the program was killed")
    prod.stop()
    prod.start()
    again("production was restarted")
    [[pid]] = followed.received()
    with closing(prod.connect()) as conn:
        conn.execute("SELECT pg_terminate_backend(%s)", [pid])
        wait.until(lambda: _dropped(conn, slot), what="the slot stays in use", timeout=10)
    again("the slot was dropped")
    assert "gone from production" in followed.said.read_text()
    followed.end(signal.SIGKILL)
    wait.until(
        lambda: None if [one for one in Path("/proc").glob("[0-9]*/cmdline") if _of(one, track)] else True,
        what="the program outlives its track", timeout=10,
    )  # fmt: skip
    followed.follow()
    again("the track was killed")
    prod.execute("INSERT INTO t VALUES (5)", "app")
    [[now]] = prod.execute("SELECT clock_timestamp()")
    followed.reaches(now)
    there, total = followed.rows(Target(By.TIME, now.astimezone(dt.UTC).isoformat()))
    assert 5 in there and total == 0


def _dropped(conn: psycopg.Connection[Any], slot: str) -> bool | None:
    try:
        conn.execute("SELECT pg_drop_replication_slot(%s)", [slot])
    except psycopg.errors.ObjectInUse:
        return None
    return True


def test_a_wrong_password_and_a_second_follower_are_refused(followed: Followed) -> None:
    here = followed.here
    busy = here.call("track", "prod", check=False)
    assert busy.returncode == 8 and "the track of 'prod' is in use" in busy.stderr
    followed.end()
    right = here.file.read_text()
    here.file.write_text(right.replace(followed.prod.dsn_for("app"), followed.prod.dsn_for("app", password="wrong")))
    wrong = here.call("track", "prod", check=False)
    here.file.write_text(right)
    assert wrong.returncode == 7 and "password" in wrong.stderr
    alone = here.open().snapshot("prod")
    assert alone.consistency == "skewed" and alone.skew_wal is not None and alone.skew_wal >= 0
    assert followed.slots() != []


def test_production_is_let_go_at_the_limit_and_a_new_window_begins(followed: Followed) -> None:
    """Nobody follows meanwhile: 64 MiB are more than production may hold back."""
    prod, here = followed.prod, followed.here
    before = followed.window()
    for _ in range(6):
        prod.execute("INSERT INTO accounts VALUES (99, 0); DELETE FROM accounts WHERE id = 99", "app")
        prod.execute("SELECT pg_switch_wal()")
    prod.execute("CHECKPOINT")  # what is before it is kept for the slot alone
    assert any(one.kind == "slot" for one in here.open().collect(dry_run=True))
    done = here.call("track", "prod", check=False)
    assert done.returncode == 6 and "its slot was dropped" in done.stderr
    assert followed.slots() == []
    prod.execute("CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT")  # what the slot held back is gone
    followed.follow()

    wait.until(
        lambda: len(followed.windows()) == 2 or None, what="no new window", timeout=60, longest=0.5,
        diagnosis=followed.said.read_text,
    )  # fmt: skip
    old, new = followed.windows()
    assert old.since == before.since and new.since > old.until
    between = old.until + (new.since - old.until) / 2
    with pytest.raises(UsageError, match=f"{old.since:%H:%M:%S} to "):
        followed.rows(Target(By.TIME, between.isoformat()))


def test_a_promotion_is_followed_onto_the_new_timeline(followed: Followed) -> None:
    """The DSN names both servers; moments before and after the switch are of one window."""
    prod, here = followed.prod, followed.here
    followed.end()
    pg_ctl, account = prod.engine.program("pg_ctl"), service_account()
    standby, log = prod.data.parent / "standby", prod.data.parent / "server.log"
    process.run([prod.engine.program("pg_basebackup"), "-D", standby, "-d", prod.dsn, "-R", "-c", "fast"])
    port = unused_port()
    with (standby / "postgresql.conf").open("a") as file:
        file.write(f"port = {port}\n")
    hand_over(standby, account)
    process.run([pg_ctl, "-D", standby, "-l", log, "-w", "start"], account=account)
    both = f"127.0.0.1:{prod.port},127.0.0.1:{port}"
    dsn = prod.dsn_for("app").replace(f"127.0.0.1:{prod.port}", both) + "?target_session_attrs=primary"
    followed.write(dsn)
    try:
        followed.follow()
        prod.execute("INSERT INTO t VALUES (7)", "app")
        [[old]] = prod.execute("SELECT clock_timestamp()")
        wait.until(lambda: followed.windows()[-1].until >= old or None, what="the old one is not seen", timeout=30)
        prod.stop()
        process.run([pg_ctl, "-D", standby, "-w", "promote"], account=account)
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("DELETE FROM t WHERE id = 7")
            row = conn.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            wait.until(lambda: followed.windows()[-1].until >= row[0] or None, what="the new one is not seen",
                       timeout=60, longest=0.5, diagnosis=followed.said.read_text)  # fmt: skip
            there, total = followed.rows(Target(By.TIME, old.astimezone(dt.UTC).isoformat()))
            assert 7 in there and total == 0
            there, total = followed.rows(Target(By.TIME, row[0].astimezone(dt.UTC).isoformat()))
            assert 7 not in there and total == 0
            followed.end()
            done = here.json("track", "stop", "prod", "--drop")
            assert any("slot" in one for one in done["removed"])
            assert conn.execute("SELECT slot_name FROM pg_replication_slots").fetchall() == []
    finally:
        process.run([pg_ctl, "-D", standby, "-m", "immediate", "-w", "stop"], account=account)
    assert not [one for one in here.leftovers() if one.startswith(("bases/", "tracks/", "work/", "tmp/"))]
