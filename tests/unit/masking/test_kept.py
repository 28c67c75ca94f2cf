"""Addresses and companies: names among words that are nobody's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.address import AddressMask
from envclone.masking.company import CompanyMask
from envclone.masking.email import EmailMask
from envclone.masking.tokens import NameTokens
from tests.unit.masking.conftest import KEY
from tests.unit.masking.shapes import check_shape

NAMES = NameTokens(KEY)
ADDRESS, COMPANY = AddressMask(NAMES), CompanyMask(NAMES)


def test_an_address_stays_one() -> None:
    masked = ADDRESS.mask(["12 Baker Street, London NW1 6XE", "Hauptstraße 5, 10115 Berlin", "5 rue Zoë, Apt 7"])
    assert masked[0].split()[2] == "Street,"
    assert masked[0][0] != "0"
    assert masked[2].split()[1] == "rue"
    assert " Apt " in masked[2]
    assert masked[2].split()[2] == NAMES.text("Zoë,")
    assert not {"Baker", "London", "Berlin"} & {word.strip(",") for text in masked for word in text.split()}


def test_a_company_keeps_its_form_and_shares_its_name_with_its_domain() -> None:
    masked = COMPANY.mask(["Acme GmbH & Co. KG", "ACME Inc."])
    assert masked[0].endswith(" GmbH & Co. KG")
    assert masked[1].endswith(" Inc.")
    name = masked[0].split()[0]
    assert masked[1].split()[0] == name.upper()
    assert EmailMask(NAMES).mask(["info@acme.com"])[0].endswith(f"@{name.lower()}.com")


@given(
    st.lists(
        st.sampled_from(["ab", "ac", "ag", "as", "st", "rd", "no", "co", "12", "05", "7", "Zoë", "éa", "straße"]),
        max_size=4,
    ),
    st.booleans(),
)
def test_words_that_are_kept_are_nobodys_pseudonym(words: list[str], upper: bool) -> None:
    text = " ".join(words).upper() if upper else " ".join(words)
    masked = ADDRESS.mask([text])[0]
    if text.isascii():
        check_shape(text, masked)
    assert len(masked) == len(text)


def test_short_words_are_permuted() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [a + b for a in letters for b in letters]
    for mask in (ADDRESS, COMPANY):
        assert len(set(mask.mask(words))) == len(words)
