"""Bundles that earlier versions wrote, signed over their message: read as ever, and their signature still holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from envclone.incidents import files, links, seal
from envclone.incidents.bundle import Incident
from envclone.incidents.mask import mask_incident
from tests.unit.incidents.fakes import Fake
from tests.unit.incidents.test_mask import PLANS

BEFORE = sorted((Path(__file__).parents[2] / "data" / "bundles").glob("version-1-*"))


@pytest.mark.parametrize("path", BEFORE, ids=[path.name for path in BEFORE])
def test_a_bundle_of_version_1_stays_what_it_was(path: Path, tmp_path: Path) -> None:
    incident = files.load(path)
    assert incident.version == 1
    assert hashlib.sha512(seal.message(incident)).hexdigest() == incident.signature
    files.save(incident, tmp_path / path.name)
    assert (tmp_path / path.name).read_text() == path.read_text()


def test_there_are_bundles_of_each_kind() -> None:
    loaded = [files.load(path) for path in BEFORE]
    assert {step.kind for one in loaded for step in one.steps} == {"sql", "vector", "http"}
    assert any(one.calls and one.masked for one in loaded) and any(one.calls and not one.masked for one in loaded)


def test_what_is_written_newly_is_version_2() -> None:
    traced = files.load(next(path for path in BEFORE if "traced" in path.name))
    masked = mask_incident(traced, Fake(), PLANS)
    assert (traced.version, links.linked(traced).version, masked.version) == (1, 2, 2)
    made = Incident.model_validate({"incident": "1", "environment": "prod", "calls": [{"id": "a", "kind": "llm"}]})
    assert made.version == 2
    twice = traced.model_copy(update={"calls": (traced.calls[0], traced.calls[0])})
    assert links.linked(twice).version == 1, "its links would not hold"


def test_what_is_new_is_signed() -> None:
    traced = files.load(next(path for path in BEFORE if "traced" in path.name))
    step, call = traced.steps[0], traced.calls[0]
    for change in (
        {"version": 2},
        {"clock": {"zone": "UTC"}},
        {"application": {"commit": "c"}},
        {"steps": (step.model_copy(update={"call": "s1"}),)},
        {"steps": (step.model_copy(update={"seconds": 0.0}),)},
        {"calls": (call.model_copy(update={"revision": "v"}), *traced.calls[1:])},
    ):
        content = traced.model_copy(update=change)
        assert seal.message(content) != seal.message(traced), change
