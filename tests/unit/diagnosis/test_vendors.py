"""Conversations as each vendor's API and library writes them, without a store: what failed in them is named."""

from __future__ import annotations

import pytest

from envclone.diagnosis.case import Case
from envclone.diagnosis.diagnose import diagnose
from envclone.incidents.bundle import Incident
from tests.benchmarks.failures import inntalks
from tests.benchmarks.failures.desk import Case as Built

BODIES = [
    "A quiet lodge above a gorge with feather beds and a bread oven, kept by Mirokwick.",
    "A mossy windmill beside the saltworks with hammocks and rowing boats, kept by Tasodford.",
]


@pytest.mark.parametrize("one", list(inntalks.alone(BODIES)), ids=lambda one: str(one.name))
def test_a_conversation_is_judged_as_it_was_built(one: Built) -> None:
    document = {"incident": one.name, "environment": "prod", "calls": one.calls or [{"id": "q", "kind": "request"}],
                "exchanges": one.exchanges, "masked": "k"}  # fmt: skip
    found = diagnose(Case(Incident.model_validate(document), "prod")).first
    assert (found.cause if found else "") in (one.causes or ("",)), found and found.evidence
