"""The remedy names what a person can still change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envclone.models import FieldKind, FieldRule, JsonRule
from envclone.verifier.remedies import remedy

SOURCE = "main.public.variants.label"


def _said(rule: FieldRule | None, kind: str = "person", path: str = "", *, whole: bool = False) -> str:
    address = rule.address if rule is not None else "public.firms.about"
    return remedy(f"main.{address}", address, rule, SOURCE, kind, path, whole=whole)


def _text(domain: str) -> FieldRule:
    return FieldRule("public.firms.about", FieldKind.TEXT, domain)


def test_a_kept_field_is_to_be_masked() -> None:
    assert _said(_text("keep")) == "Mask it: public.firms.about: text"
    assert _said(_text("keep"), whole=True) == "Mask it: public.firms.about: person"
    assert _said(_text("text"), "key", whole=True) == "Mask it: public.firms.about: key"
    assert _said(None).startswith("Take it out there in production; or if its values are nobody's, list them: ")


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        (_text("text"), ""),
        (FieldRule("public.firms.doc", FieldKind.JSON, "keep", (JsonRule("$.note", "text"),)), "$.note"),
        (FieldRule("public.firms.doc", FieldKind.JSON, "text"), "$.note"),
    ],
)
def test_where_the_rule_stands_already_all_that_can_be_typed_is_named(rule: FieldRule, path: str) -> None:
    said = _said(rule, path=path)
    assert "Mask it" not in said
    assert f'{rule.address}: {{"$.note": redact' in said if path else f"{rule.address}: redact" in said
    assert f"{SOURCE}, which is person" in said
    assert "sanitize.nobody: {person: […]}" in said
    assert f"sanitize.accept: [{{field: main.{rule.address}, kind: person, reason: …}}]" in said


def test_a_text_of_documents_gets_a_rule_for_the_path_at_which_it_was_found() -> None:
    said = _said(_text("json"), path="$.docs[*].file")
    assert said == 'Mask it: public.firms.about: {"$.docs[*].file": redact, "$.**": text}'
    said = _said(_text("text"), "url", path="$.callback", whole=True)
    assert said == 'Mask it: public.firms.about: {"$.callback": url, "$.**": text}'


def test_for_a_part_of_a_partition_key_no_mask_is_named() -> None:
    said = _said(replace(_text("keep"), partitioning=True), "email", whole=True)
    assert "Mask it" not in said and "partition key" in said
    assert "sanitize.nobody: {email: […]}" in said
    assert "sanitize.accept: [{field: main.public.firms.about, kind: email, reason: …}]" in said


def test_another_path_of_a_masked_document_is_to_be_masked() -> None:
    rule = FieldRule("public.firms.doc", FieldKind.JSON, "keep", (JsonRule("$.note", "text"),))
    assert _said(rule, path="$.title") == 'Mask it: public.firms.doc: {"$.title": text}'


def test_a_key_of_a_document_wants_a_rule_of_its_own() -> None:
    """`json` masks what stands at keys, and not the keys: its rule goes on beside the one for them."""
    rule = FieldRule("public.events.d", FieldKind.JSON, "json")
    said = remedy("main.public.events.d", "public.events.d", rule, "people.name", "person", "$.seen.*~", whole=False)
    assert said == 'Mask it: public.events.d: {"$.seen.*~": text, "$.**": text}'
    paths = FieldRule("public.events.d", FieldKind.JSON, "keep", (JsonRule("$.**", "text"),))
    said = remedy("main.public.events.d", "public.events.d", paths, "people.name", "person", "$.seen.*~", whole=False)
    assert said == 'Mask it: public.events.d: {"$.seen.*~": text}'


@pytest.mark.parametrize(
    ("kind", "base", "path", "said"),
    [
        (FieldKind.OTHER, "xml", "", "redact (or null)"),
        (FieldKind.OTHER, "jsonb[]", "", "null"),
        (FieldKind.ARRAY, "jsonb[]", "", "json"),
        (FieldKind.ARRAY, "text[]", "", "text"),
        (FieldKind.JSON, "public.pair", "$.d.m.*~", "null (keys of a document within a row cannot be masked)"),
        (FieldKind.JSON, "public.pair", "$.d.m", '{"$.d.m": text, "$.**": keep}'),
        (FieldKind.JSON, "hstore", "$.*~", '{"$.*~": text, "$.**": keep}'),
    ],
)
def test_what_is_told_is_a_rule_that_the_field_takes(kind: FieldKind, base: str, path: str, said: str) -> None:
    rule = FieldRule("public.firms.about", kind, "keep", base=base)
    assert _said(rule, path=path) == f"Mask it: public.firms.about: {said}"
