from __future__ import annotations

from collections.abc import Sequence

import pytest

from envclone.scan.values import Looks, look, persons

NAMES = ["Jane Doe", "Smith, John", "Dr. Anna Müller", "José García", "Emma Johnson"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a@b.co", "jane.doe@corp.com", None, ""], "email"),
        (NAMES, "person"),
        (["Jane", "Emma", "Karl", "Anna"], "person"),
        (["+1 555 123 4567", "(030) 901820-5", "0171/1234567"], "phone"),
        (["4111 1111 1111 1111", "5500005555555559"], "card"),
        (["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"], "iban"),
        (["536-90-4399", "123-45-6789"], "national_id"),
        (["10.0.0.1", "2001:db8::1"], "ip"),
        (["08:00:2b:01:02:03"], "mac"),
        (["https://example.com/x"], "url"),
        (["123e4567-e89b-12d3-a456-426614174000"], "uuid"),
        (["2024-01-02", "2024-01-02 03:04:05"], "date"),
        (["sk-proj-abcdefghijklmnop", "5f4dcc3b5aa765d61d8327deb882cf99"], "secret"),
        (['{"a": 1}'], "json"),
        (["Acme GmbH", "Miller & Sons Ltd", "Foo Inc"], "company"),
        (["12 Baker Street", "Hauptstraße 5", "1 Main St Apt 4"], "address"),
        (["jdoe82", "anna.meyer", "esmith"], "username"),
        (["The parcel of the customer has not arrived yet.", "Please call me back as soon as you can."], "text"),
        (["We met Anna at 12 Baker Street, and she said that order 77 of last week never came to her."], "text"),
        (["open", "closed"] * 60, "keep"),
        (["red", "green", "blue"] * 50, "keep"),
    ],
)
def test_most_values_decide(values: Sequence[str], kind: str) -> None:
    looks = look([value for value in values if value is not None])
    assert looks is not None
    assert looks.kind == kind


_FILL = [f"q-{i}" for i in range(30)]


@pytest.mark.parametrize(
    "spelling",
    [
        "amFuZS5kb2VAY29ycC5leGFtcGxl",  # base64 of an address
        "6a616e652e646f6540636f72702e6578616d706c65",  # its bytes in hexadecimal
        "jane.doe%40corp.example",
        "jane.doe [at] corp [dot] example",
        "jane.doe&#64;corp.example",
        "jane.doe\\u0040corp.example",
        "KzQ5IDMwIDkwMTgyMDU1NQ==",  # base64 of a telephone number
        "%2B49%2030%20901820555",
    ],
)
def test_one_identity_in_another_spelling_makes_a_text_of_all(spelling: str) -> None:
    looks = look([*_FILL, spelling])
    assert looks is not None
    assert looks.kind == "text"
    looks = look(["open", "closed"] * 60 + [spelling])
    assert looks is not None
    assert looks.kind == "text"
    looks = look([spelling] * 9)
    assert looks is not None
    assert looks.kind != "keep"


def test_text_written_backwards_is_not_read() -> None:
    assert look([*_FILL, "eod enaj, ed ofni"]) is None


@pytest.mark.parametrize("values", [[], ["", "  "], ["x17", "b2", "q-9"], ["1234567", "7654321"]])
def test_what_tells_of_nothing(values: Sequence[str]) -> None:
    assert look(values) is None


def test_labels_of_an_enum_are_no_persons_for_a_word_that_is_a_name() -> None:
    assert not persons({"DOCUMENT_LINK", "DATAROOM_LINK", "WORKFLOW_LINK"})
    assert persons({"ANNA_SCHMIDT", "PETER_MILLER", "MARIA_GARCIA"})
    assert persons({"Anna Schmidt", "Dr. Peter Miller", "Maria Garcia"})


def test_names_that_are_joined_to_other_words_are_texts() -> None:
    """A mask of names would take a title's other words, too."""
    titles = [f"Roadmap Review - {name}" for name in ("Megan Leclerc", "Toni Vincent", "Lisa Brown", "Paola Rossi")] * 3
    others = ["Quarterly Budget Planning", "Latency And Capacity", "Cache Index Schema", "Release Notes Forecast"] * 5
    for values in (titles, [*titles, *others]):
        seen = look(values)
        assert seen is not None and seen.kind == "text", seen
    plain = look(["Megan Leclerc", "Toni Vincent", "Lisa Brown", "Paola Rossi", "Anna-Maria Schmidt"] * 3)
    assert plain is not None and plain.kind == "person"


def test_a_few_numbers_with_dashes_are_no_telephones_unless_they_are_called_so() -> None:
    codes = ["00172-0012-30", "50580-0488-02", "63304-0827-05"]
    assert (look(codes) or Looks("", 0, "")).kind != "phone"
    called = look(codes[1:], "phone")
    assert called is not None and called.kind == "phone"
