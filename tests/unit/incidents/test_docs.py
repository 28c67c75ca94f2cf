"""The examples of docs/incidents.md are bundles that load, survive a round trip, and equal themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envclone.incidents import files
from envclone.incidents.bundle import SqlStep, VectorStep
from envclone.incidents.compare import compare

PAGE = (Path(__file__).parents[3] / "docs" / "incidents.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_examples(block: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle.yaml"
    path.write_text(block, encoding="utf-8")
    incident = files.load(path)
    for suffix in (".yaml", ".json"):
        again = tmp_path / f"again{suffix}"
        files.save(incident, again)
        assert files.load(again) == incident
    for step in incident.steps:
        assert step.expect is not None
        if step.expect.rows or step.expect.error or isinstance(step, VectorStep):
            assert compare(step, step.expect, step.expect).reproduced


def test_every_kind_of_step_and_every_field_is_described() -> None:
    assert len(BLOCKS) == 3
    described = set(re.findall(r"\b[a-z_]+\b", PAGE))
    assert (SqlStep.model_fields.keys() | VectorStep.model_fields.keys()) - described == set()
