"""The account of a store's files: sums, the allow-list, values with their sources, bytes that nobody decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

from envclone.models import APART, Accounted, ByteClass, Flaw, Values
from envclone.verifier.account import Account, at_boundary
from envclone.verifier.compounds import Compounds
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.findings import Accepted, Findings
from envclone.verifier.loose import LooseSearch, text_of
from envclone.verifier.originals import Originals
from envclone.verifier.search import Hit
from envclone.verifier.subjects import Subjects

NAME = "Wolfhard Quenzelmann"


def _findings(*accepted: Accepted) -> FieldFindings:
    originals = Originals()
    originals.add("main.public.people.name", "person", [NAME])
    originals.add("main.public.people.phone", "phone", ["4915112"])
    originals.seal()
    return FieldFindings(originals=originals, leaks=Findings(accepted))


def _account(directory: Path, findings: FieldFindings, *pieces: Accounted) -> dict[str, object]:
    made = Account("main", directory, findings)
    for piece in pieces:
        made.enter(piece)
    return made.settle()


def test_every_byte_has_one_class(tmp_path: Path) -> None:
    (tmp_path / "heap").write_bytes(bytes(100))
    findings = _findings()
    done = _account(
        tmp_path,
        findings,
        Accounted("heap", {ByteClass.ZERO: 60}),
        Accounted("heap", {ByteClass.STRUCTURE: 30, ByteClass.UNDECODED: 10}, undecoded=[(90, 10)]),
    )
    assert len(findings.leaks) == 0
    assert done["bytes"] == 100
    assert done["classes"] == {
        "structure": 30, "masked": 0, "kept": 0, "derived": 0, "zero": 60, "not decoded": 10,
    }  # fmt: skip


def test_where_values_outlive_their_rows_the_remedy_says_what_helps(tmp_path: Path) -> None:
    findings = _findings()
    _account(tmp_path, findings, Accounted("", {}, [Values("index i", [NAME], stale="REINDEX INDEX i there.")]))
    (said,) = [one.line() for one in findings.leaks._found.values()]
    assert "production. REINDEX INDEX i there." in said and NAME not in said


@pytest.mark.parametrize("claimed", [99, 101])
def test_a_sum_that_is_not_the_file_s_is_a_finding(tmp_path: Path, claimed: int) -> None:
    (tmp_path / "heap").write_bytes(bytes(100))
    findings = _findings()
    _account(tmp_path, findings, Accounted("heap", {ByteClass.ZERO: claimed}))
    assert len(findings.leaks) == 1


def test_a_file_that_nobody_claims_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "stray").write_bytes(b"harmless")
    findings = _findings()
    _account(tmp_path, findings)
    assert len(findings.leaks) == 1


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    findings = _findings()
    _account(tmp_path, findings, Accounted("gone", {ByteClass.ZERO: 1}))
    assert len(findings.leaks) == 1


def test_a_flaw_is_a_finding(tmp_path: Path) -> None:
    findings = _findings()
    _account(tmp_path, findings, Accounted("", {}, flaws=[Flaw("heap", "bytes of no row that are not zero")]))
    assert len(findings.leaks) == 1


@pytest.mark.parametrize("text", [NAME, f"call {NAME}!", f"“{NAME}”", NAME.upper(), f"{NAME}, Lindenweg"])
def test_an_original_in_a_derived_value_is_a_finding(tmp_path: Path, text: str) -> None:
    findings = _findings()
    _account(tmp_path, findings, Accounted("", {}, [Values("index", [text], ("public.people.name",), copies=True)]))
    assert len(findings.leaks) == 1


@pytest.mark.parametrize(
    "text", ["Wolfhard Quenzelmanns", "xWolfhard Quenzelmann", "Wolfhard", "ñWolfhard Quenzelmann"]
)
def test_a_longer_word_is_none(tmp_path: Path, text: str) -> None:
    findings = _findings()
    _account(tmp_path, findings, Accounted("", {}, [Values("index", [text])]))
    assert len(findings.leaks) == 0


def test_a_copy_passes_only_as_the_very_value_of_its_field(tmp_path: Path) -> None:
    for source, text, left in (
        ("public.people.name", NAME, 0),
        ("public.people.name", f"{NAME} jr", 1),
        ("public.people.other", NAME, 1),
    ):
        findings = _findings()
        seen = findings.coincidences.seen("main.public.people.name", 0, text_of(NAME))
        findings.coincidences.add(seen)
        _account(tmp_path, findings, Accounted("", {}, [Values("index", [text], (source,), copies=True)]))
        assert len(findings.leaks) == left, (source, text)


def test_what_is_made_of_values_passes_by_the_original_of_its_field(tmp_path: Path) -> None:
    for source, left in (("public.people.name", 0), ("public.people.other", 1)):
        findings = _findings()
        findings.coincidences.add(findings.coincidences.seen("main.public.people.name", 0, text_of(NAME)))
        _account(tmp_path, findings, Accounted("", {}, [Values("view", [f"Dear {NAME}"], (source,))]))
        assert len(findings.leaks) == left


def test_few_digits_in_a_number_are_nobody_s(tmp_path: Path) -> None:
    for numbers, left in ((True, 0), (False, 1)):
        findings = _findings()
        _account(tmp_path, findings, Accounted("", {}, [Values("index", ["4915112"], numbers=numbers)]))
        assert len(findings.leaks) == left


def test_what_nobody_decoded_is_searched_as_it_is(tmp_path: Path) -> None:
    data = b"\x01\x02" + NAME.encode() + b"\x00\x00"
    (tmp_path / "odd").write_bytes(data)
    for stretches, left in (([(0, len(data))], 1), ([(0, 8), (8, len(data) - 8)], 1), ([(0, 8)], 0)):
        findings = _findings()
        _account(tmp_path, findings, Accounted("odd", {ByteClass.UNDECODED: len(data)}, undecoded=stretches))
        assert len(findings.leaks) == left


def test_an_exception_of_the_stack_file_counts(tmp_path: Path) -> None:
    findings = _findings(Accepted("main: index", "person", "is public"))
    _account(tmp_path, findings, Accounted("", {}, [Values("index", [NAME])]))
    assert len(findings.leaks) == 0
    assert findings.leaks.exceptions()[0]["times"] == 1


def test_what_a_copy_of_the_process_entered_is_taken_in(tmp_path: Path) -> None:
    (tmp_path / "heap").write_bytes(bytes(4))
    findings = _findings()
    made, copy = Account("main", tmp_path, findings), Account("main", tmp_path, findings)
    copy.enter(Accounted("heap", {ByteClass.ZERO: 4}, [Values("index", [NAME, "nobody", NAME], at=("a", "b", "c"))]))
    made.take(copy.found())
    assert made.settle()["values_searched"] == 3
    assert len(findings.leaks) == 1


def test_boundaries_of_scripts_without_spaces() -> None:
    text = "彼は山田太郎です".encode()
    assert at_boundary(text, Hit(0, 6, 18))


def test_a_number_does_not_go_on_from_a_name() -> None:
    assert at_boundary(b"Jane Doe1", Hit(0, 0, 8)) and at_boundary(b"7Jane Doe", Hit(0, 1, 9))
    assert not at_boundary(b"Jane Doer", Hit(0, 0, 8)) and not at_boundary(b"4915112345671", Hit(0, 0, 12))


def _close(*values: Values) -> int:
    """How many findings values give that rows may have left, of a person whose names, street and number are known."""
    subjects, findings = Subjects(), _findings()
    subjects.begin("main.public.people")
    subjects.count = 1
    for kind, value in (("person", "Wolfhard"), ("person", "Quenzelmann"), ("address", "Lindenweg 4")):
        subjects.add([0], kind, [value], f"main.public.people.{value[:4].lower()}")
    parts = Originals.parts(subjects.seal())
    findings.weak, findings.subjects = LooseSearch(parts), subjects
    findings.compounds = Compounds(subjects, parts, findings.originals)
    _account(Path("/nonexistent"), findings, Accounted("", {}, values))
    return len(findings.leaks)


@pytest.mark.parametrize(
    "text",
    [
        "Quenzelmann, Lindenweg 4",
        "wolfhardquenzelmann",
        "V29sZmhhcmQgUXVlbnplbG1hbm4=",
        b"Wolfhard of Quenzelmann",
    ],
)
def test_what_rows_that_are_gone_may_have_left_is_searched_like_rows(text: str | bytes) -> None:
    assert _close(Values("index", [text], ("public.orders.ship_to",), kept=True)) == 1
    assert _close(Values("index", [text], ("public.orders.ship_to",))) == 0


def test_names_of_one_person_in_two_columns_of_an_entry_are_a_finding() -> None:
    def entry(*columns: str) -> int:
        return _close(Values("index", [APART.join(columns)], kept=True, together=True))

    assert entry("Wolfhard", "Quenzelmann") == entry("7", "Quenzelmann", "at Lindenweg 4") == 1
    assert entry("Wolfhard Quenzelmann", "Drachsler") == entry("Wolfhard", "Drachsler") == 0
