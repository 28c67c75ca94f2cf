"""What a replay can have other than production, and what cannot be set."""

from __future__ import annotations

from typing import Any

import pytest

from envclone.errors import UsageError
from envclone.incidents.bundle import Incident, SqlStep, VectorStep
from envclone.incidents.variation import Variation, applied

STEPS: list[dict[str, Any]] = [
    {"id": "sql", "kind": "sql", "store": "main", "sql": "SELECT 1", "settings": {"work_mem": "4MB"},
     "local": {"hnsw.ef_search": 40}},
    {"id": "near", "kind": "vector", "store": "kb", "collection": "a", "vector": [1], "params": {"hnsw_ef": 8}},
    {"id": "asked", "kind": "http", "service": "api", "path": "/"},
]  # fmt: skip
MODEL = [{"id": "c", "kind": "llm", "url": "https://m/v1/chat/completions"}]


def _incident(**more: Any) -> Incident:
    return Incident.model_validate({"version": 2, "incident": "7", "environment": "prod", "steps": STEPS, **more})


def test_a_setting_reaches_every_step_and_the_services_sessions() -> None:
    wanted = Variation(changes={"ef_search": "200", "work_mem": "1 MB", "exact": "true", "env.FLAG": "on"})
    sql, near, _ = applied(_incident(), wanted).steps
    assert isinstance(sql, SqlStep) and isinstance(near, VectorStep)
    assert sql.settings == {"work_mem": "1 MB", "hnsw.ef_search": "200"} and sql.local == {}
    assert near.params == {"hnsw_ef": 200, "exact": True}
    assert wanted.environment == {"FLAG": "on", "PGOPTIONS": "-c hnsw.ef_search=200 -c work_mem=1\\ MB"}


def test_what_a_model_is_asked_changes_on_the_way_and_nothing_else() -> None:
    wanted = Variation(changes={"model": "m-2", "temperature": "0", "prompt": "p" * 900})
    assert applied(_incident(exchanges=MODEL), wanted) == _incident(exchanges=MODEL)
    assert wanted.on_the_way == {"model": "m-2", "temperature": 0.0, "prompt": "p" * 900}
    assert wanted.environment == {} and wanted.settings == {} and len(wanted.shown["prompt"]) == 200
    for incident in (_incident(), _incident(exchanges=MODEL, steps=STEPS[:1])):
        with pytest.raises(UsageError, match="replayed whole"):
            applied(incident, wanted)


def test_a_later_step_can_be_the_first() -> None:
    assert [step.id for step in applied(_incident(), Variation("near")).steps] == ["near", "asked"]
    with pytest.raises(UsageError, match="has no step 'no'"):
        applied(_incident(), Variation("no"))


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "postgres"}, {"session_authorization": "x"}, {"env.": "x"}, {"a;b": "1"}, {"env.A B": "1"},
        {"a.b.c": "1"}, {"ef_search": "many"}, {"temperature": "hot"}, {"exact": "1"}, {"work_mem": "1\0"},
        {"Model": "x"},
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="cannot be set"):
        Variation(changes=changes)
