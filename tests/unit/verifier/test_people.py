"""Originals and weak identities of packed columns are those that values give one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.packed import pack
from envclone.verifier.originals import Originals, strong
from envclone.verifier.subjects import Keys, Subjects, parts_of
from tests.unit.masking.test_crowd import texts

KINDS = ["person", "email", "phone", "card", "national_id", "iban", "uuid", "secret", "address", "company", "username"]
KINDS += ["ip", "key", "hook", "url", "redact"]
SAID = [
    "password",
    "ChangeMe",
    *("Dr. Wolfhard von Quenzelmann", "O'Neil, Mary-Jane", "D''Arcy", "'tis Me'", "MR MS", "Ab", "Bo Li", "Elm St 12"),
    *("Lindenweg  4", "Berlin", "12", "D-10115", "Acme Marble Works", "ACME", "536-22-8741", "4111 1111 1111 1111"),
    *("DE89 3704 0044 0532 0130 00", "jdoe82", "may", "10.0.0.1", "8.8.8.8", "aaaaaaaaaaaa", "a1b2", "x" * 12),
]


def _subjects(subjects: Subjects) -> tuple[list[str], Any]:
    words = list(subjects.seal())
    told = {
        text: (subjects.what(i), subjects.ambiguous(i), subjects.source(i), subjects.persons(i).tolist())
        for i, text in enumerate(words)
    }
    return sorted(words), told


@given(st.one_of(texts(), st.lists(st.one_of(st.none(), st.sampled_from(SAID)))), st.sampled_from(KINDS))
def test_weak_identities(values: list[str | None], kind: str) -> None:
    many, one = Subjects(), Subjects()
    for subjects in (many, one):
        subjects.begin("t")
    many.take(7, kind, pack(values), "source")
    for person, value in enumerate(values, 7):
        if value is not None:
            one.add([person], kind, [value], "source")
    assert _subjects(many) == _subjects(one)
    expected = {(text, what) for value in values if value is not None for text, what in parts_of(kind, value)}
    assert _subjects_of(values, kind) >= {text for text, _ in expected}


def _subjects_of(values: list[str | None], kind: str) -> set[str]:
    subjects = Subjects()
    subjects.take(0, kind, pack(values), "source")
    return set(subjects.seal())


@given(st.one_of(texts(), st.lists(st.one_of(st.none(), st.sampled_from(SAID)))), st.sampled_from(KINDS))
def test_originals(values: list[str | None], kind: str) -> None:
    many, one = Originals(), Originals()
    many.take("a", kind, pack(values))
    many.take("b", kind, pack(values))
    one.add("a", kind, [value for value in values if value is not None])
    found = {value: source for _, value, source in many.items()}
    assert found == {value: source for _, value, source in one.items()}
    assert len(many) == len(found)
    assert all(source.strong == strong(kind, value) and source.address == "a" for value, source in found.items())


def test_keys_mean_persons() -> None:
    keys = Keys()
    keys.take(pack(["1", None, "2", "1"]), [4, 5, 6, 7])
    keys.take(pack(["é"] * 9), range(9))
    assert len(keys) == 12
    assert keys.find("1") == [4, 7]
    assert keys.find("2") == [6]
    assert keys.find("") == []
    assert not keys.find("é")  # so many are nobody's key


@pytest.mark.parametrize("kind", KINDS)
def test_without_compiled_loops_it_is_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [*SAID, None, "José", *SAID]
    fast = _subjects_of(values, kind)
    originals = Originals()
    originals.take("a", kind, pack(values))
    for module in ("distinct", "masking.crowd", "verifier.originals", "verifier.subjects"):
        monkeypatch.setattr(f"envclone.{module}.available", lambda: False)
    assert _subjects_of(values, kind) == fast
    slow = Originals()
    slow.take("a", kind, pack(values))
    assert {(v, s) for _, v, s in slow.items()} == {(v, s) for _, v, s in originals.items()}
