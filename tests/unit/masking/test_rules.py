from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from envclone.errors import ConfigError, UnsafeError
from envclone.masking.kinds import DomainSpec
from envclone.masking.references import parse
from envclone.masking.rules import digest, plan
from envclone.models import Field, FieldKind, FieldRule, Held, Inventory, JsonRule

DOMAINS = {"email": DomainSpec("email", unique=True), "person": DomainSpec("person"), "phone": DomainSpec("phone")}
TEXT, JSON, VECTOR, OTHER = FieldKind.TEXT, FieldKind.JSON, FieldKind.VECTOR, FieldKind.OTHER
Rules = Mapping[str, str | Mapping[str, str]]


def inventory(*fields: Field, rows: int = 5) -> Inventory:
    tables = {field.address.rpartition(".")[0] or field.address for field in fields}
    return Inventory("main", {field.address: field for field in fields}, dict.fromkeys(tables, rows))


def text(address: str, **more: object) -> Field:
    return Field(address, "text", TEXT, **more)  # type: ignore[arg-type]


def decided(rules: Rules, *fields: Field, rows: int = 5) -> Mapping[str, FieldRule]:
    result = plan(rules, DOMAINS, inventory(*fields, rows=rows))
    assert result.store == "main"
    assert result.rules.keys() == {field.address for field in fields}
    return result.rules


def unsafe(rules: Rules, *fields: Field, rows: int = 5) -> UnsafeError:
    with pytest.raises(UnsafeError) as caught:
        plan(rules, DOMAINS, inventory(*fields, rows=rows))
    return caught.value


def invalid(rules: Rules, *fields: Field, domains: Mapping[str, DomainSpec] = DOMAINS) -> str:
    with pytest.raises(ConfigError) as caught:
        plan(rules, domains, inventory(*fields))
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


USERS = (text("public.users.email"), text("public.users.name"), Field("public.users.id", "integer", OTHER))


def test_exact_rules_and_globs() -> None:
    rules = decided({"public.users.*": "keep", "public.users.email": "email", "*.*.*": "redact"}, *USERS)
    assert {address: rule.domain for address, rule in rules.items()} == {
        "public.users.email": "email",
        "public.users.name": "keep",
        "public.users.id": "keep",
    }
    rules = decided({"public.users.*": "keep", "public.users.na*": "person"}, *USERS)
    assert rules["public.users.name"].domain == "person"
    assert rules["public.users.email"].domain == "keep"


def test_equally_specific_rules_that_differ() -> None:
    rules = {"public.users.*": "keep", "public.*.email": "email"}
    assert "public.users.email: the rules public.users.*, public.*.email are equally" in invalid(rules, *USERS)
    assert decided(rules | {"public.users.email": "email"}, *USERS)["public.users.email"].domain == "email"


def test_undeclared_fields_are_listed_with_proposals() -> None:
    error = unsafe({}, *USERS, Field("public.users.vec", "vector(3)", VECTOR))
    assert error.exit_code == 4
    assert len(error.problems) == 4
    assert any("public.users.email (text) is undeclared" in problem for problem in error.problems)
    assert error.hint is not None
    for line in (
        "public.users.email: email",
        "public.users.name: person",
        "public.users.id: keep",
        "public.users.vec: {vectors: keep}",
    ):
        assert f"\n  {line}" in error.hint
    assert "sanitize.rules.main" in error.hint


@pytest.mark.parametrize("vectors", ["kb.vectors", "kb.vectors.text"])
def test_payload_keys_with_the_names_of_vectors_and_ids_are_declared_as_paths(vectors: str) -> None:
    fields = (
        Field("kb", "payload", JSON, paths=("$.author", "$.vectors", "$.point_ids")),
        Field("kb.point_ids", "point ids", VECTOR, holds=(Held("", "ids"),)),
        Field(vectors, "vector(4, Cosine)", VECTOR),
    )
    rules: Rules = {"kb.author": "person", "kb.vectors": "keep", "kb.point_ids": "keep"}
    error = unsafe(rules, *fields)
    # the rules for the vectors and ids do not keep what is called like them
    assert sorted(error.problems) == [f"kb: the path $.{one} is undeclared" for one in ("point_ids", "vectors")]
    assert error.hint is not None and "kb.point_ids" not in error.hint and "kb.vectors" not in error.hint
    (proposed,) = yaml.safe_load("\n".join(error.hint.splitlines()[1:])).items()
    assert proposed[0] == "kb" and proposed[1].keys() == {"$.point_ids", "$.vectors"}
    found = decided({**rules, "kb": {"$.point_ids": "phone", "$.vectors": "person"}}, *fields)
    assert {one.path: one.domain for one in found["kb"].json} == {
        "$.author": "person", "$.point_ids": "phone", "$.vectors": "person",
    }  # fmt: skip
    assert found["kb.point_ids"].domain == found[vectors].domain == "keep"


def test_a_rule_that_matches_nothing() -> None:
    error = unsafe({"public.users.*": "keep", "public.users.emial": "email"}, *USERS)
    assert error.problems == ("the rule 'public.users.emial' matches nothing (did you mean public.users.email?)",)


def test_all_problems_at_once() -> None:
    error = unsafe({"public.users.id": "email", "public.gone.x": "keep", "public.users.name": "nobody"}, *USERS, rows=0)
    assert isinstance(error, UnsafeError)
    assert sorted(problem.split()[0] for problem in error.problems) == [
        *("public.users.email", "public.users.id:", "public.users.name:"),
        "the",
    ]


# --- vectors -------------------------------------------------------------------------------------------------------

ARTICLES = (
    Field("articles", "payload", JSON, paths=("$.author.email", "$.contacts[*].phone", "$.title", "$['odd key']")),
    Field("articles.vectors", "vector(8)", VECTOR),
    Field("articles.vectors.title", "vector(8)", VECTOR),
)


def test_vectors_must_be_named() -> None:
    error = unsafe({"articles.*": "keep"}, *ARTICLES)
    assert len(error.problems) == 2
    assert "vectors are kept only when a rule names them" in error.problems[0]
    rules = decided({"articles.*": "keep", "articles.vectors": {"vectors": "keep"}}, *ARTICLES)
    assert rules["articles.vectors.title"].domain == "keep"
    assert "vectors can only be kept" in invalid({"articles.*": "keep", "articles.vectors": "redact"}, *ARTICLES[:2])
    error = unsafe({"public.t.*": "keep"}, Field("public.t.v", "vector", VECTOR))
    assert "matches nothing but vectors" in error.problems[1]
    assert decided({"public.t.v": "keep"}, Field("public.t.v", "vector", VECTOR))


# --- JSON ----------------------------------------------------------------------------------------------------------


def test_addresses_below_a_json_field() -> None:
    rules = decided(
        {
            "articles.author.email": "email",
            "articles.contacts[].phone": "phone",
            "articles.odd key": "keep",
            "articles.title": "keep",
            "articles.vectors": "keep",
        },
        *ARTICLES,
    )
    assert set(rules["articles"].json) == {
        JsonRule("$.author.email", "email"),
        JsonRule("$.contacts[*].phone", "phone"),
        JsonRule("$['odd key']", "keep"),
        JsonRule("$.title", "keep"),
    }
    assert rules["articles"].domain == "keep"
    assert rules["articles"].masked


def test_uncovered_paths_are_listed() -> None:
    error = unsafe({"articles.author.*": "email", "articles.vectors": "keep"}, *ARTICLES)
    assert error.problems == (
        "articles: the path $.contacts[*].phone is undeclared",
        "articles: the path $.title is undeclared",
        "articles: the path $['xxx xxx'] is undeclared",
    )
    assert error.hint is not None
    assert "\n  articles.contacts[].phone: phone" in error.hint
    assert '\n  articles: {"$.*": text}' in error.hint


EVENT = Field("public.e.payload", "jsonb", JSON, paths=("$.user.email", "$.user.name", "$.n"))


def test_a_mapping_and_a_word() -> None:
    mapping = {"$.user.*": "keep", "$.user.email": "email", "$..n": "keep"}
    rule = decided({"public.e.payload": mapping}, EVENT)["public.e.payload"]
    assert {r.path: r.domain for r in rule.json} == mapping
    assert decided({"public.e.payload": "text"}, EVENT)["public.e.payload"] == FieldRule(
        "public.e.payload", JSON, "text"
    )
    both = decided({"public.e.*": "redact", "public.e.payload.user.email": "email"}, EVENT)["public.e.payload"]
    assert set(both.json) == {JsonRule("$.**", "redact"), JsonRule("$.user.email", "email")}


def test_paths_that_match_nothing() -> None:
    rules: Rules = {"public.e.payload": {"$.user.**": "person", "$.n": "keep", "$.gone": "email"}}
    assert unsafe(rules, EVENT).problems == ("public.e.payload: the path $.gone matches nothing",)
    below: Rules = {"public.e.payload": "keep", "public.e.payload.gone": "email"}
    assert unsafe(below, EVENT).problems == ("the rule 'public.e.payload.gone' matches nothing",)
    empty = Field("public.e.payload", "jsonb", JSON)
    assert decided(rules, empty, rows=0)["public.e.payload"].masked
    assert decided(below, empty, rows=0)["public.e.payload"].masked


def test_json_contradictions() -> None:
    assert "not a JSON path" in invalid({"public.e.payload": {"$.**": "keep", "user.email": "email"}}, EVENT)
    problem = invalid({"public.e.payload": {"$.user.*": "keep", "$.*.email": "email", "$.*": "keep"}}, EVENT)
    assert "equally specific" in problem
    assert "JSON paths" in invalid({"public.t.c": {"$.a": "keep"}}, Field("public.t.c", "uuid", OTHER, base="uuid"))
    assert "no domain 'nope'" in invalid({"public.e.payload": {"$.**": "nope"}}, EVENT)


VISIT = (
    Field("public.v.at", "date", OTHER, base="date"),
    Field("public.v.who", "integer", OTHER, base="int4"),
    Field("public.v.doc", "jsonb", JSON, paths=("$.a",)),
)
KEPT = {"public.v.who": "keep", "public.v.doc": "keep"}


def test_a_date_is_shifted_by_a_column_of_its_row() -> None:
    for named in ("who", "public.v.who"):
        rules = decided({**KEPT, "public.v.at": {"domain": "date", "by": named}}, *VISIT)
        assert rules["public.v.at"] == FieldRule("public.v.at", OTHER, "date", base="date", by="public.v.who")
    assert decided({**KEPT, "public.v.at": "date"}, *VISIT)["public.v.at"].by == ""


def test_settings_are_masked_by_their_keys() -> None:
    key, document = text("public.s.key"), Field("public.s.doc", "jsonb", JSON, base="jsonb", paths=("$.a",))
    rules: Rules = {
        "public.s.key": "keep",
        "public.s.value": {"domain": "setting", "by": "key"},
        "public.s.doc": {"domain": "setting", "by": "key"},
    }
    made = decided(rules, key, text("public.s.value"), document)
    assert (made["public.s.value"].domain, made["public.s.value"].by) == ("setting", "public.s.key")
    assert (made["public.s.doc"].domain, made["public.s.doc"].by) == ("setting", "public.s.key")
    for wrong in ("setting", {"domain": "setting", "by": "nothing"}):
        for address in ("public.s.value", "public.s.doc"):
            with pytest.raises(ConfigError):
                decided({**rules, address: wrong}, key, text("public.s.value"), document)
    with pytest.raises(ConfigError) as caught:
        decided({**rules, "public.s.doc": {"$.a": "setting"}}, key, text("public.s.value"), document)
    assert "whole of a column" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({**KEPT, "public.v.at": {"domain": "date", "by": "nobody"}}, "there is no column 'nobody' beside it"),
        ({**KEPT, "public.v.at": {"domain": "date", "by": "doc"}}, "a column with single values"),
        ({**KEPT, "public.v.at": {"domain": "redact", "by": "who"}}, "`by` is for dates"),
    ],
)
def test_what_a_shift_cannot_follow(rules: Rules, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(rules, DOMAINS, inventory(*VISIT))
    assert any(expected in problem for problem in caught.value.problems)


def test_a_text_with_json_paths_is_a_document() -> None:
    rules = decided({"public.t.c": {"$.user.email": "email", "$.**": "keep"}}, text("public.t.c"))
    assert rules["public.t.c"].kind is JSON
    assert set(rules["public.t.c"].json) == {JsonRule("$.user.email", "email"), JsonRule("$.**", "keep")}


def test_a_tsvector_is_made_again() -> None:
    fields = (Field("public.t.words", "tsvector", OTHER, base="tsvector"), text("public.t.body"))
    rules = decided({"public.t.words": "text", "public.t.body": "text"}, *fields)
    assert rules["public.t.words"].derived
    assert rules["public.t.words"].masked
    rules = decided({"public.t.words": {"domain": "text", "by": "body"}, "public.t.body": "text"}, *fields)
    assert rules["public.t.words"].by == "public.t.body"


def test_generated_columns_follow_and_are_no_ones_to_mask() -> None:
    rules = decided({"public.t.c": "email"}, text("public.t.c"), text("public.t.low", generated=True))
    assert rules["public.t.low"].derived
    assert not rules["public.t.low"].masked


# --- foreign keys --------------------------------------------------------------------------------------------------

GROUP = frozenset(("public.accounts.email", "public.sessions.email", "public.logins.email"))
KEYS = tuple(text(address, group=GROUP, unique="accounts" in address) for address in sorted(GROUP))


def test_one_rule_masks_all_ends_of_a_foreign_key() -> None:
    rules = decided({"public.accounts.email": "email"}, *KEYS)
    assert {rule.domain for rule in rules.values()} == {"email"}
    rules = decided({"public.sessions.email": "email", "public.logins.*": "keep"}, *KEYS)
    assert {rule.domain for rule in rules.values()} == {"email"}


def test_two_decisions_in_a_group() -> None:
    assert "need one rule" in invalid({"public.accounts.email": "email", "public.logins.email": "keep"}, *KEYS)
    assert "need one rule" in invalid({"public.accounts.email": "email", "public.logins.*": "person"}, *KEYS)
    # a keep that is exact is never overruled, and never overrules a mask in silence
    assert "need one rule" in invalid({"public.accounts.*": "email", "public.logins.email": "keep"}, *KEYS)


def test_an_undeclared_group_is_one_problem() -> None:
    error = unsafe({}, *KEYS)
    assert error.problems == (
        "public.accounts.email (text) is undeclared, and with it public.logins.email, public.sessions.email",
    )


# --- what cannot be ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "field", "expected"),
    [
        ("null", text("public.t.c", nullable=False), "NOT NULL"),
        ("email", Field("public.t.c", "uuid", OTHER), "cannot mask uuid: only a constant, keep or null"),
        ("email", Field("public.t.c", "uuid", OTHER, base="uuid"), "mask uuid: only uuid, a constant, keep or null"),
        ("ip", Field("public.t.c", "integer[]", FieldKind.ARRAY, base="int4[]"), "only integer, number, redact, a con"),
        ("number", Field("public.t.c", "integer", OTHER, base="int4", unique=True), "unique"),
        ("redact", text("public.t.c", unique=True), "unique"),
        ("text", text("public.t.c", unique=True), "unique"),
        ("email", text("public.t.c", generated=True), "generated"),
        ("null", Field("public.t.c", "jsonb", JSON, nullable=False, paths=("$.a",)), "NOT NULL"),
    ],
)
def test_impossible_rules(domain: str, field: Field, expected: str) -> None:
    assert expected in invalid({"public.t.c": domain}, field)


def test_possible_rules() -> None:
    for domain, field in (
        ("null", text("public.t.c", unique=True)),
        ("null", Field("public.t.c", "inet", OTHER)),
        ("person", text("public.t.c", unique=True)),
    ):
        assert decided({"public.t.c": domain}, field)["public.t.c"].domain == domain


def test_unique_domains_need_an_injective_kind() -> None:
    problem = invalid({"public.t.c": "keep"}, text("public.t.c"), domains={"notes": DomainSpec("text", unique=True)})
    assert "unique is impossible" in problem


def test_generated_columns_follow() -> None:
    generated = text("public.t.upper", generated=True)
    assert decided({"public.t.c": "person"}, text("public.t.c"), generated)["public.t.upper"].domain == "keep"
    assert decided({"public.t.*": "person"}, text("public.t.c"), generated)["public.t.upper"].domain == "keep"


# --- digest --------------------------------------------------------------------------------------------------------


def test_digest_changes_with_everything_that_decides() -> None:
    rules = {"main": {"a.b.c": "email", "a.b.d": {"$.x": "keep"}}}
    base = digest(rules, DOMAINS)
    assert base == digest({"main": {"a.b.d": {"$.x": "keep"}, "a.b.c": "email"}}, dict(reversed(DOMAINS.items())))
    others = {
        digest({"main": {"a.b.c": "keep", "a.b.d": {"$.x": "keep"}}}, DOMAINS),
        digest({"main": {"a.b.c": "email", "a.b.d": {"$.y": "keep"}}}, DOMAINS),
        digest({"kb": rules["main"]}, DOMAINS),
        digest(rules, {**DOMAINS, "phone": DomainSpec("person")}),
        digest(rules, {**DOMAINS, "phone": DomainSpec("phone", unique=True)}),
    }
    assert base not in others
    assert len(others) == 5


ROW = Field("public.docs.parts", "chunk", JSON, paths=("$.body", "$.v"), holds=(Held("$.v", "vectors"),))
WORDS = Field("public.docs.tsv", "tsvector", OTHER, base="tsvector", holds=(Held("", "words"),))


def test_a_vector_inside_a_row_wants_its_own_word() -> None:
    error = unsafe({"public.docs.*": "keep"}, ROW)
    assert error.problems == (
        "public.docs.parts (the path $.v) is undeclared; vectors are kept only when a rule names them: {vectors: keep}",
    )
    assert error.hint is not None and "public.docs.parts: {vectors: keep}" in error.hint
    keep = {"public.docs.*": "keep", "public.docs.parts": {"vectors": "keep"}}
    assert decided(keep, ROW)["public.docs.parts"].json == (JsonRule("$.**", "keep"), JsonRule("$.v", "keep"))
    both = decided({"public.docs.parts": {"$.body": "text", "vectors": "keep"}}, ROW)["public.docs.parts"]
    assert both.json == (JsonRule("$.body", "text"), JsonRule("$.v", "keep"))
    assert decided({"public.docs.parts": {"$.body": "text", "$.v": "keep"}}, ROW)
    assert decided({"public.docs.parts": "keep"}, ROW)["public.docs.parts"].domain == "keep"
    alone = unsafe({"public.docs.parts": {"vectors": "keep"}}, ROW)
    assert alone.problems == ("public.docs.parts: the path $.body is undeclared",)
    assert "can be kept or set to null" in invalid({"public.docs.parts": {"$.*": "text"}}, ROW)


def test_the_words_of_a_text_search_want_their_own_word() -> None:
    error = unsafe({"public.docs.*": "keep"}, WORDS)
    assert "kept only when a rule names them: {words: keep}" in error.problems[0]
    for rule in ("keep", {"words": "keep"}):
        assert decided({"public.docs.tsv": rule}, WORDS)["public.docs.tsv"].domain == "keep"  # type: ignore[dict-item]
    assert decided({"public.docs.*": "text"}, WORDS)["public.docs.tsv"].derived
    assert decided({"public.docs.*": "null"}, WORDS)["public.docs.tsv"].domain == "null"


POINTS = (
    Field("kb", "payload", JSON, paths=("$.id",)),
    Field("kb.point_ids", "point ids", VECTOR, holds=(Held("", "ids"),)),
    Field("kb.vectors", "vector(8)", VECTOR),
    Field("kb.vectors.words", "sparse", VECTOR),
)


def test_point_ids_and_sparse_vectors_want_rules_of_their_own() -> None:
    error = unsafe({"kb.*": "keep", "kb.id": "keep", "kb.vectors": "keep"}, *POINTS)
    assert len(error.problems) == 2
    assert "the ids of points can be somebody's number" in error.problems[0]
    assert "a dictionary reads back" in error.problems[1]
    assert error.hint is not None
    assert "  kb.point_ids: keep" in error.hint and "  kb.vectors.words: {vectors: keep}" in error.hint
    rules = {"kb.*": "keep", "kb.vectors": "keep", "kb.point_ids": "keep", "kb.vectors.words": "keep"}
    assert all(not rule.masked for rule in decided(rules, *POINTS).values())
    said = invalid(rules | {"kb.vectors.words": "drop"}, *POINTS)
    assert said.startswith("kb.vectors.words: vectors can only be kept") and "not built yet" in said
    assert "the ids of points can only be kept" in invalid(rules | {"kb.point_ids": "redact"}, *POINTS)
    assert "nothing to drop" in invalid({"public.users.name": "drop"}, USERS[1])


def test_the_digest_of_the_rules_knows_each_decision() -> None:
    one = digest({"kb": {"kb.point_ids": "keep"}}, {})
    assert one != digest({"kb": {}}, {})
    assert digest({"m": {"a.b.c": {"words": "keep"}}}, {}) != digest({"m": {"a.b.c": {"vectors": "keep"}}}, {})


@pytest.mark.parametrize("column", ["first_name", "lastName", "surname", "vorname"])
def test_a_part_of_a_name_is_refused_where_whole_persons_are_needed(column: str) -> None:
    fields = {
        f"public.p.{name}": Field(f"public.p.{name}", "text", FieldKind.TEXT, base="text")
        for name in (column, "full_name")
    }
    store = Inventory("main", fields)
    whole = {"person": DomainSpec("person", consistency="person")}
    with pytest.raises(ConfigError) as caught:
        plan({"public.p.*": "person"}, whole, store)
    assert len(caught.value.problems) == 1
    assert column in caught.value.problems[0] and "whole ones" in caught.value.problems[0]
    assert plan({"public.p.*": "person"}, {}, store)
    assert plan({f"public.p.{column}": "redact", "public.p.*": "person"}, whole, store)


MAP = Field("public.events.doc", "jsonb", JSON, base="jsonb", paths=("$.shares['a@b.example'].role", "$.kind"))


def test_a_path_that_ends_in_a_tilde_masks_keys() -> None:
    rest = {"$.shares.*.role": "keep", "$.kind": "keep"}
    (rule,) = decided({"public.events.doc": {"$.shares.*~": "email", **rest}}, MAP).values()
    assert ("$.shares.*~", "email") in {(one.path, one.domain) for one in rule.json}
    (rule,) = decided({"public.events.doc.shares.*~": "email", "public.events.doc": rest}, MAP).values()
    assert ("$.shares.*~", "email") in {(one.path, one.domain) for one in rule.json}
    assert "matches nothing" in unsafe({"public.events.doc": {"$.nobody.*~": "email", **rest}}, MAP).problems[0]


@pytest.mark.parametrize("domain", ["null", "redact", "date"])
def test_a_domain_that_makes_keys_equal_is_refused(domain: str) -> None:
    said = invalid({"public.events.doc": {"$.**": "keep", "$.shares.*~": domain}}, MAP)
    assert "cannot be masked as" in said and "email, person or key" in said


def test_the_keys_of_a_row_are_its_columns() -> None:
    row = Field("public.events.doc", "pair", JSON, base="pair", paths=("$.a",))
    assert "names of its columns" in invalid({"public.events.doc": {"$.a": "keep", "$.*~": "email"}}, row)


@pytest.mark.parametrize(
    ("text", "source", "target", "both"),
    [
        ("kb.a.b -> main.c.d", "a.b", "c.d", False),
        ("kb.a.b<->main.c.d", "a.b", "c.d", True),
        ('kb."a<->".b <-> main."c -> d".e where kind = x', '"a<->".b', '"c -> d".e', True),
    ],
)
def test_a_reference_is_read_in_one_or_both_directions(text: str, source: str, target: str, both: bool) -> None:
    one = parse(text)
    assert (one.store, one.source, one.target_store, one.target, one.both) == ("kb", source, "main", target, both)
