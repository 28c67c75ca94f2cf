"""What would stop an image is said at once, before anything is copied: by `doctor --env` and by `image` itself."""

from __future__ import annotations

import psycopg

from tests.support.postgres import production
from tests.support.stack import place

STACK = """\
version: 1
project: early
pool: {path: "{pool}"}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
      kb: {kind: qdrant, source: {method: directory, path: /nowhere/storage}}
sanitize:
  rules: {}
"""
HOOKS = "  hooks: [hooks/none.py]\n"


def test_everything_at_once_and_nothing_copied() -> None:
    with production(18, {"max_wal_senders": "1", "max_replication_slots": "1"}) as server, place() as here:
        server.create_database("app")
        server.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
        here.env["DSN"] = server.dsn_for("app", "weak", "weak")
        here.write(STACK + HOOKS)
        remarks = (
            "role 'weak' may not take base backups",
            "1 WAL senders, 0 of them in use; a base backup needs two",
            "/nowhere/storage is not a directory",
            "there is no file hooks/none.py",
            "/nowhere/key",
        )
        env = {"ENVCLONE_MASKING_KEY_FILE": "/nowhere/key"}
        told = here.call("doctor", "--env", "prod", env=env).stdout
        assert not [one for one in remarks if one not in told], told
        assert "remedy: ALTER ROLE weak REPLICATION" in told
        refused = here.call("image", "prod", env=env, check=False)
        assert refused.returncode in (3, 4, 7), refused.stderr
        assert not [one for one in remarks if one not in refused.stderr], refused.stderr
        assert here.leftovers() == []


def test_one_obstacle_is_told_as_itself() -> None:
    with production(18) as server, place() as here:
        server.create_database("app")
        server.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
        here.env["DSN"] = server.dsn_for("app", "weak", "weak")
        here.write(STACK.replace("      kb: {kind: qdrant, source: {method: directory, path: /nowhere/storage}}\n", ""))
        refused = here.call("image", "prod", check=False)
        assert refused.returncode == 7
        assert "lacks REPLICATION" in refused.stderr and "hint: ALTER ROLE weak REPLICATION" in refused.stderr
        here.env["DSN"] = server.dsn_for("app")
        told = here.fresh.call("doctor", "--env", "prod").stdout
        assert all(f"{name}: ready" in told for name in ("prod.main", "masking key", "hooks", "extra net")), told


RULES = """\
sanitize:
  rules:
    main:
      public.notes.id: keep
      public.notes.meta: {"$.mail": email, "$.rare": keep}
      public.notes.titel: keep
      public.closed.*: keep
      public.closed.meta: {"$.mail": email}
"""


def test_what_the_rules_lack_is_told_from_the_catalog_and_some_documents() -> None:
    with production(18) as server, place() as here:
        server.create_database("app")
        with psycopg.connect(server.dsn_for("app")) as conn:
            conn.execute("CREATE TABLE notes (id int PRIMARY KEY, title text, meta jsonb)")
            conn.execute(
                "INSERT INTO notes SELECT g, 'x', jsonb_build_object('mail', 'a@b.example', 'nick', 'Zoe')"
                " FROM generate_series(1, 5) g"
            )
            conn.execute("CREATE TABLE closed (meta jsonb)")
            conn.execute("CREATE INDEX ON closed ((meta ->> 'mail'))")
            conn.execute("""INSERT INTO closed VALUES ('{"other": 1}')""")
        here.env["DSN"] = server.dsn_for("app")
        kb = "      kb: {kind: qdrant, source: {method: directory, path: /nowhere/storage}}\n"
        here.write(STACK.replace(kb, "").replace("sanitize:\n  rules: {}\n", RULES))
        for told in (here.call("doctor", "--env", "prod").stdout, here.call("image", "prod", check=False).stderr):
            assert "the rules do not cover main, and nothing was copied: 3 problems" in told
            assert "public.notes.title (text) is undeclared" in told
            assert "public.notes: " not in told and "the path $.nick is undeclared" in told
            assert "'public.notes.titel' matches nothing (did you mean public.notes.title?)" in told
            assert "$.rare" not in told  # it can be in a document that nobody looked at
            assert "public.closed" not in told  # a plan of a query would run what stands in its index
        assert here.leftovers() == []
