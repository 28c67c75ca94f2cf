"""Every step of sanitization is left out once, by mutation of the code, and no image may come of it.

The steps are what the conducting functions call (`tests.support.steps`). Each has either a mutation here, with the
finding that must name what it left, or the reason why its omission leaves nothing of anybody. A new step has neither,
and fails the first test. Steps whose findings do not hide each other are left out in one run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envclone.api import Stack
from envclone.errors import EnvcloneError, UnsafeError
from envclone.lifecycle import publish
from envclone.stores.qdrant.crc32c import crc32c
from tests.support.postgres import Production, production
from tests.support.qdrant import build, change
from tests.support.stack import Place, place
from tests.support.steps import steps

STACK = """\
version: 1
project: steps
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "@DSN@", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: "@KB@"}}
sanitize:
  hooks: [hooks/labels.sql]
  domains: {email: {kind: email, unique: true}, wide: {kind: constant, value: "@WIDE@"}}
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.people.history: text
      public.people.tags: person
      public.people.doc: {"$.name": person}
      public.people.born: date
      public.people.words: {domain: text, by: history}
      public.people.late: person
      public.people.shout: keep
      public.past.id: keep
      public.past.late: person
      public.narrow.id: keep
      public.narrow.who: wide
      public.tagged.id: keep
      public.tagged.name: person
      public.numbered.id: integer
      public.numbered.who: keep
      public.t_*.*: keep
      public.added.*: keep
      pg_largeobject: "null"
    kb:
      {articles.author.name: person, articles.author.email: email, articles.n: keep, articles.vectors: keep,
       articles.point_ids: keep}
"""
HOOK = """\
-- stage: after
-- store: main
-- writes: public.tagged.label
UPDATE public.tagged SET label = 'by ' || name;
"""
SPECIAL = ("dead", "gap", "gone", "large", "index", "stray", "strange", "twophase", "wal", "object", "late",
           "past", "log", "archived", "split", "passing", "collation")  # fmt: skip
"""Who stands in one place each."""


def _who(what: str) -> str:
    return f"Zanzibar Quuxing{what}"


SQL = """
CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, history text, tags text[], doc jsonb,
    born daterange, words tsvector, shout text GENERATED ALWAYS AS (upper(name)) STORED);
ALTER TABLE people ALTER history SET STORAGE EXTERNAL;
INSERT INTO people (id, name, email, history, tags, doc, born, words)
    SELECT i, name, 'zanzibar.quux' || i || '@corp.example', repeat(name || ' said hello. ', 1 + i % 150), ARRAY[name],
           jsonb_build_object('name', name), daterange(date '1980-01-01' + i, date '1981-01-01' + i),
           to_tsvector('simple', name)
    FROM (SELECT i, 'Zanzibar Quuxing' || chr(97 + i % 26) || chr(97 + i / 26) AS name
          FROM generate_series(0, 299) i) s;
CREATE INDEX ON people (name);
UPDATE people SET history = history || ' again' WHERE id < 100;
ALTER TABLE people ADD late text DEFAULT '{late}';
ALTER TABLE people ALTER late DROP DEFAULT;
CREATE TABLE past (id int);
INSERT INTO past VALUES (1), (2);
ALTER TABLE past ADD late text[] DEFAULT ARRAY['{past}'];
ALTER TABLE past ALTER late DROP DEFAULT;
CREATE TABLE tagged (id int, name text, label text);
INSERT INTO tagged SELECT id, name, 'by ' || name FROM people WHERE id < 9;
CREATE TABLE numbered (id serial PRIMARY KEY, who text);
INSERT INTO numbered (who) SELECT 'x' FROM generate_series(1, 20);
CREATE TABLE narrow (id int PRIMARY KEY, who text) WITH (fillfactor = 100);
INSERT INTO narrow SELECT i, 'ab' FROM generate_series(1, 400) i;
CREATE MATERIALIZED VIEW seen AS SELECT name FROM people;
SELECT lo_from_bytea(77, convert_to('of {object}', 'UTF8'));
CREATE TABLE t_dead (note text) WITH (autovacuum_enabled = off); INSERT INTO t_dead VALUES ('of {dead}'), ('x');
DELETE FROM t_dead WHERE note <> 'x';
CREATE TABLE t_gap (note text) WITH (autovacuum_enabled = off); INSERT INTO t_gap VALUES ('x'), ('of {gap}');
DELETE FROM t_gap WHERE note <> 'x';
VACUUM t_gap;
CREATE TABLE t_split (note text) WITH (autovacuum_enabled = off); CREATE INDEX split ON t_split USING spgist (note);
INSERT INTO t_split VALUES ('of {split}'), ('x');
DELETE FROM t_split WHERE note <> 'x';
CREATE TABLE t_gone (id int, gone text, large text) WITH (autovacuum_enabled = off);
ALTER TABLE t_gone ALTER large SET STORAGE EXTERNAL;
INSERT INTO t_gone VALUES (1, 'of {gone}', repeat('of {large} ', 300));
ALTER TABLE t_gone DROP gone, DROP large;
DO $$BEGIN FOR i IN 1..9 LOOP EXECUTE format('CREATE DOMAIN %I AS int', '{index}' || i); END LOOP; END$$;
DO $$BEGIN FOR i IN 1..9 LOOP EXECUTE format('DROP DOMAIN %I', '{index}' || i); END LOOP; END$$;
ANALYZE;
ANALYZE pg_authid;
CREATE ROLE somebody LOGIN PASSWORD 'secret';
ALTER ROLE somebody SET app.api_key = 'k';
CREATE FOREIGN DATA WRAPPER bare;
CREATE SERVER far FOREIGN DATA WRAPPER bare OPTIONS (host 'db.corp.example', dbname 'x');
CREATE USER MAPPING FOR somebody SERVER far OPTIONS (user 'u', password 'p');
SELECT pg_replication_origin_create('here');
CREATE FUNCTION loud() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER noise ON sql_drop EXECUTE FUNCTION loud();
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint, command text); INSERT INTO cron.job VALUES (1, 'SELECT 1');
CREATE TABLE cron.job_run_details (runid bigint, return_message text);
INSERT INTO cron.job_run_details VALUES (1, 'done');
CREATE TABLE added (note text); INSERT INTO added VALUES ('x');
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (16000, 'pg_cron', 10, 'cron'::regnamespace, false, '1.6');
ALTER EXTENSION pg_cron ADD TABLE cron.job;
ALTER EXTENSION pg_cron ADD TABLE cron.job_run_details;
ALTER EXTENSION pg_cron ADD TABLE added;
CREATE SUBSCRIPTION sub CONNECTION 'host=db.corp.example' PUBLICATION p WITH (connect = false, slot_name = NONE);
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.create_database("other")
        with server.connect("app") as connection:
            for statement in filter(str.strip, SQL.format(**{what: _who(what) for what in SPECIAL}).split(";\n")):
                connection.execute(statement.encode())
            connection.cursor().executemany(
                "INSERT INTO people (id, name, email) VALUES (%s, %s, %s)",
                [(1000 + i, _who(what), f"{what}@quux.example") for i, what in enumerate(SPECIAL)],
            )
        with server.connect("app") as session:  # one that is open while a snapshot is taken
            session.execute("CREATE TEMPORARY TABLE passing (note text DEFAULT 'x', who text)")
            session.execute("CREATE TEMPORARY VIEW by AS SELECT note FROM passing")
            session.execute(f"COMMENT ON TABLE passing IS 'of {_who('passing')}'")
            session.execute(f"COMMENT ON COLLATION \"POSIX\" IS 'English ({_who('collation')})'")
            session.execute(
                f"INSERT INTO passing SELECT 'x', '{_who('passing')}' FROM pg_catalog.generate_series(1, 9)"
            )
            session.execute("ANALYZE passing")
            yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    def payload(number: int) -> dict[str, Any]:
        return {"author": {"name": _who(f"a{chr(97 + number % 11)}"), "email": f"zanzibar.quux{number}@corp.example"},
                "n": number}  # fmt: skip

    with place() as made:
        shard = build(made.directory / "storage", points=60, payload=payload, indexed=("author.email",))
        change(shard, [], range(50, 55))
        (made.directory / "hooks").mkdir()
        (made.directory / "hooks" / "labels.sql").write_text(HOOK)
        text = STACK.replace("@DSN@", prod.dsn_for("app")).replace("@KB@", str(made.directory / "storage"))
        made.write(text.replace("@WIDE@", hashlib.shake_256(b"wide").hexdigest(200)))
        with pytest.MonkeyPatch.context() as patch:  # pg_cron's library is not here, and nothing loads it
            patch.setattr("envclone.stores.postgres.snapshot.describe.missing", _no_list)
            made.open().snapshot("prod")
        yield made


@pytest.fixture
def stack(here: Place) -> Iterator[Stack]:
    opened = here.open()
    yield opened
    for one in here.leftovers():
        if not one.startswith("raw/"):
            opened.project.cow.remove(here.pool / one)


def _nothing(*arguments: Any, **options: Any) -> tuple[()]:
    return ()


def _no_list(*arguments: Any, **options: Any) -> list[Any]:
    return []


def _zero(*arguments: Any, **options: Any) -> int:
    return 0


def _none(*arguments: Any, **options: Any) -> None:
    return None


def _empty(*arguments: Any, **options: Any) -> dict[str, Any]:
    return {}


def _cleaned(*arguments: Any, **options: Any) -> Any:
    from envclone.models import Cleaned

    return Cleaned("left out", 0)


def _nobody_dead(pages: Any, items: Any, transactions: Any) -> Any:
    return np.zeros(len(items), dtype=np.bool_)


def _all_live(pages: Any, items: Any, path: str) -> Any:
    return np.ones(pages.shape, dtype=np.bool_)


def _none_soiled(pages: Any, kept: Any, place: str) -> Any:
    return np.zeros(len(pages), dtype=np.bool_)


@dataclass(frozen=True)
class Mutation:
    """A step that does nothing, where that is, and what a finding then says (a pattern); `run` says with which others
    it is left out."""

    step: str
    target: str
    instead: Callable[..., Any]
    says: str
    run: str


_PG, _KB = "envclone.stores.postgres.", "envclone.stores.qdrant."
_WRITER = f"{_PG}write.inplace.writer."
_DEFANG, _RESIDUE, _BLANKS = f"{_PG}scrub.defang.", f"{_PG}scrub.residue.", f"{_PG}scrub.blanks."


def _no_corpus(*arguments: Any, **options: Any) -> Any:
    from envclone.masking.corpus import CorpusBuilder

    return CorpusBuilder(None).build()


def _pages_as_they_were(data: Any, works: Any, *others: Any) -> Any:
    from envclone.stores.postgres.write.inplace.files import LeafDone

    return [LeafDone() for _ in works]


def _payloads_as_they_were(segment: Any, mask: Any, address: str) -> Any:
    from envclone.stores.qdrant.session import _Written

    return _Written()


MUTATIONS = (
    # what rows show: values written in pages, by the server, in the catalog, where a page had no room, through SQL
    Mutation("postgres.write.inplace.writer: write_files", f"{_WRITER}write_files", _pages_as_they_were,
             r"public\.people\.name", "pages"),
    Mutation("postgres.write.inplace.writer: stage.stage_masked", f"{_WRITER}stage.stage_masked", _none,
             r"public\.people\.born", "rows"),
    Mutation("postgres.write.inplace.writer: missing.replace", f"{_WRITER}missing.replace", _none,
             r"public\.people\.late", "rows"),
    Mutation("postgres.write.inplace.writer: self._leftover", f"{_WRITER}_Rewriting._leftover", _empty,
             r"public\.narrow\.who", "rows"),
    Mutation("postgres.write.inplace.writer: self._through_sql", f"{_WRITER}_Rewriting._through_sql", _empty,
             r"public\.past\.late", "rows"),
    Mutation("postgres.write.inplace.writer: sequences.advance", f"{_WRITER}sequences.advance", _none,
             "sequence public.numbered_id_seq is behind", "rows"),
    Mutation("lifecycle.sanitize: hooks.run_sql", "envclone.hooks.hookset.HookSet.run_sql", _none,
             r"public\.tagged\.label", "files"),
    Mutation("postgres.write.rewrite: _leaf", f"{_PG}write.rewrite._leaf", _none, r"public\.past\.late", "pages"),
    Mutation("postgres.write.inplace.writer: through_sql.unlink_large_objects",
             f"{_PG}write.rewrite.unlink_large_objects", _zero, "pg_largeobject", "rows"),
    Mutation("postgres.write.inplace.writer: indexes.rebuild", f"{_PG}write.indexes.rebuild", _none,
             "unique index public.people_email_key", "rows"),
    Mutation("postgres.write.inplace.writer: indexes.renew_split", f"{_PG}write.indexes.renew_split", _zero, "@split@",
             "files"),
    Mutation("postgres.write.rewrite: indexes.rebuild", f"{_PG}write.indexes.rebuild", _none,
             "unique index public.people_email_key", "rows"),
    Mutation("postgres.write.inplace.writer: stage.drop", f"{_WRITER}stage.drop", _none, "only in the sanitized data",
             "rows"),
    # what follows from rows
    Mutation("postgres.write.inplace.writer: self._compute", f"{_WRITER}_Rewriting._compute", _none,
             r"public\.people\.(shout|words)", "files"),
    Mutation("postgres.write.inplace.writer: textsearch.vectors", f"{_WRITER}textsearch.vectors", _no_list,
             r"public\.people\.words", "files"),
    Mutation("postgres.write.inplace.writer: self._renew_statistics", f"{_WRITER}_Rewriting._renew_statistics", _none,
             "@pg_statistic@", "files"),
    # what no row shows any more
    Mutation("postgres.write.rewrite: _forget_missing", f"{_PG}write.rewrite._forget_missing", _none,
             r"base/\d+/\d+: .* of main\.public\.past\.late|pg_attribute", "files"),
    Mutation("lifecycle.sanitize: identities_of", "envclone.lifecycle.sanitize.identities_of", _no_corpus,
             r"public\.people\.history", "corpus"),
    Mutation("postgres.scrub.blanks: dead", f"{_BLANKS}dead", _nobody_dead, "@t_dead@", "files"),
    Mutation("postgres.scrub.blanks: live_mask", f"{_BLANKS}live_mask", _all_live, "@t_gap@", "files"),
    Mutation("postgres.scrub.blanks: _orphaned", f"{_BLANKS}_orphaned", _nobody_dead, "@t_gone's TOAST@", "pages"),
    Mutation("postgres.scrub.blanks: _soiled", f"{_BLANKS}_soiled", _none_soiled, "@t_gap@", "again"),
    Mutation("postgres.scrub.blanks: _blank_dropped", f"{_BLANKS}_blank_dropped", _none, "@t_gone@", "files"),
    Mutation("postgres.scrub.blanks: _blank_chunks", f"{_BLANKS}_blank_chunks", _zero, "@t_gone's TOAST@", "again"),
    Mutation("postgres.scrub.residue: blanks.erase_holes", f"{_BLANKS}erase_holes", _nothing,
             "@an index of a catalog@", "files"),
    Mutation("postgres.session: quiesce.vacuum_catalogs", f"{_PG}scrub.quiesce.vacuum_catalogs", _zero,
             "@an index of a catalog@", "again"),
    Mutation("postgres.scrub.residue: _storage", f"{_RESIDUE}_storage", _nothing, "99999", "files"),
    Mutation("postgres.scrub.residue: _remove", f"{_RESIDUE}_remove", _none, "99999", "again"),
    Mutation("postgres.scrub.residue: _wal", f"{_RESIDUE}_wal", _cleaned, "pg_wal/", "files"),
    # what could reach out
    Mutation("postgres.scrub.defang: _passwords", f"{_DEFANG}_passwords", _cleaned, "roles have passwords", "armed"),
    Mutation("postgres.scrub.defang: _subscriptions", f"{_DEFANG}_subscriptions", _no_list, "subscriptions are left",
             "armed"),
    Mutation("postgres.scrub.defang: _temporary", f"{_DEFANG}_temporary", _cleaned, "comment on table pg_temp", "rows"),
    Mutation("postgres.scrub.defang: _collations", f"{_DEFANG}_collations", _cleaned, "comment on collation", "rows"),
    Mutation("postgres.scrub.defang: _foreign", f"{_DEFANG}_foreign", _no_list, "foreign servers name another machine",
             "armed"),
    Mutation("postgres.scrub.defang: _databases", f"{_DEFANG}_databases", _no_list, "other databases are left",
             "armed"),
    Mutation("postgres.scrub.defang: _statistics", f"{_DEFANG}_statistics", _cleaned, "samples of catalogs", "armed"),
    Mutation("postgres.scrub.defang: _jobs", f"{_DEFANG}_jobs", _cleaned, "2 scheduled jobs, or what their runs said",
             "armed"),
    Mutation("postgres.scrub.defang: _origins", f"{_DEFANG}_origins", _cleaned, "replication origins are left",
             "armed"),
    Mutation("postgres.scrub.defang: _settings", f"{_DEFANG}_settings", _cleaned, "settings of roles or databases",
             "armed"),
    Mutation("postgres.rights.demotion: settings", "envclone.stores.postgres.rights.demotion.settings", _cleaned,
             "settings of roles or databases", "armed"),
    Mutation("postgres.rights.demotion: event_triggers", "envclone.stores.postgres.rights.demotion.event_triggers",
             _cleaned, "event triggers are enabled", "armed"),
    # Qdrant
    Mutation("qdrant.session: _rewrite", f"{_KB}session._rewrite", _payloads_as_they_were, "articles", "pages"),
    Mutation("qdrant.session: indexes.drop", f"{_KB}indexes.drop", _zero, "payload_index", "files"),
    Mutation("qdrant.session: wal.empty", f"{_KB}wal.empty", _zero, "/wal/", "files"),
    Mutation("qdrant.residue: wal.empty", f"{_KB}wal.empty", _zero, "/wal/", "files"),
    Mutation("qdrant.residue: wipe", f"{_KB}residue.wipe", _zero, "free block|payload_storage", "files"),
    Mutation("qdrant.residue: _settle", f"{_KB}residue._settle", _zero, "a journal of the tracker is left", "files"),
    Mutation("qdrant.residue: _remove", f"{_KB}residue._remove", _cleaned, "stray.json", "files"),
    Mutation("qdrant.residue: indexes.unexplained", f"{_KB}indexes.unexplained", _no_list, "gone-map_index", "files"),
)  # fmt: skip

NO_LEAK = {
    "it says in the attestation which nets were laid over free text": (
        "lifecycle.publish: _nets", "lifecycle.publish: nets.named", "lifecycle.publish: nets.versions",
    ),
    "it says how far the work is": ("lifecycle.publish: project.begin", "lifecycle.sanitize: project.begin"),
    "it is made of others, which are left out one by one": (
        "lifecycle.sanitize: session.rewrite", "lifecycle.sanitize: session.defang",
        "lifecycle.sanitize: registry.store", "lifecycle.sanitize: opening.sessions",
        "postgres.session: defang.defang", "postgres.scrub.residue: _heaps", "postgres.scrub.residue: _files",
        "postgres.scrub.residue: eraser.erase", "postgres.scrub.blanks: self._blank",
        "postgres.scrub.blanks: _blanked",
        "postgres.write.inplace.writer: self._on_files", "postgres.write.inplace.writer: self._stage",
    ),
    "it reads, finds or tells, and changes nothing": (
        "lifecycle.publish: _changed", "lifecycle.publish: lowest", "lifecycle.publish: records.dump",
        "lifecycle.publish: rebuilt.stores_of",
        "lifecycle.publish: project.log", "lifecycle.sanitize: planning.plan", "lifecycle.sanitize: session.inventory",
        "lifecycle.sanitize: keep", "lifecycle.sanitize: give_back", "lifecycle.sanitize: apart",
        "lifecycle.sanitize: together",
        "qdrant.session: fork_map", "qdrant.session: processors", "qdrant.session: collections",
        "lifecycle.sanitize: compiled.at_hand", "lifecycle.sanitize: compiled.prepare", "lifecycle.sanitize: deferred",
        "lifecycle.sanitize: image_id", "lifecycle.sanitize: project.clone_raw", "lifecycle.sanitize: project.hooks",
        "lifecycle.sanitize: project.progress", "lifecycle.sanitize: sessions.items",
        "postgres.rights.demotion: save", "postgres.scrub.blanks: _referenced", "postgres.scrub.residue: _together",
        "postgres.scrub.blanks: normal_items", "postgres.scrub.blanks: read", "postgres.scrub.blanks: _moved",
        "postgres.scrub.residue: _names", "postgres.scrub.residue: control.read",
        "postgres.scrub.residue: control.transactions", "postgres.scrub.residue: engine.for_snapshot",
        "postgres.scrub.residue: layout.load", "postgres.session: as_cleaned", "postgres.session: layout.read_layout",
        "postgres.session: layout.save", "postgres.session: self._touch", "postgres.write.inplace.writer: _count",
        "postgres.write.inplace.writer: _written_later", "postgres.write.inplace.writer: read_relations",
        "postgres.write.inplace.writer: read_tables", "postgres.write.inplace.writer: select.choose",
        "postgres.write.inplace.writer: select.column_types", "postgres.write.inplace.writer: self._connect",
        "postgres.write.inplace.writer: self._count", "postgres.write.inplace.writer: self._jobs",
        "postgres.write.inplace.writer: self._masked", "postgres.write.inplace.writer: self._operator",
        "postgres.write.inplace.writer: self._stopped", "postgres.write.inplace.writer: self._work",
        "postgres.write.inplace.writer: through_sql.explained", "postgres.write.inplace.writer: written_columns",
        "postgres.write.rewrite: affected_columns", "postgres.write.rewrite: explained",
        "postgres.write.rewrite: indexes_on", "qdrant.residue: collections", "qdrant.session: digest.masked_keys",
        "qdrant.session: self._rule",
    ),
    "another step removes the same: `tidy` slots, `_remove` prepared transactions, opening a clone what `tidy` does": (
        "postgres.scrub.residue: tidy", "postgres.scrub.defang: release_horizon",
        "postgres.session: quiesce.release_horizon",
    ),
    "`_wal` is little else, and is left out": ("postgres.scrub.residue: emptylog.renew",),
    "a snapshot is taken so; what an older one has of peers is refused": ("qdrant.residue: identity.establish",),
    "an index whose entries stay is built again without them; one that is not brought back is out of use": (
        "postgres.write.inplace.writer: indexes.reinstate", "postgres.write.inplace.writer: standing.holds",
        "postgres.write.inplace.writer: standing.witnesses",
    ),
    "`indexes.rebuild` builds the index again either way": (
        "postgres.write.inplace.writer: indexes.retire", "postgres.write.rewrite: indexes.retire",
    ),
    "what a trigger writes then is compared like everything else": ("postgres.write.rewrite: triggers.silenced",),
    "numbers of rows alone": ("postgres.session: quiesce.count_anew",),
    "it keeps in quarantine what later commands need, and they say that it is missing": (
        "lifecycle.sanitize: _save_corpus", "lifecycle.sanitize: _save_plans",
    ),
    "without it no later image is taken over from this one": ("lifecycle.publish: made_by",),
    "without it nothing shares the last image's blocks": ("lifecycle.sanitize: session.follow",),
    "another test here leaves it out": ("lifecycle.publish: attestation.seal", "lifecycle.publish: stores_record"),
    "it is a check, which refuses by itself": (
        "postgres.write.inplace.writer: checks.amcheck", "postgres.write.inplace.writer: checks.constraints",
        "postgres.write.inplace.writer: likeness.require", "postgres.write.inplace.writer: through_sql.check",
    ),
    "without it the next step fails": (
        "postgres.write.inplace.writer: stage.make", "postgres.scrub.blanks: _write",
        "postgres.write.rewrite: views.writable",
        "postgres.session: quiesce.every_database_open", "qdrant.session: engine.aside",
        "qdrant.session: engine.beside", "qdrant.session: engine.settle",
        "postgres.rights.demotion: roles.demote", "postgres.rights.demotion: roles.make_ours",
    ),
    "rights over the server, which tests/security/production and tests/security/branch try": (
        "postgres.rights.demotion: owners.move", "postgres.rights.demotion: powers.close",
        "lifecycle.publish: take_back",
    ),
}  # fmt: skip
"""Steps without a mutation, by the reason why."""

RUNS = sorted({one.run for one in MUTATIONS})


def _plant(directory: Path) -> None:
    """What a cleaned directory must not have, beside what production has: it is put there right before the cleaning."""
    if (data := directory / "data").is_dir():
        base = next(path for path in (data / "base").iterdir() if (path / "2619").exists())
        (base / "99999").write_text(_who("stray"))
        (data / "pg_twophase" / "0000000000000001").write_text(_who("twophase"))
        segment = max((data / "pg_wal").glob("0*"))
        with segment.open("r+b") as file:
            file.seek(-8192, 2)
            file.write(_who("wal").encode())
    else:
        (directory / "stray.json").write_text(_who("stray"))
        for folder in directory.rglob("payload_index"):
            (folder / "gone-map_index").mkdir()
            (folder / "gone-map_index" / "x").write_text(_who("strange"))
        # a change of the tracker that is none: the first point's slot as it is
        tracker = next(directory.rglob("payload_storage/tracker.dat"))
        payload = bytes(4) + tracker.read_bytes()[4:20]
        entry = len(payload).to_bytes(4, "little") + crc32c(payload).to_bytes(4, "little") + payload
        (tracker.parent / "tracker_journal.dat").write_bytes(entry)


_NAMED = ("pg_type_typname_nsp_index", "pg_constraint_conname_nsp_index")


@pytest.fixture
def places(prod: Production) -> dict[str, str]:
    """Where the relations lie that the findings name."""

    def path(relation: str) -> str:
        return str(prod.execute(f"SELECT pg_relation_filepath({relation})", "app")[0][0])

    return {
        "seen": path("'seen'"),
        "pg_statistic": path("'pg_statistic'"),
        "t_dead": path("'t_dead'"),
        "t_gap": path("'t_gap'"),
        "split": path("'split'"),
        "t_gone": path("'t_gone'"),
        "an index of a catalog": "|".join([*(path(f"'{name}'") for name in _NAMED), *_NAMED]),
        "t_gone's TOAST": path("(SELECT reltoastrelid FROM pg_class WHERE relname = 't_gone')::regclass"),
    }


@pytest.mark.parametrize("run", RUNS)
def test_a_step_that_is_left_out_is_caught(
    run: str, stack: Stack, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from envclone.stores.postgres.scrub import residue
    from envclone.stores.qdrant import residue as of_qdrant

    for module in (residue, of_qdrant):
        monkeypatch.setattr(module, "scrub", _after(_plant, module.scrub))
    real = publish.verify
    mutations = [one for one in MUTATIONS if one.run == run]

    with monkeypatch.context() as mutated:

        def honest(*arguments: Any) -> Any:
            mutated.undo()
            return real(*arguments)

        for one in mutations:  # verification opens a shard too, and would empty its log
            (monkeypatch if one.step.endswith("wal.empty") else mutated).setattr(one.target, one.instead)
        mutated.setattr(publish, "verify", honest)
        with pytest.raises(EnvcloneError) as caught:
            stack.image("prod")
    said = "\n".join([caught.value.message, *caught.value.problems])
    assert "uuxing" not in said
    for one in mutations:
        pattern = one.says
        for name, where in places.items():
            pattern = pattern.replace(f"@{name}@", f"{where}|{name}")
        assert re.search(pattern, said), (one.step, said)


def _after(first: Callable[[Path], None], then: Callable[..., Any]) -> Callable[..., Any]:
    def both(directory: Path, *arguments: Any) -> Any:
        first(directory)
        return then(directory, *arguments)

    return both


def test_every_step_is_left_out_or_has_its_reason() -> None:
    mutated, spared = {one.step for one in MUTATIONS}, {step for those in NO_LEAK.values() for step in those}
    assert sorted(steps() - mutated - spared) == [], "steps that no test leaves out"
    assert sorted((mutated | spared) - steps()) == [], "tests of steps that are gone"


def test_each_column_that_is_not_masked_is_named(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer leaves all as it was, one column at a time as far as the findings go: each has one of its own."""
    from envclone.masking.masks import MaskSet

    real = publish.verify
    with monkeypatch.context() as mutated:
        mutated.setattr(MaskSet, "field", lambda self, rule: list)

        def honest(*arguments: Any) -> Any:
            mutated.undo()
            return real(*arguments)

        mutated.setattr(publish, "verify", honest)
        with pytest.raises(UnsafeError) as caught:
            stack.image("prod")
    said = "\n".join(caught.value.problems)
    columns = ("people.name", "people.email", "people.history", "people.tags", "people.doc", "people.born",
               "people.late", "past.late", "narrow.who", "tagged.name", "numbered.id")  # fmt: skip
    assert [one for one in columns if f"public.{one}" not in said] == [], said
    assert "kb: articles" in said


def test_without_the_order_of_a_record_or_its_seal_there_is_no_image(
    stack: Stack, here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written beside the files is searched too, and an image without its attestation is none."""
    from envclone import attestation

    def telling(sanitized: Any) -> Any:
        return {"main": {"cleaned": [{"what": "roles", "detail": _who("log")}]}}

    with monkeypatch.context() as mutated:
        mutated.setattr("envclone.lifecycle.verify.stores_record", telling)
        with pytest.raises(UnsafeError, match="record") as caught:
            stack.image("prod")
        assert "uuxing" not in str(caught.value.problems)
    with monkeypatch.context() as mutated:
        mutated.setattr(attestation, "seal", _none)
        made = stack.image("prod")
    with pytest.raises(EnvcloneError, match="attestation"):
        stack.branch("prod", name="unsealed")
    stack.project.cow.remove(here.pool / "images" / made.id)
