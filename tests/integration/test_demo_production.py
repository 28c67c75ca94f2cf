"""The demo's production on real engines: what is in it, what its index misses, and what a rebuild makes of that."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import qdrant_edge
import yaml

from envclone import process, wait
from envclone.config.load import check
from envclone.demo.incident import INCIDENT, incident_steps
from envclone.demo.miss import LIMIT, Survey, ask, exactly, find_miss, questions, survey
from envclone.demo.production import DemoProduction, build
from envclone.demo.rebuild import choose, compare
from envclone.demo.stack import stack_yaml
from envclone.incidents.bundle import Incident, SqlStep, VectorStep
from envclone.models import ProgressEvent
from tests.support.leftovers import RUN

pytestmark = pytest.mark.real


def _quiet(event: ProgressEvent) -> None:
    assert event.step


def _directory() -> Path:
    path = Path(tempfile.mkdtemp(dir="/tmp", prefix=f"envclone-test-{RUN}-"))
    path.chmod(0o711)
    return path


@pytest.fixture(scope="module")
def production() -> Iterator[DemoProduction]:
    into = _directory()
    try:
        with build(into, progress=_quiet) as running:
            yield running
    finally:
        shutil.rmtree(into)


@pytest.fixture(scope="module")
def asked(production: DemoProduction) -> Survey:
    every = questions(production)
    return survey(production.app_dsn, every, exactly(production, every), progress=_quiet)


def test_it_is_a_desk_of_some_size(production: DemoProduction) -> None:
    assert production.rows["customers"] >= 5000
    assert production.rows["chunks"] >= 20_000
    assert production.rows["articles"] >= 20_000
    assert all(production.rows.values())


def test_the_applications_role_has_settings_of_its_own(production: DemoProduction) -> None:
    with psycopg.connect(production.app_dsn) as conn:
        assert conn.execute("SELECT current_user, current_setting('hnsw.ef_search')").fetchone() == ("app", "30")
    with psycopg.connect(production.dsn) as conn:
        assert conn.execute("SELECT current_setting('hnsw.ef_search')").fetchone() == ("100",)


def test_passwords_are_asked_for_and_in_no_dsn(production: DemoProduction) -> None:
    assert production.passfile.stat().st_mode & 0o077 == 0
    passwords = [line.split(":")[-1] for line in production.passfile.read_text().splitlines()]
    assert len(set(passwords)) == 2
    text = stack_yaml(production, Path("/pool"))
    assert not any(password in text or password in production.app_dsn for password in passwords)
    without = re.sub(r"passfile=\S+", "passfile=/nonexistent", production.app_dsn)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(without)


def test_former_addresses_are_gone_from_the_rows_and_still_in_the_files(production: DemoProduction) -> None:
    former = [c.former_email for c in production.desk.people.customers if c.former_email]
    leavers = [c.email for c in production.desk.people.leavers]
    with psycopg.connect(production.dsn) as conn:
        gone = conn.execute("SELECT count(*) FROM accounts WHERE email = ANY(%s)", ([*former, *leavers],)).fetchone()
        assert gone == (0,)
        conn.execute("CHECKPOINT")
        found = conn.execute("SELECT pg_relation_filepath('customers')").fetchone()
        assert found is not None
    heap = (production.cluster.data / found[0]).read_bytes()
    log = b"".join(path.read_bytes() for path in (production.cluster.data / "pg_wal").glob("0*"))
    # pages are pruned while they are read, so the heap has lost some already; the log has not
    for data, share in ((heap, 0.1), (log, 0.9)):
        assert sum(email.encode() in data for email in former) > len(former) * share
        assert sum(email.encode() in data for email in leavers) > len(leavers) * share


def test_the_collection_is_indexed_and_up_to_date(production: DemoProduction) -> None:
    copy = _directory() / "0"  # loading a shard writes to it
    shutil.copytree(production.qdrant / "collections" / "articles" / "0", copy)
    shard = qdrant_edge.EdgeShard.load(str(copy))
    try:
        info = shard.info()
        assert info.indexed_vectors_count >= 20_000
        moved = {c.id: c for c in production.desk.people.customers if c.former_email}
        chunk = next(c for c in production.desk.chunks if c.ticket and c.ticket.customer.id in moved)
        payload = shard.retrieve([chunk.id], True, False)[0].payload
        assert payload["author"]["email"] == chunk.ticket.customer.email
        leavers = {c.id for c in production.desk.people.leavers}
        gone = next(c for c in production.desk.chunks if c.ticket and c.ticket.customer.id in leavers)
        assert shard.retrieve([gone.id], True, False) == []
    finally:
        shard.close()
        shutil.rmtree(copy.parent)


def test_the_stack_file_is_valid_and_names_every_column(production: DemoProduction) -> None:
    home = _directory()
    try:
        file = home / "envclone.yaml"
        file.write_text(stack_yaml(production, home / "pool"))
        check(file, {})
        rules = yaml.safe_load(file.read_text())["sanitize"]["rules"]["main"]
    finally:
        shutil.rmtree(home)
    with psycopg.connect(production.dsn) as conn:
        columns = conn.execute(
            "SELECT 'public.' || c.relname || '.' || a.attname"
            " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0"
        ).fetchall()
        leaves = conn.execute("SELECT DISTINCT jsonb_object_keys(meta) FROM tickets").fetchall()
    declared = {address for address in rules if "*" not in address}
    computed = {"public.customer_activity.tickets", "public.customer_activity.last_ticket"}
    assert computed <= declared  # a materialized view's other columns have the rules of those that they show
    declared -= computed
    assert {address for (address,) in columns if not address.startswith("public.order_items.")} == declared
    assert {key for (key,) in leaves} == {re.split(r"[.\[]", path)[1] for path in rules["public.tickets.meta"]}


def test_the_index_misses_what_a_wider_search_finds(production: DemoProduction, asked: Survey) -> None:
    assert asked.seconds < 10
    assert 0.8 < asked.recall < 1
    assert asked.misses
    miss = asked.misses[0]
    assert len(miss.approximate) == len(miss.exact) == LIMIT
    assert not set(miss.approximate) & set(miss.exact)
    with psycopg.connect(production.app_dsn) as conn:
        assert ask(conn, miss.vector) == miss.approximate
        titles = conn.execute("SELECT title FROM chunks WHERE id = ANY(%s)", (list(miss.exact),)).fetchall()
        assert sum(miss.about in title for (title,) in titles) > LIMIT / 2
        conn.execute("SET LOCAL enable_indexscan = off")
        assert ask(conn, miss.vector) == miss.exact
    assert find_miss(production, progress=_quiet) == miss


def test_the_incident_can_be_run_and_written_down(production: DemoProduction, asked: Survey) -> None:
    incident = incident_steps(asked.misses[0], production)
    assert incident.incident == INCIDENT
    assert Incident.model_validate_json(incident.model_dump_json()) == incident
    retrieve, customer, articles = incident.steps
    assert isinstance(retrieve, SqlStep) and isinstance(customer, SqlStep) and isinstance(articles, VectorStep)
    with psycopg.connect(production.app_dsn) as conn:
        rows = conn.execute(retrieve.sql.encode(), retrieve.parameters).fetchall()
        assert tuple(row[0] for row in rows) == asked.misses[0].approximate
        tickets = conn.execute(customer.sql.encode(), customer.parameters).fetchall()
        assert len(tickets) >= 3 and not tickets[0][3].isascii()
    assert all(step.expect is None for step in incident.steps)


def test_a_dump_and_restore_gives_other_misses(production: DemoProduction, asked: Survey) -> None:
    into = _directory()
    try:
        comparison = compare(production, into, progress=_quiet, before=asked)
        assert process.alive(_postmaster(production.cluster.data))
        assert not (into / "data" / "postmaster.pid").exists()
    finally:
        shutil.rmtree(into)
    assert comparison.gone and comparison.identical < 1
    chosen = choose(comparison)
    assert chosen in comparison.production.misses
    assert comparison.copy.answers[chosen.question].recall > 0


def test_a_failing_block_stops_the_server() -> None:
    into = _directory()
    try:
        with pytest.raises(ZeroDivisionError), build(into, progress=_quiet, customers=200, chunks=600) as small:
            pid = _postmaster(small.cluster.data)
            assert process.alive(pid)
            raise ZeroDivisionError
        # pg_ctl waits for the server's file to go, which is a moment before its process does
        wait.until(lambda: None if process.alive(pid) else True, what="the server goes on", timeout=5)
    finally:
        shutil.rmtree(into)


def _postmaster(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])
