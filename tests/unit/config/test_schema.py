from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, SecretStr, ValidationError

import envclone.config.schema as schema_module
from envclone.config import docs, durations
from envclone.config.base import DomainKind, Model
from envclone.config.checks import DOMAIN_KINDS
from envclone.config.jsonschema import json_schema
from envclone.config.schema import (
    BranchesConfig,
    QuarantineConfig,
    SanitizeConfig,
    SourceConfig,
    StackFile,
    StoreConfig,
)
from tests.unit.config.stacks import FULL, SMALL, accepts, loaded, problems

MODELS = [value for value in vars(schema_module).values() if isinstance(value, type) and issubclass(value, Model)]


@pytest.mark.parametrize("model", [model for model in MODELS if model is not Model])
def test_every_field_is_described(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", "?")), name
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"


def test_every_model_has_its_section_in_the_reference() -> None:
    assert set(docs._PLACES) == {model for model in MODELS if model is not Model}


def test_a_store_made_in_code() -> None:
    config = StoreConfig(kind="postgres", source=SourceConfig(method="physical", dsn=SecretStr("host=x password=y")))
    assert config.source.dsn is not None
    assert "password=y" not in repr(config)
    with pytest.raises(ValidationError, match=r"source\.dsn: is required"):
        StoreConfig(kind="postgres", source=SourceConfig(method="physical"))


def test_validators_hold_without_a_file() -> None:
    with pytest.raises(ValidationError, match="unknown domain 'emial'"):
        SanitizeConfig.model_validate({"rules": {"main": {"a.b.c": "emial"}}})
    with pytest.raises(ValidationError, match="no environment has a store 'x'"):
        StackFile.model_validate(
            {"version": 1, "project": "a", "environments": {"e": {}}, "sanitize": {"rules": {"x": {"a.b": "keep"}}}}
        )


def test_durations_survive_a_round_trip_through_json() -> None:
    config = BranchesConfig(ttl=dt.timedelta(hours=26, minutes=30))
    assert json.loads(config.model_dump_json(exclude_none=True)) == {"ttl": "1d2h30m", "max": 20}
    assert BranchesConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("8h", 28800), ("1h30m", 5400), ("7d", 604800), ("2w", 1209600), (" 1H 30m ", 5400)],
)
def test_durations(text: str, seconds: int) -> None:
    assert durations.parse_duration(text) == dt.timedelta(seconds=seconds)
    assert durations.parse_duration(durations.text(dt.timedelta(seconds=seconds))) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("8", "with a unit"),
        ("", "with a unit"),
        ("h", "with a unit"),
        ("-8h", "with a unit"),
        ("8.5h", "with a unit"),
        ("8 hours", "with a unit"),
        ("٣h", "with a unit"),
        ("0s", "longer than zero"),
        ("99999w", "at most 3650d"),
        ("9" * 5000 + "s", "with a unit"),
    ],
)
def test_what_is_no_duration(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        durations.parse_duration(text)


@pytest.mark.parametrize("value", [8, 8.5, True, [1], {"h": 8}])
def test_a_duration_of_another_type(value: Any) -> None:
    with pytest.raises(ValidationError, match="with a unit"):
        QuarantineConfig.model_validate({"max_age": value})


def test_the_kinds_of_domains_are_the_same_everywhere() -> None:
    assert get_args(DomainKind) == DOMAIN_KINDS
    kinds = json_schema()["$defs"]["DomainConfig"]["properties"]["kind"]["anyOf"][0]["enum"]
    assert kinds == [*DOMAIN_KINDS, None]


def test_the_json_schema_accepts_what_loads() -> None:
    schema = json_schema()
    starter = (Path(schema_module.__file__).parent / "starter.yaml").read_text()
    for text in (FULL, SMALL, starter, SMALL + "pool:\nbranches: {ttl: '${T:-8h}'}\n"):
        value = yaml.safe_load(text)
        assert accepts(schema, value), text


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"project": "A B"},
        {"colour": 1},
        {"branches": {"max": 0}},
        {"branches": {"ttl": "soon"}},
        {"pool": {"driver": "zfs"}},
        {"environments": {}},
        {"environments": {"A": {}}},
        {"sanitize": {"rules": {"main": {"a.b.c": 3}}}},
        {"sanitize": {"rules": {"main": {"a.b.c": {"vectors": "drop"}}}}},
        {"sanitize": {"rules": {"main": {"a.b.c": {"x": "email"}}}}},
    ],
)
def test_the_json_schema_refuses_what_does_not_load(change: dict[str, Any]) -> None:
    good = yaml.safe_load(SMALL)
    assert accepts(json_schema(), good)
    assert not accepts(json_schema(), {**good, **change})


def test_the_json_schema_is_json_and_every_key_has_a_description() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$schema"].endswith("2020-12/schema")
    for part in (schema, *schema["$defs"].values()):
        for name, field in part.get("properties", {}).items():
            assert field.get("description"), name


def test_consistency_is_of_persons_and_one_for_all(tmp_path: Path) -> None:
    rules = "sanitize:\n  domains:\n    DOMAINS\n"
    text = SMALL.rstrip() + "\n" + rules
    for domains, said in (
        ("{mail: {kind: email, consistency: person}}", "is for the kind person only"),
        ("{a: {kind: person, consistency: person}, b: {kind: person}}", "must be the same in every domain"),
        ("{a: {kind: person, consistency: row}}", "consistency"),
    ):
        found = problems(tmp_path, text.replace("\n    DOMAINS", " " + domains))
        assert any(said in one for one in found), found
    good = loaded(tmp_path, text.replace("\n    DOMAINS", " {a: {kind: person, consistency: person}}"), {})
    assert good.stack.sanitize.domains["a"].consistency == "person"
