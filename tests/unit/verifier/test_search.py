"""The search for originals: every spelling, at word boundaries, across chunks, in no time on holes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from envclone.verifier import search
from envclone.verifier.originals import Originals, strong


@pytest.fixture(autouse=True, params=["automaton", "windows"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test by both ways of searching: that for few originals, and that for millions."""
    if request.param == "windows":
        monkeypatch.setattr(search, "FEW", 0)


def _search(values: list[str], minimum: int = 3, kind: str = "person") -> search.ByteSearch:
    originals = Originals()
    originals.add("main.t.c", kind, values)
    return search.ByteSearch(originals, minimum=minimum)


def _found(searcher: search.ByteSearch, data: bytes) -> list[str]:
    return sorted({searcher._originals.value(hit.original) for hit in searcher.find(data)})


def test_word_boundaries() -> None:
    ann = _search(["Ann", "jane@corp.com"])
    assert _found(ann, b"to Ann, from") == ["Ann"]
    assert _found(ann, b"Annual hANN Anno") == []
    assert _found(ann, b"\x07Ann\x00") == ["Ann"]
    assert _found(ann, b"<jane@corp.com>") == ["jane@corp.com"]


def test_a_genitive_is_its_name() -> None:
    names = _search(["Quenzelmann", "Mark"])
    assert _found(names, b"Quenzelmanns Antrag") == ["Quenzelmann"]
    assert _found(names, b"Quenzelmannsau Quenzelmannt, he marks it, Marks") == []


def test_what_tells_by_itself_is_found_between_any_bytes() -> None:
    mails = _search(["jane@corp.com"], kind="email")
    assert _found(mails, b"emailx\x1cjane@corp.coman\x0c") == ["jane@corp.com"]  # CBOR: the next tag is an 'a'
    names = _search(["Maximiliana Fontaine-Bleau", "Al Li"])
    assert _found(names, b"7Maximiliana Fontaine-BleauK") == [
        "Maximiliana Fontaine-Bleau"
    ]  # a varlena's length is a '7'
    assert _found(names, b"coastal lights, COAl Lights") == []
    phones = _search(["555-0100 22"], kind="phone")
    assert _found(phones, b"k555-0100 22a") == ["555-0100 22"]
    assert _found(phones, b"1555-0100 22") == []


def test_spellings() -> None:
    jose = _search(["José Núñez"])
    assert _found(jose, "josé núñez".encode()) == ["José Núñez"]
    assert _found(jose, b'{"name": "Jos\\u00e9 N\\u00fa\\u00f1ez"}') == ["José Núñez"]


def test_values_within_values_are_all_found() -> None:
    assert _found(_search(["Jane Doe", "Jane", "Doe"]), b"x Jane Doe y") == ["Doe", "Jane", "Jane Doe"]


def test_short_values_are_counted_not_searched() -> None:
    both = _search(["Jo", "Joanna"], minimum=5)
    assert (both.searched, both.skipped) == (1, 1)
    assert _found(both, b"Jo Joanna") == ["Joanna"]


def test_every_place_of_a_file_is_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CHUNK", 1000)
    random.seed(1)
    value = "Jane Doe-Smith"
    for _ in range(300):
        size = random.randrange(20, 5000)
        position = random.randrange(0, size - len(value))
        data = bytearray(b"." * size)
        data[position : position + len(value)] = value.encode()
        file = tmp_path / "file"
        file.write_bytes(data)
        hits = list(_search([value]).find_in_file(file))
        assert [(hit.start, hit.end) for hit in hits] == [(position, position + len(value))], (size, position)


def test_a_word_that_goes_on_in_the_next_chunk_is_no_hit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CHUNK", 1000)
    file = tmp_path / "file"
    file.write_bytes(b"." * 995 + b"Annie" + b"tte" + b"." * 100)
    assert list(_search(["Annie"]).find_in_file(file)) == []


def test_holes_are_skipped(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as handle:
        handle.seek(50 * 2**30)
        handle.write(b" Annabel ")
    assert [hit.original for hit in _search(["Annabel"]).find_in_file(file)] == [0]


def test_the_shortest_length_grows_with_what_is_searched() -> None:
    assert search.shortest(10**6, 100) < search.shortest(10**10, 10**6) <= 10
    assert search.shortest(0, 0) == 5


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("person", "Jane Doe", True),
        ("person", "Mark", False),
        ("person", "विपुल", False),
        ("person", "সুশীলা", False),
        ("person", "विपुल मुख़र्जी", True),
        ("person", "Jo\u0301zsef", False),
        ("email", "a@b.c", True),
        ("phone", "555-0100", True),
        ("phone", "12-34", False),
        ("national_id", "536-22-8741", True),
        ("national_id", "000-00-0000", False),
        ("username", "wquenzel", True),
        ("username", "support", False),
        ("username", "christopher", False),
        ("address", "Lindenweg 4", False),
        ("address", "Lindenweg 4, 80337 München", True),
        ("person", "王小明", True),
        ("secret", "password", False),
        ("secret", "ChangeMe", False),
        ("secret", "password1!", True),
        ("username", "username", False),
        ("redact", "yes", False),
        ("redact", "a longer secret", False),
        ("redact", "Secret 4711 of the house", True),
    ],
)
def test_what_tells_of_a_person_by_itself(kind: str, value: str, expected: bool) -> None:
    assert strong(kind, value) is expected


def test_both_ways_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(7)
    letters = "ab cd@."
    values = ["".join(draw.choices(letters, k=draw.randint(4, 24))).strip() or "abcd" for _ in range(3000)]
    data = "".join(draw.choices(letters, k=40_000)).encode() + "\x00".join(values[:500]).encode() + b"zz"
    monkeypatch.setattr(search, "FEW", 10**9)
    one = _search(values, kind="email")
    monkeypatch.setattr(search, "FEW", 0)
    other = _search(values, kind="email")
    for start in range(0, 16):  # whatever the alignment
        expected = {(hit.original, hit.start, hit.end) for hit in one.find(data[start:])}
        assert {(hit.original, hit.start, hit.end) for hit in other.find(data[start:])} == expected
        assert len(expected) > 500
