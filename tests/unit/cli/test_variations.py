"""The options of a replay that differ from production, and its verdicts in JUnit's XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from envclone.cli.variations import variation, write_junit
from envclone.errors import UsageError
from envclone.incidents.verdicts import LayerVerdict, ReplayReport, StepVerdict


def test_options_become_a_variation(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Be rude.\n")
    made = variation("near", [f"prompt={tmp_path / 'prompt.txt'}", "env.URL=a=b", "ef_search=5"])
    assert made.begin == "near" and made.changes == {"prompt": "Be rude.", "env.URL": "a=b", "ef_search": "5"}


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["model"], "NAME=VALUE"),
        (["=x"], "NAME=VALUE"),
        (["model=a", "model=b"], "twice"),
        (["prompt=/no/such"], "read"),
    ],
)
def test_what_is_not_one_is_said(sets: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        variation(None, sets)


def test_a_prompt_of_bytes_or_of_any_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b"x" * (5 << 20))
    for name, said in (("binary", "UTF-8"), ("huge", "larger than")):
        with pytest.raises(UsageError, match=said):
            variation(None, [f"prompt={tmp_path / name}"])


def test_a_test_per_layer_and_per_step(tmp_path: Path) -> None:
    layers = (
        LayerVerdict("state", "match"),
        LayerVerdict("retrieval", "within noise", "2 of 3"),
        LayerVerdict("plan", "cannot tell", "no plan"),
        LayerVerdict("context", "diverged", "c: model \x1b[1m"),
    )
    steps = (StepVerdict("near", False, ("id 7 is missing", "more")), StepVerdict("asked", True))
    write_junit(tmp_path / "report.xml", ReplayReport("7", "prod", False, steps, layers=layers))
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("6", "2", "1")
    failed = {one.get("name"): one.find("failure") for one in root.iter("testcase") if one.find("failure") is not None}
    assert failed.keys() == {"context", "near"}
    context = failed["context"]
    assert context is not None and str(context.get("message")).startswith("diverged at c: model")
