"""The search of fields run on some rows: what an image of them would be refused for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envclone.models import FieldKind, FieldRule, JsonRule, Rows, StorePlan
from envclone.protocols import FieldMask
from envclone.verifier.findings import Accepted
from envclone.verifier.foresee import Leak, SomeRows, foresee

FIRST = ["Quenzel", "Zorvath", "Brimlo", "Taskel", "Vuldor", "Pemrix"]
LAST = ["Drachs", "Molvik", "Hartzo", "Yebrun", "Kandro", "Sulfet"]
PEOPLE = {"public.people.first": FIRST, "public.people.last": LAST}


def _rows(table: str, columns: Mapping[str, Sequence[Any]]) -> Rows:
    count = len(next(iter(columns.values())))
    return Rows(table, columns, {}, [f"ctid (0,{i})" for i in range(count)])


def _foresee(
    kept: Mapping[str, Sequence[Any]],
    rules: Mapping[str, FieldRule] | None = None,
    links: Sequence[tuple[str, str]] = (),
    accepted: Sequence[Accepted] = (),
    masks: Callable[[FieldRule], FieldMask] | None = None,
) -> list[Leak]:
    people = {"public.people.id": list(map(str, range(len(FIRST)))), **PEOPLE}
    plan = {a: FieldRule(a, FieldKind.TEXT, "person", base="text") for a in PEOPLE}
    plan["public.people.id"] = FieldRule("public.people.id", FieldKind.TEXT, "keep", base="text")
    plan |= {a: FieldRule(a, FieldKind.TEXT, "keep", base="text") for a in kept} | dict(rules or {})
    texts = {a for a, rule in plan.items() if rule.kind is FieldKind.TEXT}
    some = SomeRows([_rows("public.people", people), _rows("public.t", kept)], links, texts)
    return foresee({"main": some}, {"main": StorePlan("main", plan)}, {}, accepted=accepted, masks=masks)


def _found(leaks: Sequence[Leak]) -> set[tuple[str, str]]:
    return {(one.address, one.seen.path) for one in leaks}


def test_two_kept_columns_that_name_a_person_together() -> None:
    both = {"public.t.a": FIRST, "public.t.b": LAST}
    assert _found(_foresee(both)) == {("public.t.a", "")}
    assert not _foresee({"public.t.a": FIRST, "public.t.c": ["open"] * 6}), "one of them alone is a word"
    masked = FieldRule("public.t.a", FieldKind.TEXT, "text", base="text")
    assert not _foresee(both, {"public.t.a": masked})


def test_two_parts_in_one_value() -> None:
    leaks = _foresee({"public.t.note": ["of Quenzel Drachs", *["a lamp"] * 5]})
    assert [(one.store, one.address, one.kind, one.seen.times) for one in leaks] == [
        ("main", "public.t.note", "person", 1)
    ]
    assert not _foresee({"public.t.note": ["of Quenzel Molvik", *["a lamp"] * 5]}), "of two persons"


def test_the_name_of_whom_a_row_refers_to() -> None:
    links = [("public.t.who", "public.people.id")]
    greeted = {"public.t.who": list("012345"), "public.t.hi": [f"Hi {name}" for name in FIRST]}
    assert _found(_foresee(greeted, links=links)) == {("public.t.hi", "")}
    assert not _foresee(greeted), "nobody knows whom a row means"
    turned = {**greeted, "public.t.hi": [f"Hi {name}" for name in (*FIRST[1:], FIRST[0])]}
    assert not _foresee(turned, links=links)


def test_of_documents_what_is_kept_counts() -> None:
    documents = [json.dumps({"first": first, "last": last}) for first, last in zip(FIRST, LAST, strict=True)]
    keep, mask = JsonRule("$.first", "keep"), JsonRule("$.first", "person")
    rest = JsonRule("$.last", "keep")
    rules = [FieldRule("public.t.doc", FieldKind.JSON, "keep", (one, rest), "jsonb") for one in (keep, mask)]
    assert _found(_foresee({"public.t.doc": documents}, {"public.t.doc": rules[0]}))
    assert not _foresee({"public.t.doc": documents}, {"public.t.doc": rules[1]})


def test_an_exception_of_the_stack_file_is_one_here() -> None:
    both = {"public.t.a": FIRST, "public.t.b": LAST}
    assert not _foresee(both, accepted=[Accepted("main.public.t.a", "person", "fixtures")])


def test_keys_that_a_mask_of_texts_leaves() -> None:
    keys = [f"SLACK_x{i}81kq2" for i in range(6)]
    rules = {
        "public.t.id": FieldRule("public.t.id", FieldKind.TEXT, "key", base="text"),
        "public.t.of": FieldRule("public.t.of", FieldKind.TEXT, "text", base="text"),
    }
    leaks = _foresee({"public.t.id": keys, "public.t.of": keys[::-1]}, rules)
    assert {(one.address, one.kind, one.seen.whole) for one in leaks} == {("public.t.of", "key", True)}


def test_what_the_mask_of_texts_leaves_is_found_when_it_is_asked() -> None:
    files = {"public.t.a": [f"files/{a}{b}.png".lower() for a, b in zip(FIRST, LAST, strict=True)]}
    rules = {"public.t.a": FieldRule("public.t.a", FieldKind.TEXT, "text", base="text")}

    def leaves(_: FieldRule) -> FieldMask:
        return lambda values: list(values)

    def finds(_: FieldRule) -> FieldMask:
        return lambda values: ["files/xxxx.png"] * len(values)

    assert _found(_foresee(files, rules, masks=leaves)) == {("public.t.a", "")}
    assert not _foresee(files, rules, masks=finds)


def test_what_texts_leave_in_documents_with_other_masks() -> None:
    keys = [f"SLACK_x{i}81kq2" for i in range(6)]
    documents = [
        json.dumps({"awb": key, "who": f"{a} {b}"}) for key, a, b in zip(keys, FIRST * 2, LAST * 2, strict=False)
    ]
    paths = JsonRule("$.who", "person"), JsonRule("$.**", "text")
    rules = {
        "public.t.id": FieldRule("public.t.id", FieldKind.TEXT, "key", base="text"),
        "public.t.doc": FieldRule("public.t.doc", FieldKind.JSON, "keep", paths, "text"),
    }

    def leaves(_: FieldRule) -> FieldMask:
        return lambda values: list(values)

    leaks = _foresee({"public.t.id": keys[: len(documents)], "public.t.doc": documents}, rules, masks=leaves)
    assert {(one.address, one.kind, one.seen.path) for one in leaks} == {("public.t.doc", "key", "$.awb")}
