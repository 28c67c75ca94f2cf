"""The street and the postal code of an address in one value."""

from __future__ import annotations

import pytest

from envclone.masking.corpus import CorpusBuilder
from envclone.masking.streets import places_in, street_of, streets_in
from envclone.packed import pack

ADDRESSES = {
    "Lindenstraße 725, 14375 München": ("Lindenstraße 725", "14375"),
    "14375 München, Lindenstraße 725": ("Lindenstraße 725", "14375"),
    "1600 Pennsylvania Avenue, Washington, DC 20500": ("1600 Pennsylvania Avenue", "20500"),
    "Elm St 9, Apt 4, Springfield": ("Elm St 9", ""),
    "Apt 4, 12 Elm Street, London SW1A 1AA": ("12 Elm Street", "SW1A 1AA"),
    "1010 Wien, Stephansplatz 3": ("Stephansplatz 3", ""),
    "10 Downing Street\nLondon": ("10 Downing Street", ""),
    "Lindenweg 4 80337 Koeln": ("Lindenweg 4", "80337"),
    "Lindenweg 4": ("", ""),
    "Berlin, Germany": ("", ""),
    "Suite 400, Floor 2": ("", ""),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_parts_of_addresses(address: str) -> None:
    assert street_of(address) == ADDRESSES[address]
    assert places_in(address) == [part for part in ADDRESSES[address] if part]


def test_packed_addresses_of_several_parts() -> None:
    values = [one for one in ADDRESSES if one.isascii()]
    found = dict(streets_in(pack([*values, "nothing, at all"])))
    assert all(values[i] == text for i, text in found.items())
    assert all(street_of(one)[0] == "" for i, one in enumerate(values) if i not in found)


def test_a_street_alone_is_masked_in_texts() -> None:
    built = CorpusBuilder()
    built.add("address", [*ADDRESSES])
    packed = CorpusBuilder()
    packed.take("address", pack([*ADDRESSES]))
    for corpus in (built.build(), packed.build()):
        known = set(corpus.each("address"))
        assert {"12 Elm Street", "Lindenstraße 725", "Lindenweg 4"} <= known
