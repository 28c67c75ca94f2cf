"""A masked incident: by the rules of the fields where there are fields, as free text everywhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.errors import UnsafeError
from envclone.incidents.bundle import Expected, Incident, SqlStep, VectorStep
from envclone.incidents.mask import mask_incident
from envclone.incidents.masksql import is_plain_data, mask_sql
from envclone.incidents.sql import tokens
from envclone.models import FieldKind, FieldRule, JsonRule, StorePlan
from tests.unit.incidents.fakes import Fake


def rule(address: str, domain: str, kind: FieldKind = FieldKind.TEXT, **paths: str) -> FieldRule:
    json_rules = tuple(JsonRule(path, name) for path, name in paths.items())
    return FieldRule(address, kind, domain, json_rules)


def plan(store: str, *rules: FieldRule) -> StorePlan:
    return StorePlan(store, {r.address: r for r in rules})


PLANS = {
    "main": plan(
        "main",
        rule("public.c.id", "keep", FieldKind.OTHER),
        rule("public.c.name", "person"),
        rule("public.c.city", "keep"),
        rule("public.c.tags", "person", FieldKind.ARRAY),
        rule("public.c.phone", "phone", FieldKind.OTHER),
        rule("public.c.secret", "null"),
        rule("public.c.data", "keep", FieldKind.JSON, **{"$.user.email": "email", "$.plan": "keep"}),
        rule("public.c.embedding", "keep", FieldKind.VECTOR),
        rule("public.c.dropped", "null", FieldKind.VECTOR),
        rule("public.c.turned", "redact", FieldKind.VECTOR),
    ),
    "kb": plan(
        "kb",
        rule(
            "articles", "keep", FieldKind.JSON,
            **{"$.author.email": "email", "$.text": "text", "$.tags[*]": "person", "$.people[*].name": "person",
               "$.city": "keep", "$.names[*]": "person"},
        ),
        rule("plain", "keep", FieldKind.JSON),
    ),
}  # fmt: skip


def masked(*steps: SqlStep | VectorStep, masks: Fake | None = None, **more: Any) -> Incident:
    return mask_incident(Incident(incident="1234", environment="prod", steps=steps, **more), masks or Fake(), PLANS)


def sql(text: str = "SELECT 1", **more: Any) -> SqlStep:
    step = SqlStep(id="q", store="main", sql=text, **more)
    done = masked(step).steps[0]
    assert isinstance(done, SqlStep)
    return done


def search(**more: Any) -> VectorStep:
    step = VectorStep(id="s", store="kb", **({"collection": "articles", "vector": [1.0]} | more))
    done = masked(step).steps[0]
    assert isinstance(done, VectorStep)
    return done


# --- keys ----------------------------------------------------------------------------------------------------


def test_a_masked_bundle_stays_as_it_is_and_another_key_is_refused() -> None:
    first = masked(SqlStep(id="q", store="main", sql="SELECT 'Jane'", note="for Jane"), note="Jane called")
    assert first.masked == "k1" and first.note == "Ruth called" and first.steps[0].note == "for Ruth"
    assert mask_incident(first, Fake("k1"), PLANS) is first
    with pytest.raises(UnsafeError, match="masked with the key k1, the image with k2"):
        mask_incident(first, Fake("k2"), PLANS)


def test_a_store_without_rules_is_refused() -> None:
    with pytest.raises(UnsafeError, match="'q' runs on 'other'"):
        masked(SqlStep(id="q", store="other", sql="SELECT 1"))


# --- results -------------------------------------------------------------------------------------------------


def test_rows_are_masked_by_the_rule_of_the_field_they_show() -> None:
    columns: list[tuple[str, str, Any, Any]] = [
        ("id", "public.c.id", 7, 7),
        ("name", "public.c.name", "Jane Doe", "person:Ruth Roe"),
        ("none", "public.c.name", None, None),
        ("city", "public.c.city", "Max", "Max"),  # kept, though Max is somebody's name
        ("tags", "public.c.tags", ["Jane", "x"], ["person:Ruth", "person:x"]),
        ("phone", "public.c.phone", 4915112345, 9999999999),
        ("secret", "public.c.secret", "Jane", None),
        (
            "data",
            "public.c.data",
            {"user": {"email": "jane@x"}, "plan": "Max", "n": 1.5},
            {"user": {"email": "email:ruth@x"}, "plan": "Max", "n": 1.5},
        ),
        ("embedding", "public.c.embedding", "[1,2,3]", "[1,2,3]"),
        ("dropped", "public.c.dropped", "[1,2,3]", None),
        ("turned", "public.c.turned", [1.0, 2.0], [1.0, 2.0]),
        ("computed", "", "Dear Jane", "Dear Ruth"),
        ("object", "", {"Jane": ["Doe", 1], "x": None}, {"Ruth": ["Roe", 1], "x": None}),
        ("count", "", 12345678901, 12345678901),
        ("when", "", "2024-05-01T10:00:00.5+00:00", "2024-05-01T10:00:00.5+00:00"),
        ("view", "public.v.name", "Jane", "Ruth"),
    ]
    expect = Expected(
        columns=tuple(c[0] for c in columns), origins=tuple(c[1] for c in columns), rows=(tuple(c[2] for c in columns),)
    )
    done = sql(expect=expect).expect
    assert done is not None
    assert dict(zip(done.columns, done.rows[0], strict=True)) == {c[0]: c[3] for c in columns}


def test_rows_without_origins_are_free_text() -> None:
    done = sql(expect=Expected(columns=("a",), rows=(("Jane",), (None,)))).expect
    assert done is not None and done.rows == (("Ruth",), (None,))


def test_recorded_ids_are_masked_as_their_column() -> None:
    expect = Expected(columns=("name",), origins=("public.c.name",), ids=("Jane",))
    done = sql(expect=expect, key="name").expect
    assert done is not None and done.ids == ("person:Ruth",)


def test_an_error_keeps_its_state() -> None:
    done = sql(expect=Expected(error='22P02 invalid input syntax for type uuid: "Jane"')).expect
    assert done is not None and done.error == '22P02 invalid input syntax for type uuid: "Ruth"'


def test_payloads() -> None:
    payload = {
        "author": {"email": "jane@x"},
        "text": "Jane called +49 151 12345",
        "city": "Max",
        "n": 1,
        "tags": ["Jane"],
    }
    done = search(expect=Expected(columns=("payload",), rows=((payload,), (None,)), ids=("Jane", 2), scores=(1.0, 0.5)))
    assert done.expect is not None
    wanted = {
        "author": {"email": "email:ruth@x"},
        "text": "Ruth called +77 777 77777",
        "city": "Max",
        "n": 1,
        "tags": ["person:Ruth"],
    }
    assert done.expect.rows == ((wanted,), (None,))
    assert done.expect.ids == ("Jane", 2)  # a point's id is never masked
    assert done.vector == [1.0]


def test_a_collection_that_is_kept_and_one_that_has_no_rule() -> None:
    expect = Expected(columns=("payload",), rows=(({"a": "Jane"},),), ids=(1,), scores=(1.0,))
    kept = search(collection="plain", expect=expect).expect
    unknown = search(collection="unknown", expect=expect).expect
    assert kept is not None and kept.rows == expect.rows
    assert unknown is not None and unknown.rows == (({"a": "Ruth"},),)


# --- filters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "kind", "value", "wanted"),
    [
        ("author.email", "value", "jane@x", "email:ruth@x"),
        ("author.email", "any", ["jane@x", "b"], ["email:ruth@x", "email:b"]),
        ("text", "text", "Jane", "Ruth"),
        ("city", "value", "Max", "Max"),
        ("undeclared", "value", "Max", "Tom"),
        ("names", "value", "Jane", "person:Ruth"),
        ("names[]", "except", ["Jane"], ["person:Ruth"]),
        ("people[].name", "value", "Jane", "person:Ruth"),
        ("n", "value", 5, 5),
    ],
)
def test_what_a_filter_matches(key: str, kind: str, value: Any, wanted: Any) -> None:
    def condition(matched: Any) -> dict[str, Any]:
        return {"must": [{"key": key, "match": {kind: matched}}]}

    assert search(filter=condition(value)).filter == condition(wanted)


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (
            {"nested": {"key": "people", "filter": {"must": [{"key": "name", "match": {"value": "Jane"}}]}}},
            {"nested": {"key": "people", "filter": {"must": [{"key": "name", "match": {"value": "person:Ruth"}}]}}},
        ),
        ({"key": "n", "range": {"gte": 5}}, None),
        ({"key": "day", "range": {"gte": "2024-05-01T00:00:00Z"}}, None),
        ({"has_id": [1, "Jane"]}, None),
        ({"is_empty": {"key": "Jane"}}, None),
        ({"unknown": {"deep": ["Jane"]}}, {"unknown": {"deep": ["Ruth"]}}),
    ],
)
def test_filters(condition: dict[str, Any], wanted: dict[str, Any] | None) -> None:
    wanted = condition if wanted is None else wanted
    assert search(filter=condition).filter == wanted
    for clause in ("must", "should", "must_not"):
        assert search(filter={clause: [condition]}).filter == {clause: [wanted]}
    assert search(filter={"must": [{"should": [condition]}]}).filter == {"must": [{"should": [wanted]}]}


# --- parameters and settings ---------------------------------------------------------------------------------


def test_parameters() -> None:
    vector = [0.1, 2.0]
    day, vector_text = "2024-05-01", "[0.123456789,1e-05,-3]"
    done = sql("SELECT %s", parameters=["for Jane", vector, 12345678901, None, True, day, vector_text, {"k": ["Doe"]}])
    assert done.parameters == ["for Ruth", vector, 12345678901, None, True, day, vector_text, {"k": ["Roe"]}]
    assert sql("SELECT %(a)s", parameters={"a": "Jane"}).parameters == {"a": "Ruth"}
    assert sql().parameters is None


def test_a_document_has_domains_by_path() -> None:
    claims = '{"sub":"a-1","email":"jane@x.org","role":"app","many":[{"id":"a-2"}]}'
    paths = {"$.sub": "key", "$.email": "email", "$.many[*].id": "key", "$.role": "keep"}
    step = sql(
        "SELECT %(doc)s",
        parameters={"doc": {"sub": "a-1"}},
        local={"request.jwt.claims": claims},
        domains={"request.jwt.claims": paths, "doc": {"$.sub": "key"}},
    )
    found = json.loads(step.local["request.jwt.claims"])
    assert found["sub"].startswith("key:") and found["many"][0]["id"].startswith("key:")
    assert found["email"].startswith("email:") and found["role"] == "app"
    assert ", " not in step.local["request.jwt.claims"]
    assert step.parameters["doc"]["sub"] == found["sub"]
    with pytest.raises(UnsafeError, match="not a JSON document"):
        sql("SELECT 1", local={"a.b": "{"}, domains={"a.b": {"$.sub": "key"}})
    with pytest.raises(ValueError, match="not a JSON path"):
        sql("SELECT 1", local={"a.b": "{}"}, domains={"a.b": {"sub": "key"}})


def test_a_declared_domain_masks_a_parameter_as_the_column() -> None:
    done = sql(
        "SELECT %(a)s, %(b)s, %(c)s, %(d)s, %(e)s",
        parameters={"a": "Jane", "b": ["Jane", None], "c": 4915112345, "d": "Jane", "e": "Jane"},
        domains={"a": "person", "b": "person", "c": "phone", "d": "keep"},
    )
    assert done.parameters == {
        "a": "person:Ruth",
        "b": ["person:Ruth", None],
        "c": 9999999999,
        "d": "Jane",
        "e": "Ruth",
    }
    assert sql("SELECT %s, %s", parameters=["x", "Jane"], domains={"2": "person"}).parameters == ["x", "person:Ruth"]


def test_settings_of_the_application_are_masked_and_the_servers_are_not() -> None:
    done = sql(
        settings={"app.user": "Jane", "app.tenant": "12", "search_path": "Max, public", "application_name": "Jane's"},
        local={"app.email": "jane@x", "hnsw.ef_search": "40", "hnsw.iterative_scan": "strict_order"},
        domains={"app.email": "email"},
    )
    assert done.settings == {
        "app.user": "Ruth",
        "app.tenant": "12",
        "search_path": "Max, public",
        "application_name": "Ruth's",
    }
    assert done.local == {"app.email": "email:ruth@x", "hnsw.ef_search": "40", "hnsw.iterative_scan": "strict_order"}


# --- the text of a statement ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT 'Jane'", "SELECT 'Ruth'"),
        ("SELECT 'it''s Jane'", "SELECT 'it''s Ruth'"),
        ("SELECT 'O''Hara'", "SELECT 'O''Mara'"),
        ("SELECT 'Ja'\n  'ne'", "SELECT 'Ruth'"),
        ("SELECT 'Ja' 'ne'", "SELECT 'Ja' 'ne'"),  # on one line that is an error, and stays one
        (r"SELECT E'Jane\'s\n\\'", "SELECT E'Ruth''s\n\\\\'"),
        (r"SELECT E'Jos\u00e9', E'Jos\xc3\xa9', e'\112ane'", "SELECT E'Inés', E'Inés', e'Ruth'"),
        (r"SELECT E'unchanged\n'", r"SELECT E'unchanged\n'"),
        (r"SELECT U&'Jos\00e9 \\'", "SELECT U&'Inés \\\\'"),
        (r"SELECT U&'Jos!00e9' UESCAPE '!'", "SELECT U&'Inés' UESCAPE '!'"),
        ("SELECT 'a' -- Jane\n  'b'", "SELECT 'a' \n  'b'"),
        ("SELECT N'Jane'", "SELECT N'Ruth'"),
        ("SELECT $$Jane$$, $x$Jane $$ $x$", "SELECT $$Ruth$$, $x$Ruth $$ $x$"),
        ('SELECT Jane, "Jane" FROM Doe', 'SELECT Jane, "Jane" FROM Doe'),
        ("SELECT 1 -- for Jane", "SELECT 1 -- for Ruth"),
        ("SELECT /* Jane's */ 1", "SELECT /* Ruth's */ 1"),
        ("SELECT /*+ IndexScan(t) */ 'Jane'", "SELECT /*+ IndexScan(t) */ 'Ruth'"),
        ("SELECT x'4a616e65'", "SELECT x'4a616e65'"),
        ("SELECT '[0.123456789012,2]'::vector, '2024-05-01'", "SELECT '[0.123456789012,2]'::vector, '2024-05-01'"),
        ("SELECT '+49 151 12345', '{4915112345}'", "SELECT '+77 777 77777', '{7777777777}'"),
        ("SELECT 'Jane", "SELECT 'Ruth"),
        ("SELECT /* Jane", "SELECT /* Ruth"),
    ],
)
def test_statements(text: str, wanted: str) -> None:
    assert sql(text).sql == wanted


def test_quoting_without_standard_strings() -> None:
    assert (
        sql(r"SELECT 'a\'Jane', 'x'", settings={"standard_conforming_strings": "off"}).sql == r"SELECT 'a''Ruth', 'x'"
    )


def test_a_mask_cannot_break_out_of_its_literal() -> None:
    def hostile(_: str) -> str:
        return "'; DROP TABLE t; -- $$ */ \n"

    done = mask_sql("SELECT 'a', $$b$$, E'c' /* d */ -- e", hostile, placeholders=False)
    kinds = [token.text for token in tokens(done, placeholders=False)]
    assert kinds == [
        "SELECT", " ", "'''; DROP TABLE t; -- $$ */ \n'", ",", " ", "'''; DROP TABLE t; -- $$ */ \n'", ",", " ",
        "E'''; DROP TABLE t; -- $$ */ \n'", "    ",
    ]  # fmt: skip


@given(st.text("Jane'\\$ %sE&u\n", max_size=30), st.sampled_from(["'{}'", "E'{}'", "$q${}$q$", "U&'{}'"]))
def test_a_statement_keeps_its_tokens(value: str, form: str) -> None:
    quoted = value.replace("\\", "\\\\") if form[0] in "EU" else value
    text = "SELECT " + form.format(quoted if form[0] == "$" else quoted.replace("'", "''")) + " FROM t"
    before = list(tokens(text))
    after = list(tokens(mask_sql(text, Fake().one, placeholders=True)))
    assert [t.kind for t in after] == [t.kind for t in before]
    assert "Jane" not in "".join(t.text for t in after)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("[0.1,2,-3e5]", True),
        (" { 1 , 2 } ", True),
        ("{1:0.5,7:1}/10", True),
        ("2024-05-01", True),
        ("2024-05-01 10:00:00.123456+02", True),
        ("2024-05-01T10:00:00Z", True),
        ("10:00", True),
        ("123e4567-e89b-12d3-a456-426614174000", False),
        ("{4915112345678}", False),
        ("4915112345678", False),
        ("[]", False),
        ("2024-05-01 Jane", False),
        ("", False),
        ("[" + "1," * 100_000, False),
    ],
)
def test_what_is_no_text(text: str, plain: bool) -> None:
    assert is_plain_data(text) is plain


def test_what_a_formula_and_a_corpus_compare_is_masked() -> None:
    jane = {"key": "author.email", "match": {"value": "jane@x"}}
    ruth = {"key": "author.email", "match": {"value": "email:ruth@x"}}
    formula = {"sum": ["$score", {"mult": [0.5, jane]}, {"gauss_decay": {"x": {"datetime_key": "at"}, "scale": 9.0}}]}
    done = search(
        vector=None,
        query={"formula": formula, "defaults": {"author.email": "jane@x", "n": 1}},
        prefetch=[{"query": [1.0], "params": {"idf": {"corpus": {"must": [jane]}}, "hnsw_ef": 9}}],
        params={"idf": {"corpus": {"must_not": jane}}},
    )
    assert done.query is not None
    assert done.query.formula == {"sum": ["$score", {"mult": [0.5, ruth]}, formula["sum"][2]]}
    assert done.query.defaults == {"author.email": "email:ruth@x", "n": 1}
    assert done.prefetch[0].params == {"idf": {"corpus": {"must": [ruth]}}, "hnsw_ef": 9}
    assert done.params == {"idf": {"corpus": {"must_not": ruth}}}


def test_rows_without_columns_are_masked() -> None:
    done = sql(expect=Expected(rows=(("Jane", 1),)))
    assert done.expect is not None and done.expect.rows == (("Ruth", 1),)
    hits = search(expect=Expected(rows=(({"author": {"email": "jane@x"}, "city": "Max"},),)))
    assert hits.expect is not None
    assert hits.expect.rows == (({"author": {"email": "email:ruth@x"}, "city": "Max"},),)


def test_nothing_raw_is_left() -> None:
    """Whatever a bundle holds of Jane, her name is nowhere in the masked one."""
    step = SqlStep(
        id="q",
        store="main",
        note="Jane",
        sql="SELECT 'Jane' -- Jane",
        parameters={"a": "Jane", "b": ["Jane"]},
        settings={"app.user": "Jane"},
        local={"app.user2": "Jane"},
        domains={"a": "person"},
        expect=Expected(
            columns=("a", "b"), origins=("public.c.name", ""), rows=(("Jane", {"Jane": "Jane"}),), error="X Jane"
        ),
    )
    other = VectorStep(
        id="s",
        store="kb",
        note="Jane",
        collection="articles",
        vector=[1.0],
        filter={"must": [{"key": "text", "match": {"text": "Jane"}}]},
        expect=Expected(columns=("payload",), rows=(({"text": "Jane"},),), ids=(1,), scores=(1.0,), error="Jane"),
    )
    done = masked(step, other, note="Jane")
    assert "jane" not in json.dumps(done.model_dump(mode="json")).lower()


def test_what_a_trace_tells_is_masked_as_text_and_left_out_for_other_hands() -> None:
    from envclone.incidents.calls import Call, Origin

    call = Call(
        id="s1", kind="llm", name="ask Jane", model="gpt-5", began=None, settings={"temperature": 0, "user": "Jane"},
        input=[{"role": "user", "content": "I am Jane Doe"}], output={"Jane": "hello, Max"}, usage={"total": 3},
        conversation="jane", other={"user.id": "Jane", "nested": '{"to": "Max"}'}, documents=[{"id": 7, "by": "Max"}],
        vectors=[[0.5]],
    )  # fmt: skip
    origin = Origin(dialect="otlp", about={"resources": [{"host.name": "Max"}]})
    raw = Incident(incident="1", environment="prod", calls=(call,), origin=origin)
    for computed in (True, False):
        masked = mask_incident(raw, Fake(), {}, computed=computed)
        text = masked.model_dump_json()
        assert not [word for word in ("Jane", "Doe", "Max", "jane") if word in text], text
        (one,) = masked.calls
        assert (one.model, one.settings["temperature"], one.usage, one.vectors) == ("gpt-5", 0, {"total": 3}, [[0.5]])
        assert ("Ruth" in str(one.input)) is computed and one.documents[0]["id"] == 7


def test_what_was_exchanged_with_models_is_masked_as_text_and_left_out_for_other_hands() -> None:
    from envclone.incidents.exchanges import Chunk, Exchange

    exchange = Exchange(
        id="Jane", url="https://models.example/v1/chat?user=Jane", headers={"x-user": "Max"}, body=["Jane Doe"],
        answer={"text": "hello, Max"}, chunks=(Chunk(after=0.1, data='data: {"text": "Max"}'),), error="Max went away",
    )  # fmt: skip
    raw = Incident(incident="1", environment="prod", exchanges=(exchange,), calls=(_call(),), application={"by": "Max"})
    for computed in (True, False):
        masked = mask_incident(raw, Fake(), {}, computed=computed)
        text = masked.model_dump_json()
        assert not [word for word in ("Jane", "Doe", "Max", "jane") if word in text], text
        (one,) = masked.exchanges
        assert ("Tom" in str(one.answer)) is computed


def _call() -> Any:
    from envclone.incidents.calls import Call

    return Call(id="s1", kind="llm")
