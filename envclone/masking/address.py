"""The mask of postal addresses: names and numbers are replaced, the words that make them an address are kept."""

from __future__ import annotations

from envclone.masking.kept import KeptWords
from envclone.masking.memo import Memo
from envclone.masking.tokens import NameTokens

__all__ = ["AddressMask"]

_LISTED = """
street st str strasse straße road rd avenue ave av boulevard blvd lane ln drive dr court ct place pl plaza square sq
terrace ter way highway hwy parkway pkwy circle cir trail trl alley crescent close gardens grove mews walk row
apartment apt suite ste unit floor fl room rm building bldg block flat house no nr box po p o c
rue allee allée quai chemin impasse cours route bis via viale piazza corso vicolo calle carrer paseo avenida plaza
rua travessa largo praça weg platz gasse ufer ring damm straat laan plein gata gatan vägen vej gade ulica ul
north south east west n s e w ne nw se sw upper lower old new
"""
_WORDS = frozenset(_LISTED.split())


class AddressMask:
    """Street, house number, postcode and town in any order; a bijection. House numbers keep their number of digits."""

    def __init__(self, names: NameTokens) -> None:
        kept = KeptWords(names, _WORDS)
        self.mask = Memo(kept.text, batch=lambda: kept.batch)
        self.packed = self.mask.packed
