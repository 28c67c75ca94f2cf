"""No original byte is left in any file, and each cleaning step is needed for that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envclone import process
from envclone.accounts import account_of, hand_over, service_account
from envclone.config.schema import StoreConfig
from envclone.errors import BusyError, UnsafeError
from envclone.models import FieldRule, StorePlan, StoreSnapshot
from envclone.stores.postgres.rights import logins
from envclone.stores.postgres.scrub import blanks, residue
from envclone.stores.postgres.server import engine, server
from envclone.stores.postgres.store import PostgresStore
from envclone.stores.postgres.write import statistics
from tests.integration.postgres import desk
from tests.support.expanded import expand
from tests.support.majors import NEWEST_FIRST
from tests.support.postgres import production, scratch

pytestmark = pytest.mark.real

Clone = tuple[Path, StoreSnapshot]
NEEDLES = [needle for group in desk.originals().values() for needle in group] + ["qdefault00000", "qlog00001"]

LEFTOVERS = """
CREATE TABLE leftovers (a text, id int PRIMARY KEY, short text, number int8, packed text, outside text, last text);
INSERT INTO leftovers SELECT 'a' || i, i, 'qdropped' || lpad(i::text, 5, '0'), 4711,
    repeat('qdropped' || lpad(i::text, 5, '0') || ' ', 600),
    (SELECT string_agg('qdropped' || lpad(i::text, 5, '0') || md5(n::text), '') FROM generate_series(1, 200) n),
    'kept' || i
    FROM generate_series(1, 40) AS i;
INSERT INTO leftovers VALUES ('null', 99, NULL, NULL, NULL, NULL, 'kept99');
ALTER TABLE leftovers DROP short, DROP number, DROP packed, DROP outside;
"""


def _quiet(event: Any) -> None:
    """No progress."""


@pytest.fixture(scope="module", params=NEWEST_FIRST)
def raw(request: pytest.FixtureRequest) -> Iterator[Clone]:
    """The files of a stopped server with checksums, full of originals in every corner."""
    checks = [] if request.param >= 18 else ["--data-checksums"]
    with production(request.param, initdb_args=checks) as running, scratch() as place:
        running.create_database("shop")
        with running.connect("shop") as conn:
            desk.load(conn)
        running.execute(LEFTOVERS, "shop")
        (running.data.parent / "far").mkdir(mode=0o700)
        hand_over(running.data.parent / "far", service_account())
        running.execute(f"CREATE TABLESPACE far LOCATION '{running.data.parent / 'far'}'")
        running.execute("CREATE TABLE distant (x text) TABLESPACE far", "shop")
        running.execute("INSERT INTO distant SELECT full_name FROM customers", "shop")
        running.stop()
        (running.data / "standby.signal").touch()  # a server that was promoted is on its second timeline
        running.start()
        running.execute("SELECT pg_promote()")
        running.stop()
        assert (running.data / "pg_wal" / "00000002.history").exists()
        directory = place / "raw"
        directory.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "shop"}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        yield directory, PostgresStore().snapshot("main", config, directory, _quiet)


@pytest.fixture
def clone(raw: Clone) -> Iterator[Clone]:
    source, snapshot = raw
    with scratch() as place:
        shutil.copytree(source, place / "clone", symlinks=True)
        try:
            yield place / "clone", snapshot
        finally:
            server.stop(place / "clone" / "data", "immediate")


def _sanitize(clone: Clone, prepare: Callable[[Path], None] = lambda data: None) -> StorePlan:
    directory, snapshot = clone
    with PostgresStore().open(directory, snapshot, log=directory.parent / "log") as session:
        plan = desk.plan(session.inventory())
        session.rewrite(plan, desk.LetterMasks(), _quiet)
        session.defang()
    prepare(directory / "data")
    PostgresStore().scrub(directory, snapshot, plan)
    return plan


def _left(clone: Clone) -> set[str]:
    """Where originals are: files by their bytes, values by their place."""
    directory, snapshot = clone
    places = set(desk.occurrences(directory / "data", NEEDLES))
    for place, value in expand(directory, snapshot):
        if any(needle.encode() in value for needle in ("qbody", "qzname", "@origin", "qdropped", "qprofile")):
            places.add(place)
    return places


def _stray(data: Path) -> None:
    """What production's machine may have lying about in a data directory."""
    (data / "log").mkdir()
    (data / "log" / "server.log").write_text("ERROR: qlog00001")
    (data / "pg_stat" / "pgss_query_texts.stat").write_text("qlog00001")
    database = max((path for path in (data / "base").iterdir()), key=lambda path: int(path.name))
    (database / "99999").write_text("qlog00001")
    far = next(version for space in (data / "pg_tblspc").iterdir() for version in space.iterdir())
    (far / "88888").mkdir()
    (far / "88888" / "1259").write_text("qlog00001")
    (data / "base" / "77777").mkdir()
    (data / "base" / "77777" / "1259").write_text("qlog00001")


def test_no_original_is_left_in_any_byte(clone: Clone) -> None:
    directory, snapshot = clone
    before = desk.occurrences(directory / "data", NEEDLES)
    found = {needle for needles in before.values() for needle in needles}
    hidden = {f"qbody{i:05d}" for i in range(0, desk.ROWS, 9)}  # these texts are long, and so compressed
    hidden |= {f"qdropped{i:05d}" for i in range(0, desk.ROWS, 50)}
    assert found >= set(NEEDLES) - hidden - {"qlog00001"}  # the search can find them
    plan = _sanitize(clone, _stray)
    assert _left(clone) == set()
    (segment,) = (path for path in (directory / "data" / "pg_wal").iterdir() if path.is_file())
    assert len(segment.name) == 24 and segment.stat().st_blocks * 512 <= 128 << 10 < segment.stat().st_size
    assert not (directory / "data" / "log").exists() and not (directory / "data" / "base" / "77777").exists()
    # the files are whole: page checksums, then every index and every row
    found_engine = engine.for_snapshot(snapshot)
    done = process.run(
        [found_engine.program("pg_checksums"), "--check", "-D", directory / "data"], account=account_of(directory)
    )
    assert "Bad checksums:  0" in done.stdout
    with PostgresStore().open(directory, snapshot, log=directory.parent / "log") as session:
        assert session.integrity().problems == ()
        running = server.status(directory / "data")
        assert running is not None
        with server.connect(running, "shop", logins.require(directory).operator, search_path="public") as conn:
            path = conn.execute("SELECT pg_relation_filepath('distant')").fetchone()
            assert path is not None and path[0].startswith("pg_tblspc/")
            rows = conn.execute("SELECT a, id, last FROM leftovers ORDER BY id").fetchall()
            assert len(rows) == 41 and rows[-1][1] == 99
            conn.execute("UPDATE leftovers SET id = id + 1000")
            conn.execute("VACUUM FULL leftovers")
            masked = desk.LetterMasks().any("kept7")
            assert conn.execute("SELECT last FROM leftovers WHERE id = 1007").fetchone() == (masked,)
        assert session.digest(plan, None)["public.tickets"].rows == desk.ROWS


@pytest.mark.parametrize(
    ("module", "step", "remains"),
    [
        (blanks, "live_mask", "base/"),
        (statistics, "renew", "base/"),
        (residue, "_wal", "pg_wal/"),
        (residue, "tidy", "log/"),
        (residue, "_storage", "base/77777/1259"),
    ],
)
def test_each_step_is_needed(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, remains: str
) -> None:
    instead: dict[str, Callable[..., Any]] = {
        "live_mask": lambda pages, items, place: pages == pages,
        "renew": lambda *_: None,
        "_wal": lambda *_: residue.Cleaned("", 0),
        "tidy": lambda *_: (),
        "_storage": lambda *_: (),
    }
    monkeypatch.setattr(module, step, instead[step])
    _sanitize(clone, _stray)
    assert [place for place in _left(clone) if place.startswith(remains)]


def _keep(clone: Clone) -> StorePlan:
    """Sanitize with nothing masked in `leftovers`."""
    directory, snapshot = clone
    with PostgresStore().open(directory, snapshot, log=directory.parent / "log") as session:
        plan = desk.plan(session.inventory())
        kept = {a: FieldRule(a, r.kind, "keep") for a, r in plan.rules.items() if "leftovers" in a}
        plan = StorePlan("main", {**plan.rules, **kept})
        session.rewrite(plan, desk.LetterMasks(), _quiet)
        session.defang()
    return plan


def test_dropped_columns_are_blank_where_no_row_was_written(clone: Clone) -> None:
    directory, snapshot = clone
    plan = _keep(clone)
    cleaned = {item.what: item.count for item in PostgresStore().scrub(directory, snapshot, plan)}
    assert cleaned["values of dropped columns zeroed"] == 160 + 600  # leftovers, customers
    assert _left(clone) == set()
    with PostgresStore().open(directory, snapshot, log=directory.parent / "log"):
        running = server.status(directory / "data")
        assert running is not None
        with server.connect(running, "shop", logins.require(directory).operator, search_path="public") as conn:
            rows = conn.execute("SELECT a, id, last FROM leftovers WHERE id < 99 ORDER BY id").fetchall()
            assert rows == [(f"a{i}", i, f"kept{i}") for i in range(1, 41)]
            conn.execute("DELETE FROM leftovers WHERE id < 10")  # removes the blank chunks too
            conn.execute("UPDATE leftovers SET a = 'b'")
            conn.execute("VACUUM leftovers")
            conn.execute("CLUSTER leftovers USING leftovers_pkey")
            assert conn.execute("SELECT count(*), min(a), max(last) FROM leftovers").fetchone() == (32, "b", "kept99")


def test_dropped_columns_would_remain_otherwise(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, snapshot = clone
    plan = _keep(clone)
    monkeypatch.setattr(blanks, "_blank_dropped", lambda *_: None)
    PostgresStore().scrub(directory, snapshot, plan)
    assert _left(clone)


def test_row_versions_that_nobody_sees_would_remain_otherwise(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blanks, "dead", lambda pages, items, transactions: np.zeros(len(items), dtype=np.bool_))
    _sanitize(clone)
    assert any("customers" in place or "base/" in place for place in _left(clone))


def test_pages_without_anything_to_erase_are_not_written(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, snapshot = clone
    plan = _sanitize(clone)

    def write(*_: object) -> None:
        raise AssertionError("a page was written")  # in a copy of this process, whose errors are raised here

    monkeypatch.setattr(blanks, "_write", write)
    PostgresStore().scrub(directory, snapshot, plan)


def test_a_running_server_is_not_scrubbed(clone: Clone) -> None:
    directory, snapshot = clone
    plan = _sanitize(clone)
    with (
        PostgresStore().open(directory, snapshot, log=directory.parent / "log"),
        pytest.raises(BusyError, match="still runs"),
    ):
        PostgresStore().scrub(directory, snapshot, plan)


def test_a_damaged_page_is_refused_not_guessed(clone: Clone) -> None:
    directory, snapshot = clone
    plan = _sanitize(clone)
    with PostgresStore().open(directory, snapshot, log=directory.parent / "log"):
        running = server.status(directory / "data")
        assert running is not None
        with server.connect(running, "shop", logins.require(directory).operator, search_path="public") as conn:
            row = conn.execute("SELECT pg_relation_filepath('animals')").fetchone()
    assert row is not None
    with (directory / "data" / row[0]).open("r+b") as file:
        file.seek(24)
        file.write(b"\xff\xff\xff\xff")
    with pytest.raises(UnsafeError, match="page 0 of base/"):
        PostgresStore().scrub(directory, snapshot, plan)
