"""With the real masks: a person has one pseudonym in every part of the bundle, the one that the data has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envclone.errors import UnsafeError
from envclone.incidents.bundle import Expected, Incident, SqlStep, VectorStep
from envclone.incidents.mask import mask_incident
from envclone.masking.corpus import Corpus, CorpusBuilder
from envclone.masking.kinds import DomainSpec
from envclone.masking.masks import MaskSet
from envclone.models import FieldKind, FieldRule, JsonRule, StorePlan

KEY = bytes(range(32))
DOMAINS = {
    "customer": DomainSpec("person"),
    "mail": DomainSpec("email", unique=True),
    "number": DomainSpec("phone"),
    "public": DomainSpec("keep"),
}
CORPUS = Corpus(
    {"person": ["Jane Doe", "Max Ozturk"], "email": ["jane.doe@corp.example"], "phone": ["+49 151 2345678"]}
)
PLANS = {
    "main": StorePlan(
        "main",
        {
            "public.c.name": FieldRule("public.c.name", FieldKind.TEXT, "customer"),
            "public.c.mail": FieldRule("public.c.mail", FieldKind.TEXT, "mail"),
            "public.c.data": FieldRule(
                "public.c.data", FieldKind.JSON, "keep", (JsonRule("$.**", "keep"), JsonRule("$.to.mail", "mail"))
            ),
        },
    ),
    "kb": StorePlan(
        "kb",
        {
            "articles": FieldRule(
                "articles",
                FieldKind.JSON,
                "keep",
                (
                    JsonRule("$.mail", "mail"),
                    JsonRule("$.people[*].name", "customer"),
                    JsonRule("$.city", "public"),
                    JsonRule("$.phone", "number"),
                    JsonRule("$.gone", "null"),
                ),
            )
        },
    ),
}


def masks(key: bytes = KEY) -> MaskSet:
    return MaskSet(key, DOMAINS, CORPUS)


def mask(*steps: SqlStep | VectorStep, key: bytes = KEY) -> Any:
    return mask_incident(Incident(incident="1", environment="prod", steps=steps), masks(key), PLANS)


def test_the_uuid_of_a_masked_key_is_masked_wherever_it_stands() -> None:
    known, other = "7d4fa3c1-9f2e-4b77-8c5d-0011aabb2233", "550e8400-e29b-41d4-a716-446655440000"
    builder = CorpusBuilder()
    builder.add("uuid", [known])
    real = MaskSet(KEY, DOMAINS, builder.build())
    step = SqlStep(
        id="q",
        store="main",
        note=f"see {known}, not {other}",
        sql=f"SELECT 1 FROM c WHERE id = '{known}' OR id = '{other}'::uuid -- {known}",
        parameters=[known, other, [known]],
        expect=Expected(columns=("x",), origins=("",), rows=((known,), (other,)), error=None),
    )
    done = mask_incident(Incident(incident=known, environment="prod", steps=(step,), note=known), real, PLANS)
    text = done.model_dump_json()
    assert known not in text.replace(f'"incident":"{known}"', "")
    assert text.count(other) == step.model_dump_json().count(other)
    assert text.count(str(real.value("uuid", known))) == step.model_dump_json().count(known) + 1


def test_one_person_one_pseudonym() -> None:
    name, mail = "Jane Doe", "jane.doe@corp.example"
    query = SqlStep(
        id="q",
        store="main",
        note=f"{name} wrote",
        sql=f"SELECT name FROM c WHERE name = '{name}' AND mail = %(mail)s AND note LIKE %(note)s -- {mail}",
        parameters={"mail": mail, "note": f"%{name}%", "q": [0.25, 1e-05], "day": "2026-05-01", "v": "[0.123456789,1]"},
        domains={"mail": "mail"},
        local={"app.user": mail},
        expect=Expected(
            columns=("name", "mail", "data", "greeting"),
            origins=("public.c.name", "public.c.mail", "public.c.data", ""),
            rows=((name, mail, {"to": {"mail": mail}, "city": "Doe"}, f"Dear {name}, +49 151 2345678"),),
        ),
    )
    find = VectorStep(
        id="v",
        store="kb",
        collection="articles",
        vector=[0.5],
        filter={
            "must": [
                {"key": "mail", "match": {"value": mail}},
                {"key": "people[].name", "match": {"any": [name]}},
                {"key": "city", "match": {"value": "Doe"}},
                {"key": "phone", "match": {"value": 491512345678}},
                {"key": "gone", "match": {"value": name}},
                {"key": "n", "match": {"value": 7}},
            ]
        },
        expect=Expected(
            columns=("payload",),
            rows=(({"mail": mail, "people": [{"name": name}], "city": "Doe", "phone": 491512345678, "gone": 1},),),
            ids=(1,),
            scores=(0.5,),
        ),
    )
    done = mask(query, find)
    new_name, new_mail = masks().value("customer", name), masks().value("mail", mail)
    assert new_name and new_mail and new_name != name and new_mail != mail
    q, v = done.steps
    assert (
        q.sql
        == f"SELECT name FROM c WHERE name = '{new_name}' AND mail = %(mail)s AND note LIKE %(note)s -- {new_mail}"
    )
    assert q.note == f"{new_name} wrote"
    assert q.parameters == {**query.parameters, "mail": new_mail, "note": f"%{new_name}%"}  # type: ignore[dict-item]
    assert q.local == {"app.user": new_mail}
    row = dict(zip(q.expect.columns, q.expect.rows[0], strict=True))
    assert (row["name"], row["mail"]) == (new_name, new_mail)
    assert row["data"] == {"to": {"mail": new_mail}, "city": "Doe"}
    assert row["greeting"].startswith(f"Dear {new_name}, +") and "2345678" not in row["greeting"]
    payload = v.expect.rows[0][0]
    assert (payload["mail"], payload["people"], payload["city"]) == (new_mail, [{"name": new_name}], "Doe")
    matched = [condition["match"] for condition in v.filter["must"]]
    assert [next(iter(match.values())) for match in matched] == [new_mail, [new_name], "Doe", payload["phone"], "", 7]
    assert payload["phone"] != 491512345678 and isinstance(payload["phone"], int) and payload["gone"] is None
    everything = json.dumps(done.model_dump(mode="json"))
    assert mail not in everything and name not in everything
    assert mask(query, find) == done
    other = mask(query, find, key=bytes(32))
    assert other.masked != done.masked and other.steps[0].sql != q.sql
    with pytest.raises(UnsafeError, match="masked with the key"):
        mask_incident(done, masks(bytes(32)), PLANS)


def test_a_payload_key_without_a_rule_stops_the_masking() -> None:
    step = VectorStep(
        id="v",
        store="kb",
        collection="articles",
        vector=[0.5],
        expect=Expected(columns=("payload",), rows=(({"new": "x"},),), ids=(1,), scores=(0.5,)),
    )
    with pytest.raises(UnsafeError, match=r"articles: no rule covers the path \$\.new"):
        mask(step)


def test_the_filters_of_every_stage_and_the_start_of_an_order_are_masked() -> None:
    mail = "jane@corp.example"
    only = {"must": [{"key": "mail", "match": {"value": mail}}]}
    fused = VectorStep.model_validate(
        {
            "id": "v",
            "store": "kb",
            "collection": "articles",
            "query": {"fusion": "rrf"},
            "filter": only,
            "prefetch": [
                {"query": [0.5], "filter": only},
                {"query": {"fusion": "dbsf"}, "prefetch": [{"query": {"nearest": [0.5]}, "filter": only}]},
            ],
        }
    )
    ordered = VectorStep.model_validate(
        {"id": "o", "store": "kb", "collection": "articles", "order_by": {"key": "mail", "start_from": mail}}
    )
    begins = {"order_by": {"key": "mail", "start_from": mail}}
    same = VectorStep.model_validate({"id": "q", "store": "kb", "collection": "articles", "query": begins})
    done = mask(fused, ordered, same)
    new_mail = masks().value("mail", mail)
    text = json.dumps(done.model_dump(mode="json"))
    assert mail not in text and text.count(str(new_mail)) == 5
