"""The record that is published beside the files is searched as the files are."""

from __future__ import annotations

import pytest

from envclone.errors import UnsafeError
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import Accepted, Findings
from envclone.verifier.record import examine_record

RECORD = {"stores": {"main": {"cleaned": [{"what": "databases dropped", "count": 1, "detail": "postgres, spare"}]}}}


def _findings() -> FieldFindings:
    findings = FieldFindings()
    findings.originals.add("main.public.people.email", "email", ["jane.doe@corp.example"])
    findings.originals.add("main.public.people.name", "person", ["Jane Doe", "spare"])
    return findings


def test_a_record_without_originals_passes_and_its_texts_are_counted() -> None:
    assert examine_record(RECORD, _findings()) >= 3


@pytest.mark.parametrize("detail", ["spare, jane.doe@corp.example", "JANE DOE's database", "jane.doe%40corp.example"])
def test_an_original_in_any_spelling_is_refused_by_its_place(detail: str) -> None:
    record = {"stores": {"main": {"cleaned": [{"what": "databases dropped", "count": 1, "detail": detail}]}}}
    findings = _findings()
    examine_record(record, findings)
    with pytest.raises(UnsafeError) as refused:
        findings.leaks.refuse()
    assert refused.value.problems
    for problem in refused.value.problems:
        assert problem.startswith("stores.main.cleaned[databases dropped].detail: once a value of the kind ")
        assert "jane" not in problem.lower()


def test_an_original_as_the_name_of_an_entry_is_refused_too() -> None:
    findings = _findings()
    examine_record({"settings": {"jane.doe@corp.example": "on"}}, findings)
    assert len(findings.leaks) >= 1


@pytest.mark.parametrize("field", ["record", "stores.kb.keys[0]"])
def test_an_exception_is_named_by_the_place_as_it_is_told(field: str) -> None:
    """The key of a payload that is indexed stands in the record, and can be somebody's address."""
    record = {"stores": {"kb": {"keys": ["jane.doe@corp.example"]}}}
    findings = _findings()
    findings.leaks = Findings([Accepted(field, "email", "agreed")])
    examine_record(record, findings)
    findings.leaks.refuse()
    assert findings.leaks.exceptions()[0]["times"] == 1
