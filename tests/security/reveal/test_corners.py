"""Somebody in every corner of a production where no rule looks: gone from the published bytes, or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import qdrant_edge as q
from ahocorasick_rs import BytesAhoCorasick

from envclone.accounts import hand_over, service_account
from tests.support.identities import Someone, someone
from tests.support.postgres import production
from tests.support.qdrant import build
from tests.support.stack import Place, place

pytestmark = pytest.mark.real

STACK = """\
version: 1
project: corners
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}"}}
sanitize:
  rules:
    main:
      public.people.id: keep
      public.people.name: person
      public.people.email: email
      public.base.*: keep
      public.k*.*: keep
"""
OF_A_SESSION = {
    "a temporary default": "CREATE TEMP TABLE t1 (c text DEFAULT '{v}')",
    "a temporary view": "CREATE TEMP VIEW t2 AS SELECT '{v}'::text AS c",
    "a temporary function": "CREATE FUNCTION pg_temp.t3() RETURNS text LANGUAGE sql RETURN '{v}'::text",
    "a temporary check": "CREATE TEMP TABLE t4 (c text CHECK (c <> '{v}'))",
    "a temporary index": "CREATE TEMP TABLE t5 (c text); CREATE INDEX ON t5 ((c || '{v}'))",
    "temporary rows": "CREATE TEMP TABLE t6 AS SELECT '{v}' AS c FROM generate_series(1, 99); ANALYZE t6",
    "a comment on them": "CREATE TEMP TABLE t7 (c text); COMMENT ON TABLE t7 IS 'of {v}'",
    "a notification": "LISTEN a; NOTIFY a, 'to {v}'",
}
GONE = {
    "a dropped view": "CREATE VIEW d1 AS SELECT '{v}'::text AS c; DROP VIEW d1",
    "a default that was": "CREATE TABLE k2 (c text DEFAULT '{v}'); ALTER TABLE k2 ALTER c SET DEFAULT 'x'",
    "a dropped function": "CREATE FUNCTION d3() RETURNS text LANGUAGE sql RETURN '{v}'::text; DROP FUNCTION d3()",
    "a row rolled back": "BEGIN; INSERT INTO base VALUES (7, '{v}'); ROLLBACK",
    "a table rolled back": "BEGIN; CREATE TABLE d4 (c text DEFAULT '{v}'); COMMENT ON TABLE d4 IS '{v}'; ROLLBACK",
    "a deleted row": "INSERT INTO base VALUES (8, '{v}'); DELETE FROM base WHERE id = 8",
    "a long value that was": "INSERT INTO base VALUES (9, repeat('{v} ', 9000));"
    " UPDATE base SET note = 'x' WHERE id = 9",
    "a truncated table": "CREATE UNLOGGED TABLE k5 (c text); INSERT INTO k5 VALUES ('{v}'); TRUNCATE k5",
    "a prepared transaction": "CREATE TABLE k12 (c text); BEGIN; INSERT INTO k12 VALUES ('{v}');"
    " PREPARE TRANSACTION 'for {v}'",
    "a slot": "SELECT pg_create_physical_replication_slot(replace(lower('{v}'), ' ', '_'))",
    "a password": "CREATE ROLE r1 PASSWORD '{v}'",
    "a user mapping": "CREATE FOREIGN DATA WRAPPER bare; CREATE SERVER s1 FOREIGN DATA WRAPPER bare;"
    " CREATE USER MAPPING FOR r1 SERVER s1 OPTIONS (user '{v}', password '{v}')",
    "a trigger that was": "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW;END';"
    " CREATE TRIGGER a BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION quiet('{v}'); DROP TRIGGER a ON base",
    "statistics that were": "CREATE TABLE d6 AS SELECT '{v}' AS c FROM generate_series(1, 9); ANALYZE d6;"
    " DROP TABLE d6",
    "an entry of a hash index": "CREATE TABLE k7 (c text); CREATE INDEX ON k7 USING hash (c);"
    " INSERT INTO k7 VALUES ('{v}'); DELETE FROM k7",
    "an entry of an SP-GiST index": "CREATE TABLE k8 (c text); CREATE INDEX ON k8 USING spgist (c);"
    " INSERT INTO k8 VALUES ('{v}'); DELETE FROM k8",
    "a column that was": "CREATE TABLE k9 (a int); INSERT INTO k9 VALUES (1); ALTER TABLE k9 ADD c text DEFAULT '{v}';"
    " ALTER TABLE k9 DROP c",
    "a partition that was": "CREATE TABLE k10 (c text) PARTITION BY LIST (c);"
    " CREATE TABLE k11 PARTITION OF k10 FOR VALUES IN ('{v}'); ALTER TABLE k10 DETACH PARTITION k11",
    "unlogged rows": "CREATE UNLOGGED TABLE k13 (c text); CREATE INDEX ON k13 (c); INSERT INTO k13 VALUES ('{v}')",
    "a restore point": "SELECT pg_create_restore_point('{v}')",
    "a message in the log": "SELECT pg_logical_emit_message(false, 'a', 'of {v}')",
    "a statement": "/* {v} */ SELECT count(*) FROM base",
}


def _forms(value: str) -> Iterator[bytes]:
    plain = value.encode()
    yield from (plain, value.encode("utf-16-le"), plain[::-1], plain.hex().encode())
    yield " ".join(map(str, plain)).encode()  # as expression trees spell constants
    yield value.lower().replace(" ", "_").encode()


def _left(directory: Path, planted: Mapping[str, Someone]) -> list[str]:
    """What of the planted is in any file, or in a file's name."""
    forms = {form: what for what, one in planted.items() for form in _forms(one.name)}
    search, whose = BytesAhoCorasick(list(forms)), list(forms.values())
    left = set()
    for path in directory.rglob("*"):
        held = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        for content, where in ((held, path.name), (bytes(path), "its name")):
            left |= {f"{whose[which]} in {where}" for which, _, _ in search.find_matches_as_indexes(content)}
    return sorted(left)


def test_nobody_is_left_of_what_ended_with_production_s_sessions_and_rows() -> None:
    planted = {what: someone(number) for number, what in enumerate([*OF_A_SESSION, *GONE, "a tablespace"], 1)}
    settings = {"max_prepared_transactions": "5", "wal_level": "logical"}
    with production(18, settings) as server, place() as here:
        server.create_database("app")
        space = server.data.parent / planted["a tablespace"].name.replace(" ", "_")
        space.mkdir(mode=0o700)
        hand_over(space, service_account())
        server.execute(f"CREATE TABLESPACE far LOCATION '{space}'")
        with server.connect("app") as connection, server.connect("app") as session:
            connection.execute("CREATE TABLE people (id int PRIMARY KEY, name text, email text)")
            connection.execute("CREATE TABLE base (id int, note text); CREATE TABLE kfar (a int) TABLESPACE far")
            connection.cursor().executemany(
                "INSERT INTO people VALUES (%s, %s, %s)",
                [(one.number, one.name, one.email) for one in planted.values()],
            )
            for who, statements in ((session, OF_A_SESSION), (connection, GONE)):
                for what, text in statements.items():
                    for statement in text.replace("{v}", planted[what].name).split("; "):
                        who.execute(statement.encode())
            here.env["DSN"] = server.dsn_for("app")
            here.write(STACK)
            here.call("image", "prod")
        (image,) = (here.pool / "images").iterdir()
        assert _left(image, planted) == []
        (raw,) = (here.pool / "raw").iterdir()
        assert len(_left(raw, planted)) > 20  # the search can find them


POINTS = """\
version: 1
project: corners
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      kb: {kind: qdrant, source: {method: directory, path: "@STORAGE@"}}
sanitize:
  rules:
    kb: {articles.author: person, articles.n: keep, articles.vectors: keep, articles.point_ids: keep}
"""


def _collection(here: Place, planted: Mapping[str, Someone]) -> Path:
    """A storage directory with the planted in what a server keeps beside points."""
    authors = list(planted.values())

    def payload(number: int) -> dict[str, Any]:
        return {"author": authors[number % len(authors)].name, "n": number}

    made = build(here.directory / "storage", points=40, payload=payload, indexed=("author",))
    edge = made.edge()
    edge.update(q.UpdateOperation.delete_points([3]))
    edge.flush()
    edge.close()
    segment, collection = made.segments[0], made.shard().parent
    said = {what: one.name for what, one in planted.items()}
    settings = json.loads((segment / "segment.json").read_text())
    for path, text in {
        made.root / "aliases" / "data.json": json.dumps({said["alias"]: "articles"}),
        made.root / "raft_state.json": json.dumps({"peer_address_by_id": {"1": f"http://{said['peer']}:6335/"}}),
        made.root / "snapshots" / "articles" / "a.snapshot": said["snapshot"],
        collection / "0" / "stray.txt": said["stray"],
        collection / "0" / "temp_segments" / "a": said["temporary"],
        collection / "0" / "replica_state.json": json.dumps({"remotes": {}, "note": said["replica"]}),
        segment / "notes.bak": said["backup"],
        segment / "segment.json": json.dumps(settings | {"note": said["settings"]}),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    here.write(POINTS.replace("@STORAGE@", str(made.root)))
    return collection


def test_nobody_is_left_of_what_a_server_of_points_keeps_beside_them() -> None:
    what = ("alias", "peer", "snapshot", "stray", "temporary", "replica", "backup", "settings", "owner", "tenant")
    planted = {name: someone(number) for number, name in enumerate(what, 1)}
    with place() as here:
        collection = _collection(here, planted)
        said = json.dumps({"params": {"vectors": {"size": 16, "distance": "Cosine"}, "shard_number": 1},
                           "metadata": {"owner": planted["owner"].name}})  # fmt: skip
        (collection / "config.json").write_text(said)
        keys = [{"key": planted["tenant"].name, "shard_ids": [0]}]
        (collection / "shard_key_mapping.json").write_text(json.dumps(keys))
        refused = here.call("image", "prod", check=False)
        assert refused.returncode == 4
        if planted["stray"].name in refused.stderr:
            pytest.fail("a refusal shows an original")
        assert "articles, config.json" in refused.stderr and "articles, shard_key_mapping.json" in refused.stderr
        (collection / "config.json").unlink()
        (collection / "shard_key_mapping.json").unlink()
        here.call("image", "prod", "--fresh")
        (image,) = (here.pool / "images").iterdir()
        assert _left(image, planted) == []
