"""No expression of production's ever runs with rights: wherever one is evaluated, it tries what a superuser could do.

Each hostile function says in the server's log where it was called, as whom, and what it could do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from envclone import process
from envclone.errors import UnsafeError
from envclone.incidents.bundle import SqlStep
from envclone.models import StorePlan, StoreSnapshot
from envclone.stores.postgres.rights.logins import Login
from envclone.stores.postgres.server.private import PrivateServer
from envclone.stores.postgres.steps.runner import PostgresRunner
from envclone.stores.postgres.store import PostgresStore
from tests.integration.postgres import desk
from tests.support.clones import Clone, branched, taken
from tests.support.postgres import Production, production, scratch

HOSTILE = r"""
CREATE FUNCTION public.tries(place text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE did text := '';
BEGIN
  IF pg_catalog.current_setting('is_superuser') = 'on' THEN did := did || ' superuser'; END IF;
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN did := did || ' rolsuper'; END IF;
  BEGIN EXECUTE 'RESET ROLE';
    IF pg_catalog.current_setting('is_superuser') = 'on' THEN did := did || ' reset'; END IF;
  EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'RESET SESSION AUTHORIZATION';
    IF pg_catalog.current_setting('is_superuser') = 'on' THEN did := did || ' session'; END IF;
  EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE pg_catalog.format('SET SESSION AUTHORIZATION %I',
                                  (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10));
    did := did || ' authorization';
  EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE pg_catalog.format('SET ROLE %I', (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10));
    did := did || ' role';
  EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN PERFORM pg_catalog.pg_read_file('PG_VERSION'); did := did || ' read'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN PERFORM pg_catalog.pg_ls_dir('.'); did := did || ' list'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''cat > /dev/null'''; did := did || ' program';
  EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'COPY (SELECT 1) TO ''/tmp/envclone-test-hostile'''; did := did || ' write';
  EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; did := did || ' alter'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'ALTER SYSTEM SET archive_command = ''true'''; did := did || ' system';
  EXCEPTION WHEN OTHERS THEN NULL; END;
  RAISE LOG 'tried<%|%|%|%>', place, current_user, session_user, did;
  RETURN place;
END $$;
CREATE FUNCTION public.shown(v text, place text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM public.tries(place); RETURN v; END $$;
CREATE FUNCTION public.holds(v text, place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM public.tries(place); RETURN true; END $$;
CREATE FUNCTION public.planned(place text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM public.tries(place); RETURN ''; END $$;
CREATE FUNCTION public.fired() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.tries(TG_ARGV[0]); RETURN COALESCE(NEW, OLD); END $$;
CREATE FUNCTION public.as_owner(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS
  $$ BEGIN PERFORM public.tries('definer'); RETURN v; END $$;
CREATE FUNCTION public.compares(a text, b text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM public.tries('opclass'); RETURN pg_catalog.bttextcmp(a, b); END $$;
CREATE FUNCTION public.less(a text, b text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM public.tries('operator'); RETURN a OPERATOR(pg_catalog.<) b; END $$;
CREATE OPERATOR public.<<< (leftarg = text, rightarg = text, function = public.less);
CREATE OPERATOR CLASS public.hostile_ops FOR TYPE text USING btree AS
  OPERATOR 1 public.<<< (text, text), OPERATOR 3 pg_catalog.= (text, text), FUNCTION 1 public.compares(text, text);
CREATE DOMAIN public.checked AS text CHECK (public.holds(VALUE, 'domain'));
CREATE TYPE public.pair AS (one text, other text);
CREATE FUNCTION public.to_text(p public.pair) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM public.tries('cast'); RETURN (p).one; END $$;
CREATE CAST (public.pair AS text) WITH FUNCTION public.to_text(public.pair) AS IMPLICIT;
CREATE FUNCTION public.to_document(p public.pair) RETURNS json LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM public.tries('json cast'); RETURN pg_catalog.json_build_object('one', (p).one); END $$;
CREATE CAST (public.pair AS json) WITH FUNCTION public.to_document(public.pair);
CREATE TABLE public.people (
  id int PRIMARY KEY, name text CHECK (public.holds(name, 'check')), mail public.checked,
  twice text GENERATED ALWAYS AS (public.shown(name, 'generated')) STORED, duo public.pair, note text
);
CREATE TABLE public.cities (id int PRIMARY KEY, owner int REFERENCES public.people (id), name text);
INSERT INTO public.people (id, name, mail, duo, note)
  SELECT i, 'Person '||i, 'p'||i||'@x.example', ROW('a'||i, 'b')::public.pair, 'note '||i
  FROM generate_series(1, 6) i;
INSERT INTO public.cities SELECT i, i, 'City '||i FROM generate_series(1, 6) i;
CREATE INDEX by_expression ON public.people (public.shown(name, 'index'));
CREATE INDEX by_plan ON public.cities ((name || public.planned('planning')));
CREATE INDEX by_predicate ON public.people (id) WHERE public.holds(name, 'predicate');
CREATE INDEX by_opclass ON public.people (name public.hostile_ops);
CREATE INDEX by_definer ON public.people (public.as_owner(name));
CREATE STATISTICS public.extended ON (public.shown(name, 'statistics')), id FROM public.people;
CREATE TRIGGER plain BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION public.fired('trigger');
CREATE TRIGGER always BEFORE INSERT OR UPDATE OR DELETE ON public.people FOR EACH ROW
  EXECUTE FUNCTION public.fired('always');
ALTER TABLE public.people ENABLE ALWAYS TRIGGER always;
CREATE MATERIALIZED VIEW public.seen AS SELECT id, public.shown(name, 'matview') AS name FROM public.people;
CREATE VIEW public.looks AS SELECT id, public.shown(name, 'view') AS name FROM public.people;
ALTER TABLE public.cities ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.cities FORCE ROW LEVEL SECURITY;
CREATE POLICY whose ON public.cities USING (public.holds(name, 'policy'));
ANALYZE;
"""

NEEDED = {
    "in-place": {"check", "domain", "generated", "index", "planning", "predicate", "opclass", "definer",
                 "statistics", "trigger", "always", "cast"},
    "sql": {"check", "generated", "index", "planning", "predicate", "opclass", "definer", "statistics",
            "trigger", "always"},
}  # fmt: skip
"""Where each way of writing must have called a hostile function, or nothing is proven."""

_TRIED = re.compile(r"tried<([^|>]*)\|([^|>]*)\|([^|>]*)\|([^>]*)>")
MASKED = {"name", "mail", "twice"}


@dataclass(frozen=True)
class Raw:
    """A raw snapshot of the hostile production."""

    directory: Path
    snapshot: StoreSnapshot


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    """The production's owner of the objects is its superuser, whose functions REINDEX and REFRESH run."""
    with scratch() as place, production(18) as prod:
        yield from _raw(prod, place)


def _raw(prod: Production, place: Path) -> Iterator[Raw]:
    prod.create_database("shop")
    prod.execute("CREATE ROLE mallory LOGIN; GRANT pg_execute_server_program TO mallory", "shop")
    prod.execute(HOSTILE, "shop")
    prod.execute("ALTER TABLE public.cities OWNER TO pg_execute_server_program", "shop")
    prod.execute("ALTER ROLE ALL SET search_path = public; ALTER DATABASE shop SET row_security = off", "shop")
    yield Raw(place / "main", taken(prod, place / "main"))


@contextmanager
def copied(raw: Raw) -> Iterator[Path]:
    """A clone for one test."""
    with scratch() as place:
        process.run(["cp", "-a", "--reflink=auto", raw.directory, place / "main"])
        yield place / "main"


def _plan(session: Any, method: str) -> StorePlan:
    plan = desk.plan(session.inventory())
    rules = {
        address: rule
        if address == "public.people.duo"  # a row, masked as the document it can be read as
        else replace(rule, domain="letters" if address.removeprefix("public.people.") in MASKED else "keep", json=())
        for address, rule in plan.rules.items()
    }
    return StorePlan("main", rules, method=method)


def _everything(directory: Path, snapshot: StoreSnapshot, method: str) -> None:
    """Every way in which a session looks at a clone, or writes it."""
    store, masks, log = PostgresStore(), desk.LetterMasks(), directory.parent / "private.log"
    with store.open(directory, snapshot, log=log) as session:
        session.decisive(["public.people.id"])
        plan = _plan(session, method)
        session.sample(["public.people.name", "public.people.duo"], 3)
        list(session.read({"public.people.name", "public.cities.name"}))
        session.run("DELETE FROM public.people WHERE id = -1; UPDATE public.people SET note = 'x' WHERE id = 1;"
                    " SELECT * FROM public.looks; SELECT public.to_text(duo) FROM public.people;",
                    "before.sql", timeout=60)  # fmt: skip
        session.digest(plan, masks)
        session.rewrite(plan, masks, lambda event: None)
        session.defang()
    store.scrub(directory, snapshot, plan)
    with store.open(directory, snapshot, log=log) as session:
        list(session.read(None))
        session.digest(plan, None)
        session.probes(3)
        assert session.integrity().orphans == 0


def _tried(log: Path) -> list[tuple[str, ...]]:
    return sorted(set(_TRIED.findall(log.read_text(errors="replace"))))


@pytest.mark.parametrize("method", ["in-place", "sql"])
def test_wherever_production_s_code_is_evaluated_it_has_no_rights(raw: Raw, method: str) -> None:
    with copied(raw) as directory:
        _everything(directory, raw.snapshot, method)
        tried = _tried(directory.parent / "private.log")
        assert {place for place, *_ in tried} >= NEEDED[method]
        assert [line for line in tried if line[3] or "operator" in line[2]] == []
        with branched(Clone(directory, raw.snapshot, (), {})) as endpoint:
            with psycopg.connect(
                host=str(endpoint.socket), port=endpoint.port, dbname="shop", user="postgres", autocommit=True
            ) as conn:
                conn.execute("SET client_min_messages = log")
                conn.add_notice_handler(lambda diag: said.append(diag.message_primary or ""))
                said: list[str] = []
                conn.execute("UPDATE public.people SET name = name, mail = mail || ''")
                conn.execute("REINDEX TABLE public.people")
                conn.execute("REFRESH MATERIALIZED VIEW public.seen")
                conn.execute("SELECT * FROM public.looks").fetchall()
            PostgresStore().facts(endpoint, raw.snapshot, ["public.people.id"])
            step = SqlStep(id="a", store="main", role="postgres", sql="SELECT public.tries('replay') IS NOT NULL")
            result = PostgresRunner(endpoint).run(step)
            assert result.rows == ((True,),), result
        tried = [match for text in said for match in _TRIED.findall(text)]
        assert {place for place, *_ in tried} >= {"check", "domain", "generated", "index", "trigger", "matview", "view"}
        assert [line for line in tried if line[3]] == []
        log = _tried(directory.parent / "branch.log")
        assert "replay" in {place for place, *_ in log}
        assert [line for line in log if line[3] or "operator" in line[2]] == []


def test_a_session_of_the_operator_s_would_have_given_them_everything(
    raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check can fail: with the worker's login taken by the operator, the same functions do as they like.

    A program is the one thing that they do not run: the server's cage has none.
    """
    real = PrivateServer.connect

    def powerful(self: PrivateServer, dbname: str | None = None, *, autocommit: bool = True, login: Any = None) -> Any:
        return real(self, dbname, autocommit=autocommit, login=Login.OPERATOR)

    monkeypatch.setattr(PrivateServer, "connect", powerful)
    with copied(raw) as directory:
        log = directory.parent / "private.log"
        with PostgresStore().open(directory, raw.snapshot, log=log) as session:
            session.inventory()
        tried = [line for line in _tried(log) if line[3]]
    assert any(
        place == "planning" and {"superuser", "read", "write", "alter"} <= set(did.split())
        for place, _, _, did in tried
    ), tried


def test_a_function_of_the_server_that_was_replaced_is_not_called() -> None:
    """The planner would put its text into the operator's statements: nothing of such a database can be trusted."""
    with production(18) as prod, scratch() as place:
        prod.create_database("shop")
        prod.execute(HOSTILE.partition("CREATE FUNCTION public.shown")[0], "shop")
        prod.execute(
            "CREATE OR REPLACE FUNCTION pg_catalog.pg_relation_filepath(regclass) RETURNS text LANGUAGE sql AS"
            " $$ SELECT public.tries('replaced') $$",
            "shop",
        )
        snapshot = taken(prod, place / "main")
        log = place / "private.log"
        with (
            pytest.raises(UnsafeError, match=r"pg_catalog\.pg_relation_filepath"),
            PostgresStore().open(place / "main", snapshot, log=log),
        ):
            pass
        assert _tried(log) == []
