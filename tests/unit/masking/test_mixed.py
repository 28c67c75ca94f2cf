"""Names that are not ASCII are masked in batches as they are one by one."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.compiled import available
from envclone.masking.email import EmailMask
from envclone.masking.tokens import NameTokens
from tests.unit.masking.conftest import KEY

pytestmark = pytest.mark.skipif(not available(), reason="loops are not compiled here")

NAMES = [f"{chr(97 + i % 26)}{chr(98 + i // 26)}{'x' * 20} {'1' * (30 + i)}" for i in range(40)]
NAMES += [f"Zo\u00eb M\u00fcller{i}, \u0160imek" for i in range(40)]
PIECES = st.sampled_from(
    [
        "Jane",
        "Z\u00f6e",
        " ",
        "'",
        "\u0301",
        "1234567",
        "\u0663\u0664",
        "\u2460",
        "\u738b\u5c0f\u660e",
        "\u01f0",
        "@",
        ".",
        "corp.de",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=8), st.sampled_from(["NFC", "NFD", "NFKC"]))
def test_batches_and_single_texts_are_masked_alike(values: list[str], form: str) -> None:
    given_ = [*NAMES, *(normalize(form, value) for value in values)]  # type: ignore[arg-type]
    alone = NameTokens(KEY)
    assert NameTokens(KEY).mask(given_) == [alone._text(value) for value in given_]


@given(st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=8))
def test_addresses_too(values: list[str]) -> None:
    given_ = [
        *(f"z\u00f6e.{i}@m\u00fcller.co.uk" for i in range(9)),
        *(f"z\u00f6e.m\u00fcller{i}@corp.co.uk (Zo\u00eb)" for i in range(9)),
    ]
    given_ += [*(f"jos\u00e9{i}@corp.example" for i in range(40)), *values]
    alone = EmailMask(NameTokens(KEY))
    assert EmailMask(NameTokens(KEY)).mask(given_) == [alone._address(value) for value in given_]
