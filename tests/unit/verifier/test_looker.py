"""Many addresses with few values each are searched together, and told of as if each had been looked at alone."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from envclone.errors import UnsafeError
from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.packed import Columns, pack
from envclone.verifier.births import Births
from envclone.verifier.compounds import Compounds
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.people import People
from envclone.verifier.subjects import Subjects

HOLDING = {
    7: ("definition of view a", "SELECT 'wolfhard.quenzelmann@corp.example'"),
    11: ("comment on table b", "of %57olfhard  QUENZELMANN"),
    13: ("comment on table c", "quenzelmann, wolfhard"),
    17: ("definition of function d", "SELECT wolfhardquenzelmann"),
    19: ("name of a role", "Wolfhard"),
    4999: ("definition of check e", "CHECK (x <> 'Wolfhard Quenzelmann')"),
}
MANY = [HOLDING.get(i, (f"definition of view v{i}", f"SELECT {i}, 'nobody at all ß' -- 100 %")) for i in range(9000)]


def _looker() -> Looker:
    return _looker_of({})[0]


def _looker_of(rules: dict[str, FieldRule]) -> tuple[Looker, FieldFindings]:
    subjects, originals = Subjects(), Originals()
    subjects.begin("main.public.people")
    subjects.count = 1
    subjects.add([0], "person", ["Wolfhard"], "first")
    subjects.add([0], "person", ["Quenzelmann"], "last")
    originals.add("main.public.people.name", "person", ["Wolfhard Quenzelmann"])
    originals.add("main.public.people.email", "email", ["wolfhard.quenzelmann@corp.example"])
    originals.add("main.public.people.phone", "phone", ["+49 30 50392730"])
    originals.add("main.public.people.card", "card", ["4929562207704767"])
    originals.add("main.public.people.ssn", "national_id", ["536-22-8741"])
    originals.seal()
    parts = Originals.parts(subjects.seal())
    people = cast(Any, SimpleNamespace(subjects=subjects, births=Births(), names=lambda store, table: []))
    findings = FieldFindings(originals=originals)
    compounds = Compounds(subjects, parts, originals)
    strong, weak = LooseSearch(originals), LooseSearch(parts)
    return Looker("main", StorePlan("main", rules), strong, weak, compounds, people, findings), findings


def test_many_addresses_give_the_findings_of_one_by_one() -> None:
    together, alone = _looker(), _looker()
    together.batches((address, [text], [address]) for address, text in MANY)
    for address, text in MANY:
        alone.batch(address, [text], [text], [address])
    found = together.found()
    assert found == alone.found()
    assert {where[0] for where in found[3]} == {
        "definition of view a",
        "comment on table b",
        "comment on table c",
        "definition of function d",
        "definition of check e",
    }


def _two_columns(first: list[str], last: list[str]) -> tuple[Looker, FieldFindings]:
    """People whose names stand in two columns."""
    places = pack([f"ctid (0,{i})" for i in range(len(first))])
    packed = {"public.people.first": pack(first), "public.people.last": pack(last)}
    columns = Columns("public.people", places, packed)
    session = cast(Any, SimpleNamespace(links=lambda: [], columns=lambda wanted: [columns]))
    rules = {a: FieldRule(a, FieldKind.TEXT, "person") for a in ("public.people.first", "public.people.last")}
    plan = StorePlan("main", rules)
    findings = FieldFindings()
    people = People({"main": session}, {"main": plan}, {}, [], findings.originals)
    parts = Originals.parts(people.collect())
    findings.originals.seal()
    compounds = Compounds(people.subjects, parts, findings.originals)
    looker = Looker("main", plan, LooseSearch(findings.originals), LooseSearch(parts), compounds, people, findings)
    return looker, findings


def test_two_names_of_one_row_are_a_full_name_in_either_order() -> None:
    _, findings = _two_columns(["Wolfhard", "May"], ["Quenzelmann", "Will"])
    told = {value for _, value, source in findings.originals.items() if source.strong}
    assert told == {"Wolfhard Quenzelmann", "Quenzelmann Wolfhard", "May Will"}


def test_a_full_name_that_pseudonyms_of_one_row_make_is_a_chance_of_both_columns() -> None:
    """A view or an expression puts them side by side; it may show this name, and no other."""
    looker, findings = _two_columns(["Wolfhard", "Jane"], ["Quenzelmann", "Doe"])
    fields = {"public.people.first": ["Wolfhard", "Jane"], "public.people.last": ["Quenzelmann", "Doe"]}
    made = {"public.people.first": ["Anna", "Wolfhard"], "public.people.last": ["Berg", "Quenzelmann"]}
    looker.rows(Rows("public.people", fields, {}, ["ctid (0,1)", "ctid (0,2)"]), made)
    looker.take(looker.found())
    numbers = {value: number for number, value, _ in findings.originals.items()}
    chance, sources = findings.coincidences, ["main.public.people.last"]
    assert chance.made_of(sources, numbers["Wolfhard Quenzelmann"])
    assert chance.made_of(sources, numbers["Quenzelmann Wolfhard"])
    assert not chance.made_of(sources, numbers["Jane Doe"])
    assert not len(findings.leaks)


@pytest.mark.parametrize(
    ("shares", "path"),
    [
        ({"wolfhard.quenzelmann@corp.example": {"at": 3}}, "$.shares.*~"),
        ({"zq7@else.example": {"wolfhard.quenzelmann@corp.example": 3}}, "$.shares.*.*~"),
        ([{"Some Body": {"by": "wolfhard.quenzelmann@corp.example,"}}], "$.shares[*].*.by"),
        (
            [{"wolfhard.quenzelmann@corp.example": 1}, {"by": "wolfhard.quenzelmann@corp.example"}],
            '$.shares[*].*~": text, "$.shares[*].by',
        ),
    ],
)
def test_the_remedy_within_a_document_is_a_rule_that_holds_for_every_row(shares: Any, path: str) -> None:
    """A key that is somebody's is any key in it; a rule with the key's shape would hold for none."""
    rule = FieldRule("public.docs.doc", FieldKind.JSON, "keep")
    document = json.dumps({"id": 7, "shares": shares})
    looker, findings = _looker_of({rule.address: rule})
    looker.rows(Rows("public.docs", {rule.address: [document]}, {}, ["ctid (0,1)"]), {})
    looker.take(looker.found())
    with pytest.raises(UnsafeError) as refused:
        findings.leaks.refuse()
    found = cast(list[dict[str, Any]], refused.value.context["findings"])
    assert [one["remedy"] for one in found] == [f'Mask it: public.docs.doc: {{"{path}": text, "$.**": keep}}']


def _kept_columns(first: list[str], last: list[str]) -> int:
    """How many findings two kept columns of one table give, of people of whom one is called Wolfhard Quenzelmann."""
    rules = {a: FieldRule(a, FieldKind.TEXT, "keep") for a in ("public.leads.a", "public.leads.b")}
    looker, findings = _looker_of(rules)
    cast(Any, looker)._people.of_rows = lambda store, rows, some: [[]] * len(some)
    places = [f"ctid (0,{i})" for i in range(len(first))]
    looker.rows(Rows("public.leads", {"public.leads.a": first, "public.leads.b": last}, {}, places), {})
    looker.take(looker.found())
    looker.judge()
    return len(findings.leaks)


def test_two_names_of_one_person_in_two_columns_of_a_row_are_a_leak() -> None:
    assert _kept_columns(["x", "Mr Wolfhard"], ["y", "Quenzelmann"]) == 1
    assert _kept_columns(["Wolfhard", "y"], ["x", "Quenzelmann"]) == 0


def _told_of(kind: FieldKind, base: str, value: object) -> list[str]:
    rule = FieldRule("public.notes.note", kind, "keep", base=base)
    looker, findings = _looker_of({rule.address: rule})
    looker.rows(Rows("public.notes", {rule.address: ["x", value]}, {}, ["ctid (0,1)", "ctid (0,2)"]), {})
    looker.take(looker.found())
    if not len(findings.leaks):
        return []
    with pytest.raises(UnsafeError) as refused:
        findings.leaks.refuse()
    return [str(one["what"]) for one in cast(list[dict[str, Any]], refused.value.context["findings"])]


@pytest.mark.parametrize(
    ("kind", "base", "value"),
    [
        (FieldKind.ARRAY, "text[]", list("Wolfhard Quenzelmann")),
        (FieldKind.ARRAY, '"char"[]', list("wolfhard.quenzelmann@corp.example")),
        (FieldKind.OTHER, "varbit", "".join(f"{byte:08b}" for byte in b"to Wolfhard Quenzelmann")),
        (FieldKind.JSON, "jsonb", str(["W", "x", *"Wolfhard Quenzelmann"]).replace("'", '"')),
        (FieldKind.TEXT, "text", "wolfhard.quenzelmann@corp.example"[::-1]),
        (FieldKind.TEXT, "text", "Wolfhard Quenzelmann"[::-1]),
    ],
)
def test_letters_apart_in_bits_and_backwards_tell(kind: FieldKind, base: str, value: object) -> None:
    assert _told_of(kind, base, value)


def test_a_part_of_a_text_backwards_tells_nothing() -> None:
    assert _told_of(FieldKind.TEXT, "text", "so " + "Wolfhard Quenzelmann"[::-1]) == []


@pytest.mark.parametrize(
    ("left", "leaks"),
    [("login wolfhardxquenzelmann", 1), ("login wolfhardvonquenzelmann", 1), ("login wolfhardxxquenzelmann", 0)],
)
def test_two_names_joined_in_a_masked_text_are_refused_where_the_mask_left_them(left: str, leaks: int) -> None:
    rule = FieldRule("public.docs.body", FieldKind.TEXT, "text")
    looker, findings = _looker_of({rule.address: rule})
    looker.rows(Rows("public.docs", {rule.address: [left]}, {}, ["ctid (0,1)"]), {rule.address: [f"{left} "]})
    looker.take(looker.found())
    assert len(findings.leaks) == leaks


@pytest.mark.parametrize(
    ("raw", "masked", "leaks"),
    [
        ("https://wa.me/493050392730", "https://wa.me/493050392730", 1),
        ("rec_493050392730.wav", "rec_493050392730.wav", 1),
        ("4929\n5622\n0770\n4767", "4929\n5622\n0770\n4767", 1),
        ("see 493050392730", "see 887959883441", 0),
        ("see 887959883441", "see 493050392730", 0),
        ("order 536228741", "order 536228741", 0),
    ],
)
def test_a_long_number_in_a_masked_text_is_refused_where_the_mask_left_it(raw: str, masked: str, leaks: int) -> None:
    rule = FieldRule("public.docs.body", FieldKind.TEXT, "text")
    looker, findings = _looker_of({rule.address: rule})
    looker.rows(Rows("public.docs", {rule.address: [raw]}, {}, ["ctid (0,1)"]), {rule.address: [masked]})
    looker.take(looker.found())
    assert len(findings.leaks) == leaks


@pytest.mark.parametrize(
    ("masked", "leaks"),
    [
        ("dear ann, ask Wolfhard Quenzelmann, please. regards, otto bergmann", 0),  # a pseudonym, by chance
        ("dear ann, ask Brunhilda Maier, please. regards, Wolfhard Quenzelmann", 1),
        ("dear ann, ask WolfhardQuenzelmann, please. regards, otto", 0),
        ("dear ann, ask Brunhilda, please. regards, WolfhardQuenzelmann", 1),
        ("dear Wolfhard the old Quenzelmann, ask Eve, please. regards, otto", 0),
    ],
)
def test_a_pseudonym_that_is_somebody_elses_name_in_the_same_text_is_chance(masked: str, leaks: int) -> None:
    rule = FieldRule("public.docs.body", FieldKind.TEXT, "text")
    looker, findings = _looker_of({rule.address: rule})
    raw = "dear jo, ask Jennifer, please. regards, " + ("WolfhardQ" if "dQ" in masked else "Wolfhard Q") + "uenzelmann"
    looker.rows(Rows("public.docs", {rule.address: [raw]}, {}, ["ctid (0,1)"]), {rule.address: [masked]})
    looker.take(looker.found())
    assert len(findings.leaks) == leaks


def _numbers_looker(numbers: dict[str, tuple[str, ...]]) -> Looker:
    subjects, originals = Subjects(), Originals()
    subjects.begin("main.public.people")
    subjects.count = 1
    subjects.add([0], "person", ["Wolfhard"], "first")
    for kind, values in numbers.items():
        originals.add(f"main.public.people.{kind}", kind, values)
    originals.seal()
    parts = Originals.parts(subjects.seal())
    people = cast(Any, SimpleNamespace(subjects=subjects, births=Births(), names=lambda store, table: []))
    search, compounds = LooseSearch(originals), Compounds(subjects, parts, originals)
    findings = FieldFindings(originals=originals)
    return Looker("main", StorePlan("main", {}), search, LooseSearch(parts), compounds, people, findings)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("phone", "+86 138 1234 5678", "138 1234 5678"),  # its national number begins with a 1
        ("phone", "+86 138 1234 5678", "13812345678"),
        ("phone", "+86 138 1234 5678", "86-138-1234-5678"),
        ("phone", "+55 11 99725-2050", "(011) 99725-2050"),
        ("phone", "+7 495 981-65-46", "84959816546"),
        ("phone", "+7 495 981-65-46", "8 (495) 981-65-46"),
        ("phone", "+352 21 64 74", "352.21.64.74"),
        ("phone", "9194399112", "(919) 439-9112"),
        ("national_id", "536228741", "536-22-8741"),
        ("national_id", "AB 12 34 56 C", "AB123456C"),
        ("national_id", "AB123456C", "AB 12 34 56 C"),
        ("national_id", "RSSMRA85T10A562S", "RSS MRA 85T10 A562S"),
        ("iban", "GB34 NWBK 6243 4726 7877 60", "GB34:NWBK:6243:4726:7877:60"),
    ],
)
def test_a_number_is_found_as_it_is_dialled_and_grouped(kind: str, value: str, text: str) -> None:
    looker = _numbers_looker({kind: (value,)})
    looker.batch("column", [f"under {text} today"], [f"under {text} today"], ["here"])
    assert [seen.times for seen in looker.found()[3].values()] == [1]


@pytest.mark.parametrize("text", ["81234 5678", "2024-05-01 10:22", "AB1234560", "AB 12 34"])
def test_other_numbers_are_nobodys(text: str) -> None:
    looker = _numbers_looker({"phone": ("+86 138 1234 5678",), "national_id": ("536228741", "AB123456C")})
    looker.batch("column", [f"under {text} today"], [f"under {text} today"], ["here"])
    assert not looker.found()[3]
