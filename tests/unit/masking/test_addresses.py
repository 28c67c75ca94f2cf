"""Rules for names that hold dots, commas, quotes and spaces: unquoted while one field is meant, refused otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from envclone.address import Address, written
from envclone.errors import ConfigError, UnsafeError
from envclone.masking.addresses import below, known_as, matches, meant, most_specific, steps_below
from envclone.masking.kinds import DomainSpec
from envclone.masking.references import follow
from envclone.masking.rules import plan
from envclone.models import Field, FieldKind, FieldRule, Inventory

TABLE = ["Sales.EU", "Order Items"]
DOMAINS = {"python:h.py:mix": DomainSpec("hook")}


def _field(*parts: str, kind: FieldKind = FieldKind.TEXT, type_: str = "text", **more: Any) -> Field:
    return Field(written(parts), type_, kind, base=type_, **more)


def _date(*parts: str) -> Field:
    return _field(*parts, kind=FieldKind.OTHER, type_="date")


def _plan(rules: Mapping[str, Any], *fields: Field) -> Mapping[str, FieldRule]:
    rows = {Address.parse(field.address).holder or field.address: 5 for field in fields}
    return plan(rules, DOMAINS, Inventory("main", {field.address: field for field in fields}, rows)).rules


ODD = (
    _field(*TABLE, "ID"),
    _field(*TABLE, "e.mail"),
    _field(*TABLE, "last, first"),
    _field(*TABLE, 'say "hi"'),
    _field(*TABLE, "% complete"),
    _date(*TABLE, "born on"),
)
NAMES = {
    "Sales.EU.Order Items.ID": "keep",
    "Sales.EU.Order Items.e.mail": "email",
    "Sales.EU.Order Items.last, first": "person",
    'Sales.EU.Order Items.say "hi"': "text",
    "Sales.EU.Order Items.% complete": "keep",
}
HOLDER = written(TABLE)


@pytest.mark.parametrize(
    ("by", "column"),
    [
        ("ID", "ID"),
        ("e.mail", "e.mail"),
        ('"e.mail"', "e.mail"),
        ("last, first", "last, first"),
        ('"last, first"', "last, first"),
        ('say "hi"', 'say "hi"'),
        ("% complete", "% complete"),
        ("Sales.EU.Order Items.e.mail", "e.mail"),
        ('"Sales.EU"."Order Items"."e.mail"', "e.mail"),
    ],
)
def test_names_may_stand_without_quotes_also_in_by(by: str, column: str) -> None:
    rules = _plan({**NAMES, "Sales.EU.Order Items.born on": {"domain": "date", "by": by}}, *ODD)
    assert rules[written([*TABLE, "born on"])].by == written([*TABLE, column])
    assert rules[written([*TABLE, "e.mail"])].domain == "email"
    assert rules[written([*TABLE, 'say "hi"'])].domain == "text"


def test_a_wildcard_stands_for_whole_names() -> None:
    for pattern in ("Sales.EU.Order Items.*", '"Sales.EU".*.*', '"Sales.EU"."Order Items".*'):
        rules = _plan({pattern: "keep", "Sales.EU.Order Items.e.mail": "email"}, *ODD)
        assert rules[f'{HOLDER}."e.mail"'].domain == "email" and rules[f'{HOLDER}."last, first"'].domain == "keep"
    with pytest.raises(UnsafeError):
        _plan({'"Sales.EU"."Order Items"."*"': "keep"}, *ODD)  # in quotes a star is a star


def test_two_columns_of_one_spelling_are_two_fields_and_want_quotes() -> None:
    both = (_field("a.b", "t", "c"), _field("a", "b.t", "c"))
    with pytest.raises(ConfigError) as caught:
        _plan({"a.b.t.c": "person"}, *both)
    assert '\'a.b.t.c\' can mean "a.b".t.c or a."b.t".c: quote it so' in caught.value.problems[0]
    rules = _plan({'"a.b".t.c': "person", 'a."b.t".c': "keep"}, *both)
    assert [rule.domain for rule in rules.values()] == ["person", "keep"]


def test_an_address_as_it_is_written_means_that_field_alone() -> None:
    both = (_field("a", "t", "c"), _field("a.t", "c"))
    with pytest.raises(UnsafeError) as caught:
        _plan({"a.t.c": "person"}, *both)
    assert '"a.t".c' in str(caught.value.problems) and '"\\"a.t\\".c": text' in str(caught.value.hint)


def test_a_column_and_a_path_of_one_spelling_want_quotes() -> None:
    both = (_field("a", "t", "doc", kind=FieldKind.JSON, type_="jsonb", paths=("$.key",)), _field("a", "t", "doc.key"))
    with pytest.raises(ConfigError) as caught:
        _plan({"a.t.doc.key": "person", "a.t.doc": {"$.**": "keep"}}, *both)
    assert "or a path in a.t.doc" in str(caught.value.problems)
    rules = _plan({'a.t."doc.key"': "person", "a.t.doc": {"$.key": "text"}}, *both)
    assert rules['a.t."doc.key"'].domain == "person"


def test_what_a_hook_reads_is_a_list_with_quotes() -> None:
    rule = {"domain": "python:h.py:mix", "by": 'ID, "last, first"'}
    rules = _plan({**NAMES, 'Sales.EU.Order Items.say "hi"': rule, "Sales.EU.Order Items.born on": "date"}, *ODD)
    assert rules[written([*TABLE, 'say "hi"'])].by == f'{HOLDER}.ID,{HOLDER}."last, first"'
    alone = {**rule, "by": "last, first"}
    rules = _plan({**NAMES, 'Sales.EU.Order Items.say "hi"': alone, "Sales.EU.Order Items.born on": "date"}, *ODD)
    assert rules[written([*TABLE, 'say "hi"'])].by == f'{HOLDER}."last, first"'
    more = (*ODD, _field(*TABLE, "last"), _field(*TABLE, "first"))
    names = {**NAMES, "Sales.EU.Order Items.last": "person", "Sales.EU.Order Items.first": "person"}
    with pytest.raises(ConfigError) as caught:
        _plan({**names, 'Sales.EU.Order Items.say "hi"': alone, "Sales.EU.Order Items.born on": "date"}, *more)
    assert "`by: last, first` can mean" in str(caught.value.problems)


def test_a_path_below_a_quoted_name_and_a_quoted_key() -> None:
    field = _field("public", "t", "full data", kind=FieldKind.JSON, type_="jsonb")
    assert below("public.t.full data.user.email", field) == "$.user.email"
    assert below('public.t."full data"."e.mail"[].x', field) == "$['e.mail'][*].x"
    assert below("public.t.full", field) is None
    assert steps_below("public.t.full data.tags[].x", field.address) == ("tags", "[]", "x")


def test_a_vector_is_named_by_its_own_address_or_its_collection() -> None:
    dense = Field('"my.kb".vectors."v.1"', "vector(4, Dot)", FieldKind.VECTOR)
    assert matches("my.kb.vectors", dense) and matches('"my.kb".vectors', dense)
    assert matches("my.kb.vectors.v.1", dense) and not matches("my.kb.vectors.*", dense)
    assert not matches("my.kb", dense)


def test_what_an_address_can_mean() -> None:
    fields = [written(["a.b", "c"]), written(["a", "b.c"]), "x.y"]
    assert meant("a.b.c", fields) == fields[:2] and known_as("a.b.c", fields) == "a.b.c"
    assert known_as('a."b.c"', fields) == fields[1] and known_as("x.y", fields) == "x.y"
    assert meant("a.*", fields) == []


def test_references_between_names_with_dots() -> None:
    main = {f.address: f for f in (_field("Sales.EU", "Order Items", "cust.id"), _field("public", "c.s", "id"))}
    rules = {"main": {"public.c.s.id": "key"}}
    inventories = {"main": Inventory("main", main, {})}
    for text in (
        "main.Sales.EU.Order_Items.cust.id -> main.public.c.s.id",
        'main."Sales.EU"."Order Items"."cust.id" -> main.public."c.s".id',
    ):
        done = follow([text.replace("Order_Items", '"Order Items"')], rules, {}, inventories)
        assert done["main"][written(["Sales.EU", "Order Items", "cust.id"])] == "key"


def test_two_spellings_of_one_address_are_equally_specific() -> None:
    """A payload's key `vectors` in quotes stands beside the collection's vectors, and neither rule is lost."""
    both = ['"My Coll.1".vectors', '"My Coll.1"."vectors"']
    assert most_specific(both) == both
    assert most_specific(["public.t.*", 'public.t."a"', "public.t.a*"]) == ['public.t."a"']
    assert most_specific(["a.*", "a.b*"]) == ["a.b*"]
