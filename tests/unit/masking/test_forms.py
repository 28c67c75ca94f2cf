"""Masks on what is not a plain text."""

from __future__ import annotations

import pytest

from envclone.errors import UnsafeError
from envclone.masking.forms import DocumentMask, in_form
from envclone.masking.noise import NumberMask
from envclone.masking.person import PersonMask
from envclone.masking.simple import RedactMask
from envclone.masking.tokens import NameTokens
from tests.unit.masking.conftest import KEY

NAMES = NameTokens(KEY)
PERSON = PersonMask(NAMES)


def test_markup_keeps_its_elements() -> None:
    jane = NAMES.text("Jane")
    masked = in_form(PERSON, "text", "xml").mask(
        ["<?xml version='1.0'?><cv lang=\"Jane\"><who x='Jane'>Jane</who>&amp;<![CDATA[Jane]]><!-- Jane --></cv>"]
    )
    assert masked == [
        f"<?xml version='1.0'?><cv lang=\"{jane}\"><who x='{jane}'>{jane}</who>&amp;<![CDATA[{jane}]]>"
        f"<!-- {jane} --></cv>"
    ]


def test_a_text_in_bytes() -> None:
    mask = in_form(PERSON, "text", "bytea")
    assert mask.mask(["\\x" + "Zoë".encode().hex()]) == ["\\x" + NAMES.text("Zoë").encode().hex()]
    with pytest.raises(UnsafeError, match="UTF-8"):
        mask.mask(["\\xff00"])


def test_bytes_overwritten() -> None:
    assert in_form(RedactMask(), "redact", "bytea").mask(["\\x0102", "\\x0000", "\\x"]) == ["\\x0000", "\\x0101", "\\x"]


@pytest.mark.parametrize(("base", "digits"), [("float8", 15), ("float4", 6)])
def test_a_float_comes_back_from_the_engine_as_it_was_written(base: str, digits: int) -> None:
    values = ["60.142857142857146", "0.1", "1e+20", "1.2345678901234567e-09", "-3", "0.30000000000000004", "NaN"]
    for masked in in_form(NumberMask(KEY), "number", base).mask(values):
        if masked != "NaN":
            assert len(masked.lower().partition("e")[0].replace(".", "").lstrip("-0")) <= digits
            assert repr(float(masked)).replace(".0", "") == masked
    assert in_form(RedactMask(), "redact", base).mask(["1.5", "-5"])[0] == "1"


def test_documents_and_what_is_none() -> None:
    mask = DocumentMask(PERSON)
    jane = NAMES.text("Jane")
    assert mask.mask(['{"a": "Jane", "n": 1}', "Jane {", '"Jane"']) == [
        f'{{"a": "{jane}", "n": 1}}',
        f"{jane} {{",
        f'"{jane}"',
    ]
