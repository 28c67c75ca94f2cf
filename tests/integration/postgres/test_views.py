"""Materialized views that production did not refresh: their rows are masked where they stand, and stay theirs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone.config.schema import StoreConfig
from envclone.masking import rules
from envclone.masking.corpus import Corpus
from envclone.masking.kinds import DomainSpec
from envclone.masking.masks import MaskSet
from envclone.models import RewriteReport, StorePlan, StoreSnapshot
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.server import server
from envclone.stores.postgres.session import PostgresSession
from envclone.stores.postgres.store import PostgresStore
from tests.support.majors import NEWEST_FIRST
from tests.support.postgres import production, scratch

pytestmark = pytest.mark.real

SCHEMA = """
CREATE EXTENSION vector;
CREATE TABLE people (id int PRIMARY KEY, first text, last text, mail text, born date, doc jsonb, v vector(4),
    words tsvector) PARTITION BY RANGE (id);
CREATE TABLE people_1 (v vector(4), id int NOT NULL, first text, last text, mail text, born date, doc jsonb,
    words tsvector);
ALTER TABLE people ATTACH PARTITION people_1 FOR VALUES FROM (0) TO (200);
CREATE TABLE people_2 PARTITION OF people FOR VALUES FROM (200) TO (1000);
CREATE TRIGGER words BEFORE INSERT OR UPDATE ON people FOR EACH ROW
    EXECUTE FUNCTION tsvector_update_trigger('words', 'pg_catalog.simple', 'first', 'last');
INSERT INTO people SELECT i, 'Zanna', 'Quimby' || chr(97 + i % 26), 'zq' || i || '@corp.example', date '1970-01-01' + i,
    jsonb_build_object('mail', 'zq' || i || '@corp.example'), ARRAY[i, i % 7, i % 3, 1]::vector
    FROM generate_series(1, 300) i;
CREATE VIEW named AS SELECT p.id, p.last AS family, p.first, p.mail, p.born, p.doc, p.v, p.words FROM people p;
CREATE MATERIALIZED VIEW "Found" AS
    SELECT n.*, n.first || ' ' || n.family AS whole, count(*) OVER () AS n FROM named n WHERE id > 10;
CREATE UNIQUE INDEX found_mail ON "Found" (mail);
CREATE INDEX found_whole ON "Found" (lower(whole));
CREATE INDEX found_v ON "Found" USING hnsw (v vector_l2_ops);
CREATE MATERIALIZED VIEW again AS SELECT DISTINCT family FROM "Found";
CREATE MATERIALIZED VIEW tight WITH (fillfactor = 100) AS SELECT id, first AS small FROM people_1;
CREATE MATERIALIZED VIEW never AS SELECT mail FROM people WITH NO DATA;
DELETE FROM people WHERE id BETWEEN 11 AND 30;
INSERT INTO people SELECT i, 'Zanna', 'Quimby' || chr(97 + i % 26), 'zq' || i || '@corp.example', NULL, NULL, NULL
    FROM generate_series(301, 350) i;
"""
RULES = {
    "public.people.id": "keep", "public.people.first": "person", "public.people.last": "person",
    "public.people.mail": "email", "public.people.born": {"domain": "date", "by": "id"},
    "public.people.doc": {"$.mail": "email"}, "public.people.v": {"vectors": "keep"}, "public.people.words": "text",
    "public.Found.whole": "person", "public.Found.n": "keep", "public.tight.small": "wide",
}  # fmt: skip
DOMAINS = {"wide": DomainSpec("constant", value="9" * 60)}
VIEW = 'public."Found"'
MASKS = MaskSet(b"a key of thirty-two bytes, really", DOMAINS, Corpus())

Clone = tuple[Path, StoreSnapshot]


@pytest.fixture(scope="module", params=NEWEST_FIRST)
def raw(request: pytest.FixtureRequest) -> Iterator[Clone]:
    """A stopped server's files."""
    with production(request.param) as running, scratch() as place:
        running.create_database("app")
        running.execute(SCHEMA, "app")
        running.execute("VACUUM ANALYZE", "app")
        running.stop()
        directory = place / "raw"
        directory.mkdir(mode=0o711)
        source = {"method": "directory", "path": str(running.data), "database": "app"}
        config = StoreConfig.model_validate({"kind": "postgres", "source": source})
        yield directory, PostgresStore().snapshot("main", config, directory, lambda event: None)


@contextmanager
def _copy(raw: Clone) -> Iterator[Clone]:
    with scratch() as place:
        shutil.copytree(raw[0], place / "clone", symlinks=True)
        try:
            yield place / "clone", raw[1]
        finally:
            server.stop(place / "clone" / "data", "immediate")


@contextmanager
def _open(clone: Clone) -> Iterator[tuple[PostgresSession, psycopg.Connection[Any]]]:
    with PostgresStore().open(*clone, log=clone[0].parent / "log") as session:
        assert isinstance(session, PostgresSession)
        with session._connect(autocommit=True) as conn:
            conn.execute("SET search_path = public")
            yield session, conn


def _sanitized(clone: Clone, method: str) -> tuple[StorePlan, RewriteReport]:
    with _open(clone) as (session, _):
        plan = replace(rules.plan(RULES, DOMAINS, session.inventory()), method=method)
        report = session.rewrite(plan, MASKS, lambda event: None)
    PostgresStore().scrub(*clone, plan)
    return plan, report


class _Look:
    """Looks at nothing."""

    def rows(self, rows: Any, masked: Any) -> None: ...

    def batch(self, *_: Any) -> None: ...

    def batches(self, many: Any) -> None: ...

    def numbers(self, *_: Any) -> None: ...

    def by_others(self, address: str, made: Any) -> None: ...

    def found(self) -> Any:
        return None

    def take(self, found: Any) -> None: ...


@pytest.mark.parametrize("method", ["in-place", "sql"])
def test_a_stale_view_s_rows_are_production_s_under_the_masks(raw: Clone, method: str) -> None:
    with _copy(raw) as ours, _copy(raw) as clone:
        plan, report = _sanitized(clone, method)
        shows = {name: plan.rules[f"public.Found.{name}"] for name in ("family", "mail", "born", "v", "words")}
        assert {name: rule.domain for name, rule in shows.items()} == {
            "family": "person", "mail": "email", "born": "date", "v": "keep", "words": "text",
        }  # fmt: skip
        assert shows["born"].by == "public.Found.id" and plan.rules["public.again.family"].domain == "person"
        with _open(ours) as (before, old), _open(clone) as (after, new):
            placed = report.placed if method == "in-place" else ()
            compared = before.compare(after, plan, MASKS, placed, _Look(), lambda event: None)  # type: ignore[arg-type]
            assert compared.problems == ()
            assert compared.rows["public.Found"] == 290 and "public.never" not in compared.rows
            ids = f"SELECT min(id), max(id), count(*), count(*) FILTER (WHERE id < 31), max(n) FROM {VIEW}"
            assert new.execute(ids).fetchone() == old.execute(ids).fetchone() == (11, 300, 290, 20, 290)
            gone = f"SELECT count(*) FROM {VIEW} f LEFT JOIN people p USING (id) WHERE p.mail IS DISTINCT FROM f.mail"
            assert new.execute(gone).fetchone() == (20,)
            apart = f"""SELECT count(*) FILTER (WHERE whole <> first || ' ' || family),
                          count(*) FILTER (WHERE doc ->> 'mail' <> mail),
                          count(*) FILTER (WHERE words <> to_tsvector('simple', first || ' ' || family)),
                          count(*) FILTER (WHERE whole ~ 'Quimby' OR mail ~ 'corp') FROM {VIEW}"""
            assert new.execute(apart).fetchone() == (0, 0, 0, 0)
            kinds = "SELECT relname, relkind, relhasrules, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1"
            assert new.execute(kinds).fetchall() == old.execute(kinds).fetchall()
            definitions = "SELECT matviewname, definition FROM pg_matviews ORDER BY 1"
            assert new.execute(definitions).fetchall() == old.execute(definitions).fetchall()
            assert new.execute("SELECT count(*), min(small) FROM tight WHERE length(small) = 60").fetchone() == (
                179 + 20,  # the view still has the rows that its table has lost
                "9" * 60,
            )
            invalid = "SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)"
            assert new.execute(invalid).fetchone() == (0,)
            new.execute('REFRESH MATERIALIZED VIEW "Found"')  # it still is one, and a caller that asks for it gets it
            assert new.execute(f"SELECT max(id) FROM {VIEW}").fetchone() == (350,)


def test_rows_of_a_view_and_its_vector_index_stay_where_they_were(raw: Clone) -> None:
    with _copy(raw) as clone:
        _, report = _sanitized(clone, "in-place")
        assert {"public.Found", "public.again"} <= set(report.placed)
        assert report.moved.keys() == {"public.tight"}
        relations = {r.name: r for d in layout.load(clone[0]).databases if d.name == "app" for r in d.relations}
        path = relations["public.found_v"].path
        assert (raw[0] / "data" / path).read_bytes() == (clone[0] / "data" / path).read_bytes()
