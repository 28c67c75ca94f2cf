from __future__ import annotations

import pytest

from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from tests.unit.masking.conftest import KEY

PHONES = ("+49 30 50017634", "+1 415 555 2671", "+352 21 64 74", "8425217")
IDS = ("536-22-8741", "AB 12 34 56 C", "RSSMRA85T10A562S", "12345678Z")
CARD, IBAN = "4929 3912 4500 9107", "DE89 3704 0044 0532 0130 00"
MASKS = MaskSet(KEY, {}, Corpus({"phone": PHONES, "national_id": IDS, "card": (CARD,), "iban": (IBAN,)}))


def digits(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


JOINTS = (None, "", " ", "-", ".", "/", "_", "\u00a0", "\u202f", "|", ":", "*", "\u2022", "\n")


def joined(value: str, joint: str | None) -> str:
    return value if joint is None else joint.join("".join(c if c.isalnum() else " " for c in value).split())


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "x{}", "{}x", "SSN{}", "Tel.{}", "id_{}_old", "userPhone{}Old", "IMG{}.jpg", "DE{}", "0x{}", "тел{}"),
        *("电话{}号", "v{} of it", "call{}", "2024-05-01 {}", "3 {} 17", "12, {}, 13", "order 12345678 by {}"),
    ],
)
def test_a_number_of_somebody_is_masked_whatever_stands_in_it_and_beside_it(text: str) -> None:
    cases = [(value, text.format(joined(value, how))) for value in (*IDS, CARD, IBAN, *PHONES) for how in JOINTS]
    after = MASKS.text([written for _, written in cases])
    assert [len(one) for one in after] == [len(written) for _, written in cases]
    left = [written for (value, written), new in zip(cases, after, strict=True) if digits(value)[-6:] in digits(new)]
    assert left == []


@pytest.mark.parametrize(
    "text",
    [
        "493050017634",
        "00493050017634",
        "011493050017634",
        "030 50017634",
        "tel03050017634",
        "3050017634",
        "49|30|50017634",
    ],
)
def test_the_number_has_the_pseudonym_of_the_column(text: str) -> None:
    fresh = MASKS.value("phone", PHONES[0])
    assert fresh is not None
    assert digits(MASKS.text([text])[0]).endswith(digits(fresh)[2:])


@pytest.mark.parametrize("text", ["q=4929%203912%204500%209107", "https://x.example/?n=4929%203912%204500%209107&b=1"])
def test_a_query_that_begins_with_two_digits_is_no_quoted_printable(text: str) -> None:
    assert "4500" not in MASKS.text([text])[0]
    assert MASKS.text([text])[0].startswith(text[: text.index("4929")])


@pytest.mark.parametrize(
    "text", ["53622874", "5362287411", "1536228741", "AB1234560", "84252170", "2024-05-01 10:22:33"]
)
def test_digits_are_never_cut(text: str) -> None:
    assert MASKS.text([text]) == [text]


def test_what_is_masked_does_not_depend_on_the_texts_beside_it() -> None:
    texts = ["AB 12 34 56 C", "1", "no. AB123456C", "20240501 1", "12345678Z", "9"]
    assert MASKS.text(texts) == [MASKS.text([text])[0] for text in texts]
