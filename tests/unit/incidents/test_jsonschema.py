"""The JSON Schema of a bundle: kept in the docs, and what it accepts."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from envclone.cli.main import cli
from envclone.incidents import files
from envclone.incidents.bundle import Incident
from envclone.incidents.document import parse
from envclone.incidents.jsonschema import json_schema
from envclone.incidents.traces.about import application_of, clock_of
from envclone.incidents.traces.read import calls
from envclone.incidents.traces.steps import Stores, steps_of
from tests.unit.config.stacks import accepts
from tests.unit.incidents.test_docs import BLOCKS
from tests.unit.incidents.traces.samples import AUTO_EXPLAIN, CURL, SAMPLES, SLOW_LOG

ROOT = Path(__file__).parents[3]
SCHEMA = json_schema()
DATA = ROOT / "tests" / "data"


def test_the_docs_have_the_schema_as_it_is() -> None:
    from click.testing import CliRunner

    kept = (ROOT / "docs" / "incident.schema.json").read_text(encoding="utf-8")
    assert json.loads(kept) == SCHEMA, "envclone incident schema > docs/incident.schema.json"
    assert CliRunner().invoke(cli, ["incident", "schema"]).output == kept
    assert SCHEMA["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("text", [*BLOCKS, *(path.read_text() for path in sorted((DATA / "bundles").glob("*.*ml")))])
def test_each_example_is_accepted(text: str) -> None:
    assert accepts(SCHEMA, parse(text))


def test_what_traces_become_is_accepted(tmp_path: Path) -> None:
    texts = [json.dumps(one) for one in SAMPLES.values()] + [AUTO_EXPLAIN, CURL, SLOW_LOG]
    texts += [path.read_text() for path in sorted((DATA / "traces").glob("*.json"))]
    for text in texts:
        (tmp_path / "trace").write_text(text)
        found, origin = calls(tmp_path / "trace")
        steps = steps_of(found, Stores(postgres="main", qdrant="kb", service="api", role="app"))
        incident = Incident(
            incident="1", environment="prod", calls=tuple(found), origin=origin, steps=tuple(steps),
            application=application_of(found, origin), clock=clock_of(found, origin),
        )  # fmt: skip
        files.save(incident, tmp_path / "made.json")
        assert files.load(tmp_path / "made.json") == incident
        assert accepts(SCHEMA, json.loads((tmp_path / "made.json").read_text()))
    for path in sorted((DATA / "bundles").glob("*.json")):
        assert accepts(SCHEMA, json.loads(path.read_text())), path


SEARCH: dict[str, Any] = {"id": "s", "kind": "vector", "store": "kb", "collection": "a"}
ASKS: dict[str, Any] = {"id": "h", "kind": "http", "path": "/"}


@pytest.mark.parametrize(
    "step",
    [
        SEARCH | {"query": [0.5, 1]},
        SEARCH | {"query": 7, "with_payload": {"include": ["a"]}},
        SEARCH | {"prefetch": {"query": [0.5]}, "query": {"fusion": "rrf"}},
        SEARCH | {"query": {"context": {"positive": 1, "negative": 2}}},
        SEARCH | {"vector": {"indices": [1], "values": [0.5]}},
        ASKS | {"service": "api"},
        ASKS | {"store": "api"},
        {"id": "q", "kind": "sql", "store": "m", "sql": "SELECT 1", "settings": {"a.b": True, "c": 4}},
    ],
)
def test_each_spelling_of_a_step_is_loaded_and_accepted(step: dict[str, Any]) -> None:
    data = {"version": 2, "incident": "1", "environment": "p", "steps": [step]}
    assert Incident.model_validate(copy.deepcopy(data)).steps
    assert accepts(SCHEMA, data)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3},
        {"incident": "a b"},
        {"colour": 1},
        {"steps": [ASKS]},
        {"steps": [{"id": "q", "kind": "llm", "store": "m"}]},
        {"steps": [{"id": "q", "store": "m", "sql": "SELECT 1"}]},
        {"steps": [SEARCH | {"limit": 0}]},
        {"calls": [{"id": "a", "kind": "thought"}]},
        {"exchanges": [{"id": "a", "url": "ftp://x"}]},
        {"clock": {"zone": "../etc"}},
    ],
)
def test_what_does_not_load_is_not_accepted(change: dict[str, Any]) -> None:
    good = yaml.safe_load("{version: 2, incident: '1', environment: p, calls: [{id: a, kind: llm}]}")
    assert accepts(SCHEMA, good)
    assert not accepts(SCHEMA, {**good, **change})
    with pytest.raises(ValidationError):
        Incident.model_validate({**good, **change})


def test_every_field_is_described() -> None:
    for name in ("SqlStep", "VectorStep", "HttpStep", "Call", "Exchange", "Chunk", "Clock", "Origin", "Expected"):
        for field, shape in SCHEMA["$defs"][name]["properties"].items():
            assert field == "kind" or shape.get("description"), (name, field)
