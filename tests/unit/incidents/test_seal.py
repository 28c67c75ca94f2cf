"""What the signature of a bundle covers, and what a bundle chose itself."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from envclone.incidents import files
from envclone.incidents.bundle import Incident
from envclone.incidents.seal import chosen, message, names_domains
from envclone.models import FieldKind, FieldRule, StorePlan

RULES = {
    "public.t.name": FieldRule("public.t.name", FieldKind.TEXT, "person"),
    "public.t.id": FieldRule("public.t.id", FieldKind.OTHER, "keep"),
}
PLANS = {"main": StorePlan("main", RULES)}


def bundle(**step: Any) -> Incident:
    made = {"id": "a", "kind": "sql", "store": "main", "sql": "SELECT name FROM t WHERE name = ANY(%(n)s)", **step}
    return Incident.model_validate({"incident": "1", "environment": "p", "steps": [made]})


ANSWER = {"columns": ["name"], "origins": ["public.t.name"], "rows": [["Jane"]]}
KEPT = {"columns": ["id"], "origins": ["public.t.id"], "rows": [["Jane"]]}
ECHO = {"columns": ["n"], "origins": [""], "rows": [["Jane"]]}


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_the_signature_covers_all_and_survives_the_file(tmp_path: Path, suffix: str) -> None:
    rows = [[1e-300, None], ["ü\n", {"x": [1, 2.5]}]]
    made = bundle(expect={"columns": ["a", "b"], "rows": rows}, parameters={"n": 1})
    made = made.model_copy(update={"recorded_at": dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC)})
    files.save(made.model_copy(update={"signature": "0" * 128}), tmp_path / f"b{suffix}")
    again = files.load(tmp_path / f"b{suffix}")
    assert again.signature == "0" * 128
    assert message(again) == message(made)
    for change in ({"note": "x"}, {"masked": "k1"}, {"incident": "2"}, {"recorded_at": None}):
        assert message(made.model_copy(update=change)) != message(made)
    assert message(bundle(parameters={"n": 2})) != message(bundle(parameters={"n": 1}))


@pytest.mark.parametrize(
    ("step", "recorded", "strict", "count"),
    [
        ({"parameters": {"n": ["Jane", "Ruth"]}, "domains": {"n": "person"}, "expect": ECHO}, False, False, 1),
        ({"parameters": {"n": ["Jane", "Ruth"]}, "domains": {"n": "person"}, "expect": ECHO}, True, False, 0),
        ({"parameters": {"n": ["Jane", "Ruth"]}, "domains": {"n": "person"}, "expect": ECHO}, True, True, 1),
        ({"parameters": {"n": ["Jane", "Ruth"]}, "domains": {"n": "person"}, "expect": ANSWER}, True, True, 1),
        ({"parameters": {"n": ["Jane"]}, "domains": {"n": "person"}, "expect": ANSWER}, True, True, 0),
        ({"parameters": {"n": ["Jane"]}, "domains": {"n": "person"}, "expect": KEPT}, True, True, 1),
        ({"parameters": {"n": ["Jane"]}, "domains": {"n": "keep"}, "expect": ECHO}, True, True, 0),
        ({"parameters": {"n": None}, "domains": {"n": "person"}, "expect": ECHO}, False, True, 0),
        ({"settings": {"app.user": "Jane"}, "domains": {"app.user": "person"}, "expect": ECHO}, False, False, 1),
        ({"expect": ANSWER}, False, False, 1),
        ({"expect": ANSWER}, True, True, 0),
        ({"expect": KEPT}, False, True, 0),
        ({"parameters": {"n": ["Jane"]}, "expect": ECHO}, False, True, 0),
    ],
)
def test_what_production_did_not_give_is_chosen(step: dict[str, Any], recorded: bool, strict: bool, count: int) -> None:
    lines = chosen(bundle(**step), PLANS, recorded=recorded, strict=strict)
    assert len(lines) == count
    assert not any("Jane" in line or "Ruth" in line for line in lines)


def test_the_steps_that_name_domains() -> None:
    assert names_domains(bundle(parameters={"n": 1}, domains={"n": "person"})) == ["a"]
    assert names_domains(bundle()) == []
