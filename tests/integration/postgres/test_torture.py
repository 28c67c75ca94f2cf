"""Random tables sanitized in place hold what SQL gives, each row at its address, and every checker is content."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from envclone import process
from envclone.accounts import account_of, hand_over, service_account
from envclone.config.schema import StoreConfig
from envclone.errors import UnsafeError
from envclone.masking import rules
from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.models import RewriteReport, StorePlan, StoreSnapshot
from envclone.stores.postgres.prove import structure
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.server import control, engine, server
from envclone.stores.postgres.store import PostgresStore
from tests.conftest import DEBIAN_17
from tests.support import torture
from tests.support.postgres import production, scratch

pytestmark = pytest.mark.real

PER_SERVER = 25
SEEDS = int(os.environ.get("ENVCLONE_TORTURE_SEEDS", "75"))
FIRST = int(os.environ.get("ENVCLONE_TORTURE_FIRST", "0"))
MAJORS = [18, 17, 16]


def _quiet(event: Any) -> None:
    """No progress."""


def _plan(session: Any, tables: list[torture.Torment], method: str) -> StorePlan:
    declared = {f"public.{t.name}.{c}": rule for t in tables for c, rule in t.rules.items()}
    for address, rule in list(declared.items()):
        if isinstance(rule, dict) and rule.get("vectors"):
            declared[address] = "keep"
        if isinstance(rule, dict) and "by" in rule:
            declared[address] = {"domain": rule["domain"], "by": rule["by"]}
    inventory = session.inventory()
    try:
        made = rules.plan(declared, torture.DOMAINS, inventory)
    except UnsafeError as exc:  # few rows: not every path is there
        written = dict(declared)
        for problem in exc.problems:
            address, _, rest = str(problem).partition(": the path ")
            assert rest, exc.problems
            # a path with a key that may be a person's is shown as its shape, with its place in the rule
            number = re.search(r"\(number (\d+) there\)", rest)
            gone = list(written[address])[int(number[1]) - 1] if number else rest.split(" ")[0]
            declared[address] = {k: v for k, v in declared[address].items() if k != gone} or "keep"
        made = rules.plan(declared, torture.DOMAINS, inventory)
    return StorePlan(made.store, made.rules, method)


def _masks() -> MaskSet:
    return MaskSet(b"a key of thirty-two bytes, really", torture.DOMAINS, Corpus())


@contextmanager
def _clone(raw: Path, place: Path) -> Iterator[Path]:
    target = place / f"clone-{len(list(place.iterdir()))}"
    shutil.copytree(raw, target, symlinks=True)
    try:
        yield target
    finally:
        server.stop(target / "data", "immediate")


def _rows(session: Any, tables: list[torture.Torment]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with session._connect(autocommit=True) as conn:
        for table in tables:
            names = sorted(table.types)
            values = ", ".join(f"{n}::text" for n in names)
            chosen = f"id, tableoid, ctid::text{', ' if names else ''}{values}"
            query = f"SELECT {chosen} FROM public.{table.name} ORDER BY id, tableoid, ctid"
            found[table.name] = conn.execute(query.encode()).fetchall()
    return found


def _sanitize(
    directory: Path, snapshot: StoreSnapshot, tables: list[torture.Torment], method: str
) -> tuple[RewriteReport, dict[str, Any], StorePlan]:
    log = directory.parent / f"{directory.name}.log"
    with PostgresStore().open(directory, snapshot, log=log) as session:
        plan = _plan(session, tables, method)
        report = session.rewrite(plan, _masks(), _quiet)
        session.defang()
    PostgresStore().scrub(directory, snapshot, plan)
    with PostgresStore().open(directory, snapshot, log=log) as session:
        return report, _rows(session, tables), plan


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, PER_SERVER))
def test_in_place_gives_what_sql_gives_at_the_same_addresses(first: int) -> None:
    major = MAJORS[first // PER_SERVER % len(MAJORS)]
    if major == 17 and not (DEBIAN_17.exists() or os.environ.get("CI")):
        pytest.skip("PostgreSQL 17 with contrib is not here: sh .ci/debian17")
    initdb = ["--data-checksums"] if major < 18 else []
    with production(major, initdb_args=initdb) as running, scratch() as place:
        running.create_database("chaos")
        far = running.data.parent / "far"
        far.mkdir(mode=0o700)
        hand_over(far, service_account())
        running.execute(f"CREATE TABLESPACE far LOCATION '{far}'")
        with running.connect("chaos") as conn:
            torture.setup(conn)
            tables = [torture.make(conn, seed) for seed in range(first, first + PER_SERVER)]
        running.stop()
        raw = place / "raw"
        raw.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "chaos"}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        snapshot = PostgresStore().snapshot("main", config, raw, _quiet)
        with _clone(raw, place) as before, PostgresStore().open(before, snapshot, log=place / "log") as session:
            unmasked = _rows(session, tables)
            expected = session.digest(_plan(session, tables, "in-place"), _masks())
        with _clone(raw, place) as through_sql:
            _, wanted, _ = _sanitize(through_sql, snapshot, tables, "sql")
        with _clone(raw, place) as in_place:
            report, got, plan = _sanitize(in_place, snapshot, tables, "in-place")
            for table in tables:
                what = f"seed {table.seed}: {table.rules} {table.history}"
                names = sorted(table.types)
                want = [(r[0], *r[3:]) for r in wanted[table.name]]
                have = [(r[0], *r[3:]) for r in got[table.name]]
                for one, other in zip(want, have, strict=True):
                    for name, a, b in zip(["id", *names], one, other, strict=True):
                        assert a == b, f"{name} {table.types.get(name)}\n{a!r:.300}\n{b!r:.300}\n{what}"
                if f"public.{table.name}" in report.placed:
                    assert [r[2] for r in unmasked[table.name]] == [r[2] for r in got[table.name]], what
            with PostgresStore().open(in_place, snapshot, log=place / "log") as session:
                digests = session.digest(plan, None)
                assert {n: d for n, d in digests.items() if d != expected[n]} == {}
                assert session.integrity().problems == ()
            _checked(in_place, snapshot, place)
        if major == 17:
            assert report.checks["heaps"] >= PER_SERVER
        moved = sum(report.moved.values())
        print(f"seeds {first}+: {len(report.placed)} tables placed, {moved} rows moved, {dict(report.moved)}")


def _checked(directory: Path, snapshot: StoreSnapshot, place: Path) -> None:
    """The server's own tools have nothing to say, and what they may do to the clone they can."""
    found, account = engine.for_snapshot(snapshot), account_of(directory)
    data = directory / "data"
    process.run([found.program("pg_checksums"), "--check", "-D", data], account=account)
    assert control.read(data).checksums
    assert structure.examine(directory)["rows"] > 0
    opened = PostgresStore().open(directory, snapshot, log=place / "log")
    with opened as session, session._connect(autocommit=True, login=Login.OPERATOR) as conn:
        here = ["-h", conn.info.host, "-p", str(conn.info.port), "-U", conn.info.user]
        if found.major == 17:
            _contrib(conn, found, here)
        dump = process.run([found.program("pg_dump"), *here, "chaos"]).stdout
        conn.execute("CREATE DATABASE again")
        process.run([found.program("psql"), *here, "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", "again"], input=dump)
        conn.execute("VACUUM (FULL, FREEZE, ANALYZE)")
        after = process.run([found.program("pg_dump"), *here, "chaos"]).stdout
        assert _lines(after) == _lines(dump)


def _lines(dump: str) -> list[str]:
    """A dump's lines, in an order that does not depend on where rows lie, without its random key."""
    return sorted(line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def _contrib(conn: Any, found: engine.Engine, here: list[str]) -> None:
    """amcheck over everything, and the visibility map held against the pages."""
    conn.execute("CREATE EXTENSION pg_visibility SCHEMA public")
    for (relation,) in conn.execute(
        "SELECT oid::int8 FROM pg_class WHERE relkind IN ('r', 'm', 't') AND relpersistence = 'p' AND oid >= 16384"
    ).fetchall():
        for check in ("pg_check_visible", "pg_check_frozen"):
            assert (
                conn.execute(f"SELECT * FROM public.{check}(%s::oid::regclass)".encode(), [relation]).fetchall() == []
            )
    conn.execute("DROP EXTENSION pg_visibility")
    program = found.program("pg_amcheck")
    done = process.run([program, *here, "--install-missing", "--heapallindexed", "--rootdescend", "chaos"], check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    conn.execute("DROP EXTENSION amcheck")
