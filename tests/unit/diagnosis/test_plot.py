"""A sweep as a picture, and in words."""

from __future__ import annotations

from xml.etree import ElementTree

from envclone.diagnosis.diagnose import diagnose
from envclone.diagnosis.plot import plot
from envclone.diagnosis.report import explain, table
from tests.unit.diagnosis.fakes import Line, case

PLACES = {str(number): float(number) for number in range(1, 31)}


def test_a_picture_stands_alone_and_says_what_it_shows() -> None:
    found = diagnose(case(Line(PLACES, index="hnsw", seen={"1": 50}), "1"), sweeps=True)
    root = ElementTree.fromstring(plot(found.sweeps, "ef"))
    assert root.attrib["aria-label"] == "recall by ef: 10 50%, 100 100%, 1000 100%"
    circles = [node.attrib for node in root.iter() if node.tag.endswith("circle")]
    assert [one["fill"] for one in circles if one["r"] == "3.5"] == ["none", "currentColor", "currentColor"]
    assert len([one for one in circles if one["r"] == "8"]) == 1
    assert plot(found.sweeps, "exact") == "", "one point is no curve"


def test_names_of_fields_are_text_there() -> None:
    found = diagnose(case(Line(PLACES, index="hnsw"), "1"), sweeps=True)
    renamed = tuple(type(point)(**{**_plain(point), "varied": "<b>", "value": "<i>"}) for point in found.sweeps[:3])
    assert "<b>" not in plot(renamed, "<b>") and "&lt;i&gt;" in plot(renamed, "<b>")


def test_words_and_rows() -> None:
    found = diagnose(case(Line(PLACES, index="hnsw", seen={"1": 50}), "1"), sweeps=True)
    said = explain(found).splitlines()
    assert said[0] == "incident 7: index: breadth_too_small (shown)"
    assert said[1].startswith("  evidence in the step search: 1 is at rank 1")
    row = next(row for row in table(found.sweeps, found.expected) if row[1] == "ef 10 *")
    assert row[2:5] == ["50%", "2", "–"]
    assert "nothing found" in explain(diagnose(case(Line(PLACES), "1")))


def _plain(point: object) -> dict[str, object]:
    return {name: getattr(point, name) for name in type(point).__slots__}  # type: ignore[attr-defined]
