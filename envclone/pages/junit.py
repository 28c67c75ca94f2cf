"""Results as JUnit's XML, which every CI reads: the one writer of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

__all__ = ["Checked", "Outcome", "junit"]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped: an answer may hold any."""


Outcome = Literal["passed", "failure", "error", "skipped"]
"""What became of a test, as JUnit's XML knows it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One test: its name and group, how long it took (s), and what became of it, with one line and more text."""

    name: str
    group: str
    seconds: float = 0.0
    outcome: Outcome = "passed"
    message: str = ""
    text: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def junit(suite: str, tests: Sequence[Checked]) -> str:
    """A document of one suite."""
    counted = {kind: sum(one.outcome == kind for one in tests) for kind in ("failure", "error", "skipped")}
    figures = {
        "tests": str(len(tests)),
        "failures": str(counted["failure"]),
        "errors": str(counted["error"]),
        "skipped": str(counted["skipped"]),
        "time": f"{sum(one.seconds for one in tests):.3f}",
    }
    root = Element("testsuites", {"name": _clean(suite), **figures})
    inner = SubElement(root, "testsuite", {"name": _clean(suite), **figures})
    for one in tests:
        case = SubElement(
            inner,
            "testcase",
            {"name": _clean(one.name), "classname": _clean(one.group), "time": f"{one.seconds:.3f}"},
        )
        if one.properties:
            properties = SubElement(case, "properties")
            for name, value in one.properties.items():
                SubElement(properties, "property", {"name": _clean(name), "value": _clean(value)})
        if one.outcome != "passed":
            found = SubElement(case, one.outcome, {"message": _clean(one.message)})
            found.text = _clean(one.text) or None
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
