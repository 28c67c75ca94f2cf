"""The index of patterns against asking each pattern about each field."""

from __future__ import annotations

from envclone.masking.addresses import Patterns, matches
from envclone.masking.planner import Planner
from envclone.models import Field, FieldKind, Inventory


def _field(address: str, kind: FieldKind = FieldKind.TEXT, type_: str = "text") -> Field:
    return Field(address, type_, kind, base=type_)


FIELDS = [
    *map(_field, ("public.t.email", "public.t.mail", 'public."a.b".c', "public.a.b", 'public."a*b".c', 'public."x".y')),
    *map(_field, ("public.t.tags", 'public."b[]".c', "articles.author.email", 'public."T"."q""r"')),
    _field("articles.vectors", FieldKind.VECTOR, "vector"),
    _field("articles.vectors.dense", FieldKind.VECTOR, "vector"),
    _field("articles.vectors.words", FieldKind.VECTOR, "sparse"),
    _field("kb.vectors.a", FieldKind.VECTOR, "vector"),
]
PATTERNS = [
    *("public.t.email", "public.*.email", "*.mail", "public.t.*", "*", "public.a.b.c", 'public."a.b".c', "public.a.b"),
    *('public."a*b".c', "public.a*b.c", "public.x.y", 'public."x".y', "articles.vectors", "articles.vectors.dense"),
    *("articles.vectors.words", "articles.*", "kb.vectors", "public.b[].c", "public.b[*].c", 'public."b[]".c'),
    *("articles.author.email", 'public."T"."q""r"', "public.t.tags[*]", 'public."b"[].c'),
]


def test_the_index_leaves_out_no_pattern_that_is_about_a_field() -> None:
    found = Patterns(PATTERNS)
    for field in FIELDS:
        asked = [pattern for pattern in PATTERNS if matches(pattern, field)]
        assert [pattern for pattern in found.about(field) if matches(pattern, field)] == asked, field.address


def test_a_plan_asks_few_rules_about_each_of_many_fields() -> None:
    fields = {f"public.wide.c{i}": _field(f"public.wide.c{i}") for i in range(400)}
    rules = dict.fromkeys(fields, "keep")
    assert set(Planner(rules, {}, Inventory("main", fields)).decide()) == set(fields)
    index = Patterns(rules)
    assert all(index.about(field) == [field.address] for field in fields.values())
