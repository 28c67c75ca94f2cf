"""The forms of a vector step: which there are, and what is said of one that is none or cannot be asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from envclone.errors import ConfigError
from envclone.incidents import files
from envclone.incidents.bundle import VectorStep
from envclone.incidents.queries import Sparse

BASE = {"id": "s", "kind": "vector", "store": "kb", "collection": "docs"}
HYBRID = [{"query": [1, 0], "using": "dense"}, {"query": {"indices": [3], "values": [1]}, "using": "words"}]


def test_three_forms_of_vectors() -> None:
    assert VectorStep.model_validate(BASE | {"vector": [1, 2]}).vector == [1.0, 2.0]
    assert VectorStep.model_validate(BASE | {"vector": [[1, 2], [3, 4]]}).vector == [[1.0, 2.0], [3.0, 4.0]]
    sparse = VectorStep.model_validate(BASE | {"vector": {"indices": [1], "values": [0.5]}})
    assert sparse.vector == Sparse(indices=[1], values=[0.5]) and sparse.plain
    assert not VectorStep.model_validate(BASE | {"query": {"fusion": "rrf"}, "prefetch": HYBRID}).plain


@pytest.mark.parametrize(
    ("as_sent", "same"),
    [
        ({"query": [1, 2]}, {"vector": [1, 2]}),
        ({"query": [[1, 2]]}, {"vector": [[1, 2]]}),
        ({"query": {"indices": [1], "values": [0.5]}}, {"vector": {"indices": [1], "values": [0.5]}}),
        ({"query": 5}, {"query": {"nearest": 5}}),
        ({"vector": [1], "prefetch": HYBRID[0]}, {"vector": [1], "prefetch": [HYBRID[0]]}),
        ({"vector": [1], "with_payload": {"include": ["a"]}}, {"vector": [1], "with_payload": ["a"]}),
        (
            {"query": {"context": {"positive": 1, "negative": 2}}},
            {"query": {"context": [{"positive": 1, "negative": 2}]}},
        ),
        (
            {"query": {"discover": {"target": 3, "context": {"positive": 1, "negative": 2}}}},
            {"query": {"discover": {"target": 3, "context": [{"positive": 1, "negative": 2}]}}},
        ),
    ],
)
def test_a_request_is_taken_as_it_was_sent(as_sent: dict[str, Any], same: dict[str, Any]) -> None:
    step = VectorStep.model_validate(BASE | as_sent)
    assert step == VectorStep.model_validate(BASE | same)
    assert VectorStep.model_validate(step.model_dump()) == step


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"vector": ["a"]}, "steps[0].vector[0]: input should be a valid number"),
        ({"vector": []}, "steps[0].vector: list should have at least 1 item"),
        ({"vector": "x"}, "steps[0].vector: must be numbers, a list of vectors, or {indices"),
        ({"vector": {"indices": [1], "values": [1, 2]}}, "one value for each index"),
        ({"vector": {"indices": [1, 1], "values": [1, 2]}}, "each index once"),
        ({"vector": {"text": "hi", "model": "m"}}, "a text that the server embeds cannot be replayed"),
        ({"query": {"formula": {"sum": [1]}}}, "a formula needs the query whose results it scores, as prefetch"),
        ({"query": {"nearest": [1], "defaults": {"n": 1}}}, "defaults are a part of a formula"),
        ({"vector": [1], "lookup_from": {"collection": "x"}}, "(lookup_from) cannot be replayed: give the vectors"),
        ({"query": {"sample": "random"}}, "a random sample gives another answer each time"),
        ({"query": {"nearest": [1], "fusion": "rrf"}}, "a query has one form"),
        ({"query": {"fusion": "rrf"}}, "a fusion needs the queries that it fuses"),
        ({"query": {"fusion": "max"}, "prefetch": HYBRID}, "steps[0].query.fusion: input should be 'rrf' or 'dbsf'"),
        ({"query": {"recommend": {"positive": []}}}, "a recommendation needs positive examples"),
        ({"prefetch": HYBRID}, "a vector step has one of vector, query and order_by"),
        ({}, "a vector step has one of vector, query and order_by, or only a filter"),
        ({"filter": {}, "prefetch": HYBRID}, "a vector step has one of vector, query and order_by"),
        ({"filter": {}, "group_by": "n"}, "points by their filter alone have no scores"),
        ({"filter": {}, "score_threshold": 0.5}, "points by their filter alone have no scores"),
        ({"vector": [1], "order_by": "n"}, "a vector step has one of vector, query and order_by"),
        ({"vector": [1], "group_by": "n", "offset": 3}, "groups have no offset"),
        ({"vector": [1], "prefetch": [{"query": [1], "limits": 3}]}, "is not a field of a bundle"),
    ],
)
def test_what_is_no_query_is_said_once(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    bundle = {"version": 1, "incident": "1", "environment": "prod", "steps": [BASE | wrong]}
    path = tmp_path / "1.yaml"
    path.write_text(yaml.safe_dump(bundle))
    with pytest.raises(ConfigError) as caught:
        files.load(path)
    assert len(caught.value.problems) == 1
    assert said in str(caught.value.problems[0])
