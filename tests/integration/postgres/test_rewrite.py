"""Rewriting through SQL, and the proof that it did what the masks say and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from envclone.address import Address
from envclone.errors import UnsafeError, UsageError
from envclone.models import FieldKind, FieldRule, Inventory, StorePlan
from envclone.stores.postgres.prove.digest import differences
from envclone.stores.postgres.session import PostgresSession
from tests.integration.postgres import desk
from tests.support.postgres import Production, production

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=[18, 16])
def server(request: pytest.FixtureRequest) -> Iterator[Production]:
    with production(request.param) as running:
        running.create_database("origin")
        with running.connect("origin") as conn:
            desk.load(conn)
        yield running


@pytest.fixture
def shop(server: Production) -> Iterator[tuple[Production, PostgresSession]]:
    server.execute("CREATE DATABASE shop TEMPLATE origin STRATEGY file_copy")
    yield server, PostgresSession(desk.connector(server, "shop"), "main", "shop", server.data.parent)
    server.execute("DROP DATABASE shop WITH (FORCE)")


def _quiet(event: Any) -> None:
    """No progress."""


def _rewrite(session: PostgresSession, plan: StorePlan) -> None:
    masks = desk.LetterMasks()
    before = session.digest(plan, masks)
    session.rewrite(plan, masks, _quiet)
    assert differences(before, session.digest(plan, None)) == []


def test_every_value_is_the_pseudonym_of_what_it_was(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    inventory = session.inventory()
    plan = desk.plan(inventory)
    kept = 'SELECT born, score, best_friend FROM customers ORDER BY ctid::text COLLATE "C"'
    numbers = sorted(server.execute(kept, "shop"))
    masks = desk.LetterMasks()
    expected = sorted(masks.any(row[0]) for row in server.execute("SELECT full_name FROM customers", "shop"))
    raw = session.digest(plan, masks)
    report = session.rewrite(plan, masks, _quiet)
    assert report.method == "sql"
    assert report.rows["public.customers.email"] == desk.ROWS == report.values["public.customers.email"]
    assert report.rows["public.customers.nickname"] == 400  # the NULLs are not values
    assert report.values["public.customers.nickname"] == 200  # the empty strings do not change
    clean = session.digest(plan, None)
    assert differences(raw, clean) == [] and raw == clean
    assert sorted(row[0] for row in server.execute("SELECT full_name FROM customers", "shop")) == expected
    assert sorted(server.execute(kept, "shop")) == numbers
    integrity = session.integrity()
    assert (integrity.orphans, integrity.problems) == (0, ())
    assert integrity.foreign_keys == 6
    # what the server derives follows: generated columns, matviews, defaults that old rows were read with
    assert server.execute("SELECT count(*) FROM customers WHERE search <> upper(full_name)", "shop") == [(0,)]
    wrong = """SELECT count(*) FROM busiest b LEFT JOIN customers c ON c.email = b.author
               WHERE c.email IS NULL OR c.full_name <> b.full_name"""
    assert server.execute(wrong, "shop") == [(0,)]
    assert server.execute("SELECT count(*) FROM busiest_names WHERE full_name ~ 'qzname'", "shop") == [(0,)]
    assert server.execute("SELECT DISTINCT motto FROM customers", "shop") == [(masks.any("mine is qdefault00000"),)]
    missing = "SELECT attname FROM pg_attribute WHERE attrelid = 'customers'::regclass AND atthasmissing"
    assert server.execute(missing, "shop") == []
    populated = "SELECT relname FROM pg_class WHERE relkind = 'm' AND NOT relispopulated"
    assert server.execute(populated, "shop") == [("never",)]
    # what was silenced is as it was
    enabled = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    assert server.execute(enabled, "shop") == [("refuse", "O"), ("refuse_always", "A")]
    assert server.execute("SELECT ev_enabled FROM pg_rewrite WHERE rulename = 'swallow'", "shop") == [("A",)]
    assert server.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indislive", "shop") == [(0,)]


def test_statistics_of_kept_columns_stay_and_those_of_masked_ones_are_new(
    shop: tuple[Production, PostgresSession],
) -> None:
    server, session = shop
    query = """SELECT tablename || '.' || attname, inherited, coalesce(histogram_bounds::text, '')
                      || coalesce(most_common_vals::text, '') || n_distinct
               FROM pg_stats WHERE schemaname = 'public'"""
    old = "CREATE STATISTICS beside (mcv) ON full_name, score FROM customers; ANALYZE customers;"
    late = "ALTER TABLE customers DISABLE TRIGGER USER; UPDATE customers SET score = score + 1000;"
    back = "ALTER TABLE customers ENABLE TRIGGER refuse"
    server.execute(f"{old} {late} {back}", "shop")
    before = {(a, b): c for a, b, c in server.execute(query, "shop")}
    targets = """SELECT attrelid::regclass::text, attnum, coalesce(attstattarget, -1) FROM pg_attribute
                 JOIN pg_class c ON c.oid = attrelid WHERE attnum > 0 AND relkind IN ('r', 'p') AND attrelid >= 16384"""
    server.execute("ALTER TABLE customers ALTER COLUMN born SET STATISTICS 77", "shop")
    targets_before = sorted(server.execute(targets, "shop"))
    extended = "SELECT count(*) FROM pg_stats_ext WHERE most_common_vals IS NOT NULL"
    assert server.execute(extended, "shop") == [(2,)]
    assert "qzname" in before["customers.full_name", False] and "qx0" in before["tickets.author", True]
    _rewrite(session, desk.plan(session.inventory()))
    after = {(a, b): c for a, b, c in server.execute(query, "shop")}
    assert before.keys() == after.keys()
    assert not [key for key, value in after.items() if "qzname" in value or "@origin" in value]
    assert server.execute(extended, "shop") == [(2,)]
    for column in ("customers.born", "customers.score", "tickets_2025.opened", "visits.id"):
        assert before[column, False] == after[column, False]
    assert sorted(server.execute(targets, "shop")) == targets_before


def test_the_rows_of_unmasked_tables_are_not_written(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    plan = desk.plan(session.inventory())
    only = {a: r if a.startswith("public.visits.note") else FieldRule(a, r.kind, "keep") for a, r in plan.rules.items()}
    places = "SELECT ctid, xmin FROM customers ORDER BY 1"
    vectors = "SELECT pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE amname = 'hnsw'"
    before = server.execute(places, "shop"), server.execute(vectors, "shop")
    _rewrite(session, StorePlan("main", only))
    assert (server.execute(places, "shop"), server.execute(vectors, "shop")) == before


def test_the_vector_index_is_never_rebuilt(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    query = """SELECT c.relname, pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_am m ON m.oid = c.relam
               WHERE m.amname = 'hnsw' AND c.relkind = 'i' ORDER BY 1"""
    search = """SET enable_seqscan = off; SET enable_sort = off;
                SELECT id FROM tickets_2026
                ORDER BY embedding <-> (SELECT embedding FROM tickets WHERE id = 101) LIMIT 5"""
    before, found = server.execute(query, "shop"), server.execute(search, "shop")
    _rewrite(session, desk.plan(session.inventory()))
    assert len(before) == 2 and server.execute(query, "shop") == before
    assert server.execute(search, "shop") == found
    assert found[0] == (101,)


def test_a_tampered_row_shows_in_the_digest(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    plan, masks = desk.plan(session.inventory()), desk.LetterMasks()
    raw = session.digest(plan, masks)
    session.rewrite(plan, masks, _quiet)
    server.execute("SET session_replication_role = replica; UPDATE visits SET note = 'x' WHERE id = 3", "shop")
    # the rule swallows it: production's own behaviour is back
    assert differences(raw, session.digest(plan, None)) == []
    server.execute("ALTER TABLE visits DISABLE RULE swallow; UPDATE visits SET note = 'x' WHERE id = 3", "shop")
    assert differences(raw, session.digest(plan, None)) == ["public.visits.note"]
    server.execute("UPDATE tickets SET embedding = NULL WHERE id = 7", "shop")
    assert differences(raw, session.digest(plan, None)) == ["public.tickets", "public.visits.note"]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("email", "customers_pkey|customers_lower"),
        ("full_name", "public.customers: the pseudonyms break full_name"),
        ("opened", "partition key"),
        ("contact", "mail"),
    ],
)
def test_what_cannot_hold_is_refused_by_name(shop: tuple[Production, PostgresSession], column: str, says: str) -> None:
    _, session = shop
    domain = {"email": "same", "full_name": "null", "opened": "letters", "contact": "same"}[column]
    plan = desk.plan(session.inventory(), **{column: domain})
    with pytest.raises(UnsafeError, match=says) as caught:
        session.rewrite(plan, desk.LetterMasks(), _quiet)
    text = " ".join([caught.value.message, caught.value.hint or "", *caught.value.problems])
    assert "everybody" not in text and "qzname" not in text
    assert caught.value.hint


def test_arrays_with_other_lower_bounds_are_refused(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    server.execute("UPDATE dogs SET owner = 'x'; ALTER TABLE dogs ADD bones text[] DEFAULT '[0:1]={a,b}'", "shop")
    with pytest.raises(UnsafeError, match=r"public\.dogs\.bones"):
        session.rewrite(desk.plan(session.inventory()), desk.LetterMasks(), _quiet)


def test_a_rule_without_its_column_is_refused(shop: tuple[Production, PostgresSession]) -> None:
    _, session = shop
    rule = FieldRule("public.customers.gone", FieldKind.TEXT, "letters")
    with pytest.raises(UnsafeError, match=r"public\.customers\.gone"):
        session.rewrite(StorePlan("main", {rule.address: rule}), desk.LetterMasks(), _quiet)


def test_numbers_and_dates_can_be_set_to_null_and_moved(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop

    class Shift(desk.LetterMasks):
        def any(self, value: Any) -> Any:
            return None if value is None else "1950-1-1" if "-" in value else f"{float(value) + 1}"

    plan = desk.plan(session.inventory())
    rules = {a: FieldRule(a, r.kind, "keep") for a, r in plan.rules.items()}
    for column, domain in (("born", "move"), ("score", "move"), ("motto", "null")):
        address = f"public.customers.{column}"
        rules[address] = FieldRule(address, rules[address].kind, domain)
    shifted = StorePlan("main", rules)
    raw = session.digest(shifted, Shift())
    session.rewrite(shifted, Shift(), _quiet)
    assert differences(raw, session.digest(shifted, None)) == []
    rows = server.execute("SELECT DISTINCT born::text, motto FROM customers", "shop")
    assert rows == [("1950-01-01", None)]
    assert server.execute("SELECT min(score)::text FROM customers", "shop") == [("1.50",)]


def test_large_objects_are_a_field_that_can_be_removed(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    assert "pg_largeobject" not in session.inventory().fields
    server.execute("SELECT lo_from_bytea(0, 'a letter of qzname00001')", "shop")
    inventory = session.inventory()
    assert inventory.rows["pg_largeobject"] == 1
    keep = desk.plan(inventory)
    assert session.digest(keep, None)["pg_largeobject"].rows == 1
    drop = desk.plan(inventory, pg_largeobject="null")
    raw = session.digest(drop, desk.LetterMasks())
    report = session.rewrite(drop, desk.LetterMasks(), _quiet)
    assert report.rows["pg_largeobject"] == 1
    assert differences(raw, session.digest(drop, None)) == []
    assert server.execute("SELECT count(*) FROM pg_largeobject", "shop") == [(0,)]


def test_orphans_are_counted_by_match_type(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    assert session.integrity().orphans == 0
    server.execute(
        "ALTER TABLE visits DISABLE TRIGGER ALL;INSERT INTO visits (region, code) VALUES ('gone', 'gone'), ('x', NULL)",
        "shop",
    )
    assert session.integrity().orphans == 1  # MATCH SIMPLE asks nothing of a row with a NULL
    found = session.integrity().problems
    assert found == ("public.visits: 1 rows break the foreign key visits_region_code_fkey",)
    server.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'left_hand_name_key'::regclass", "shop")
    assert any("left_hand_name_key" in problem for problem in session.integrity().problems)


def test_the_inventory_names_every_column_with_what_ties_it(shop: tuple[Production, PostgresSession]) -> None:
    server, session = shop
    server.execute('CREATE TABLE odd (a point, b "char", c name, d int[], e tsvector, f uuid, v halfvec(3))', "shop")
    inventory: Inventory = session.inventory()
    kinds = {a.rpartition(".")[2]: f.kind.value for a, f in inventory.fields.items() if a.startswith("public.odd.")}
    assert kinds == dict.fromkeys("abef", "other") | {"c": "text", "d": "array", "v": "vector"}
    fields = inventory.fields
    people = {"customers.email", "customers.referred_by", "badges.holder", "tickets.author"}
    assert fields["public.tickets.author"].group == {f"public.{column}" for column in people}
    assert fields["public.left_hand.partner"].group == {"public.left_hand.partner", "public.right_hand.name"}
    assert fields["public.visits.code"].group == {"public.visits.code", "public.badges.code"}
    assert fields["public.customers.email"].unique and not fields["public.customers.phone"].unique
    assert fields["public.customers.search"].generated
    assert fields["public.tickets.contact"].kind is FieldKind.TEXT  # a domain over text
    assert fields["public.customers.grid"].kind is FieldKind.ARRAY
    assert "$.contacts[*].phone" in fields["public.customers.profile"].paths
    assert not [a for a in fields if "tickets_20" in a or ".authors." in a or ".never." in a]
    views = {a: (f.shows, f.computed) for a, f in fields.items() if "busiest" in a}
    assert views == {
        "public.busiest.author": ("public.tickets.author", False),  # through a view that groups by it
        "public.busiest.n": ("", True),
        "public.busiest.full_name": ("public.customers.full_name", False),
        "public.busiest_names.full_name": ("public.busiest.full_name", False),
    }
    assert fields[str(Address(("odd schema", 'Mixed "Case', "E mail")))].kind is FieldKind.TEXT
    assert inventory.rows["public.tickets"] == desk.ROWS
    assert inventory.rows["public.animals"] == 250  # an inherited child is a table of its own


def test_read_streams_what_is_there(shop: tuple[Production, PostgresSession]) -> None:
    _, session = shop
    values: dict[str, list[Any]] = {}
    for address, batch in session.read({"public.customers.tags", "public.customers.profile", "public.tickets.author"}):
        values.setdefault(address, []).extend(batch)
    assert len(values["public.tickets.author"]) == 450
    assert ["vip", None, "tag qzname00002"] in values["public.customers.tags"]
    assert json.loads(values["public.customers.profile"][0])["user"]["age"] == 0
    everything = {address for address, _ in session.read()}
    assert "public.customers.born" in everything and "public.tickets.embedding" not in everything
    with pytest.raises(UsageError, match=r"public\.nobody\.name"):
        list(session.read({"public.nobody.name"}))
