"""JUnit's XML: counts, what became of each, and characters that XML cannot hold."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from envclone.pages.junit import Checked, junit


def test_every_outcome() -> None:
    text = junit("suite", [
        Checked("a", "g", 0.25, properties={"image": "img-1"}),
        Checked("b", "g", 1, "failure", "not <as> it \"should\" be", "line\nline"),
        Checked("c", "g", outcome="error", message="\x00\ud800 kept: ü"),
        Checked("d", "g", outcome="skipped"),
    ])  # fmt: skip
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "1.250",
    }  # fmt: skip
    a, b, c, d = suite
    assert [one.get("name") for one in suite] == ["a", "b", "c", "d"]
    assert a.find("properties/property").attrib == {"name": "image", "value": "img-1"}  # type: ignore[union-attr]
    assert (b[0].tag, b[0].get("message"), b[0].text) == ("failure", 'not <as> it "should" be', "line\nline")
    assert (c[0].tag, c[0].get("message"), d[0].tag) == ("error", "�� kept: ü", "skipped")
