"""What is proposed where the verifier's search found somebody in what was to be kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from envclone.models import Field, FieldKind, Inventory, Rows
from envclone.scan.foreseen import Remedies
from envclone.scan.propose import Proposal
from envclone.verifier.foresee import Leak
from envclone.verifier.reports import Seen

PARTS = "two parts of one person's identity"
FIRST = ["Quenzel", "Zorvath", "Brimlo", "Taskel"]
A = "public.t.a"


def _field(kind: FieldKind = FieldKind.TEXT, *, unique: bool = False) -> Field:
    return Field(A, kind.value, kind, base="jsonb" if kind is FieldKind.JSON else "text", unique=unique)


def _kept(path: str = "", **more: Any) -> Proposal:
    return Proposal(A, path, "text", "keep", 0.8, "its name", "", **more)


def _leak(times: int, path: str = "", what: str = PARTS, kind: str = "person", *, whole: bool = False) -> Leak:
    return Leak("main", A, "main.public.people.first", kind, what, Seen(times, whole, [], path))


def _applied(
    field: Field, values: Sequence[Any], leak: Leak, proposals: Sequence[Proposal] = (), own: Sequence[str] = ()
) -> list[Proposal]:
    its = list(proposals or [_kept()])
    rows = [
        Rows("public.t", {A: values}, {}, ["ctid (0,1)"] * len(values)),
        Rows("public.people", {"public.people.first": FIRST}, {}, ["ctid (0,1)"] * len(FIRST)),
    ]
    Remedies(Inventory("main", {A: field}), rows, own).apply(its, [leak])
    return its


def test_the_domain_is_what_the_values_are() -> None:
    greetings = [f"Hi {name}" for name in FIRST]
    logins = [f"{name}.molvik".lower() for name in FIRST]
    assert _applied(_field(), FIRST, _leak(4))[0].domain == "person"
    assert _applied(_field(), greetings, _leak(4))[0].domain == "text", "what stands in each is no name"
    assert _applied(_field(), logins, _leak(4, what="a full name", whole=True))[0].domain == "username"
    assert _applied(_field(), [*FIRST, *["on", "off"] * 8], _leak(4))[0].domain == "text", "most name nobody"
    assert (
        _applied(_field(), FIRST, _leak(4, what="a value of the kind email", kind="email", whole=True))[0].domain
        == "email"
    )


def test_somebody_looks_at_it_and_is_told_why() -> None:
    (one,) = _applied(_field(), FIRST, _leak(4, what=f"{PARTS}, in b too (1.2 by chance)"))
    assert one.weak and one.shape == "Xxxxxxx"
    assert one.why == f"it holds {PARTS}, in b too (public.people.first); an image that keeps it is refused"


def test_what_must_stay_unique_stays_unique() -> None:
    (one,) = _applied(_field(unique=True), [*FIRST, *["on", "off"] * 8], _leak(4))
    assert one.domain == "key"


def test_the_path_that_holds_it_is_masked() -> None:
    documents = [json.dumps({"x": name, "y": "open", "z": 1}) for name in FIRST]
    both = [_kept("$.x"), _kept("$.y")]
    json_field = _field(FieldKind.JSON)
    its = _applied(json_field, documents, _leak(1, "$.y"), both)
    assert [(one.path, one.domain) for one in its] == [("$.x", "keep"), ("$.y", "text")]
    its = _applied(json_field, documents, _leak(4), both)
    assert [(one.path, one.domain) for one in its] == [("$.x", "person"), ("$.y", "keep")], "the one with names"
    its = _applied(json_field, documents, _leak(4, "$.w"), both)
    assert [(one.path, one.domain) for one in its] == [("$.x", "keep"), ("$.y", "keep"), ("$.w", "text")]
    assert _applied(json_field, documents, _leak(4, "$.w"), both, [A]) == both, "somebody wrote rules for its paths"


def test_rules_that_nobody_proposes_stay() -> None:
    other = Proposal("public.t.b", "", "text", "keep", 0.8, "", "")
    assert _applied(_field(), FIRST, _leak(4), [other]) == [other]
    masked = Proposal(A, "", "text", "text", 0.8, "", "")
    assert _applied(_field(), FIRST, _leak(4), [masked]) == [masked]


def test_a_preset_gives_way_with_all_its_paths() -> None:
    documents = [json.dumps({"x": name, "y": "open"}) for name in FIRST]
    both = [_kept("$.x", preset="p"), _kept("$.y", preset="p")]
    its = _applied(_field(FieldKind.JSON), documents, _leak(4, "$.x"), both)
    assert {one.preset for one in its} == {""}


def test_each_remedy_is_tried_once() -> None:
    its = [_kept()]
    remedies = Remedies(Inventory("main", {A: _field()}), [Rows("public.t", {A: FIRST}, {}, ["x"] * 4)], ())
    tried = []
    while remedies.apply(its, [_leak(4)]):
        tried.append(its[0].domain)
    assert tried == ["person", "text", "key", "redact", "null", "decide"]


def test_keys_that_a_mask_of_texts_leaves_are_masked_as_keys() -> None:
    text = Proposal(A, "", "text", "text", 0.8, "", "")
    leak = _leak(4, what="a value of the kind key", kind="key", whole=True)
    assert _applied(_field(), FIRST, leak, [text])[0].domain == "key"
    other = _leak(4, what="a value of the kind email", kind="email", whole=True)
    assert _applied(_field(), FIRST, other, [text]) == [text], "texts are searched for these"


def test_what_a_mask_of_texts_leaves_takes_another_mask_and_prose_a_remark() -> None:
    def masked(values: list[str]) -> Proposal:
        its = [Proposal(A, "", "text", "text", 0.6, "its name", "")]
        rows = [Rows("public.t", {A: values}, {}, ["ctid (0,1)"] * len(values))]
        Remedies(Inventory("main", {A: _field()}), rows, ()).apply(its, [_leak(1)], masked=True)
        return its[0]

    assert masked([f"avatars/{name}88.png" for name in FIRST]).domain == "key"
    prose = masked([f"Please send the papers to {name} tomorrow" for name in FIRST])
    assert prose.domain == "text" and prose.weak and "an image may be refused" in prose.why
