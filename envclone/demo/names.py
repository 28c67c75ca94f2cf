"""Names of several countries, from Faker, and how their bearers write them in an e-mail address."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from envclone.extras import need

__all__ = ["COUNTRIES", "Names", "ascii_letters", "names_of"]

POOL = 160
"""Names drawn from Faker per country, first and last: it needs 60 µs a name, so people combine them."""

COUNTRIES: tuple[tuple[str, int, str, str, int], ...] = (
    ("en_US", 30, "1", "", 10),
    ("en_GB", 14, "44", "77", 10),
    ("de_DE", 14, "49", "151", 11),
    ("fr_FR", 9, "33", "6", 9),
    ("es_ES", 8, "34", "6", 9),
    ("pl_PL", 7, "48", "60", 9),
    ("sv_SE", 6, "46", "70", 9),
    ("cs_CZ", 5, "420", "60", 9),
    ("el_GR", 4, "30", "697", 10),
    ("ja_JP", 3, "81", "90", 10),
)
"""Faker locale, share of the customers (%), calling code, prefix of mobile numbers, their national length."""

GREEK = dict(zip("αβγδεζηικλμνξορστυφςω", "avgdeziiklmnxorstyfso", strict=True))
LATIN = {
    "ł": "l",
    "ß": "ss",
    "ø": "o",
    "æ": "ae",
    "đ": "d",
    "ı": "i",
    "θ": "th",
    "π": "p",
    "χ": "ch",
    "ψ": "ps",
} | GREEK


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one country, each as it is written and in Latin letters."""

    locale: str
    code: str
    prefix: str
    digits: int
    first: tuple[tuple[str, str], ...]
    last: tuple[tuple[str, str], ...]

    def full(self, first: str, last: str) -> str:
        """A whole name, in the country's order."""
        return f"{last} {first}" if self.locale == "ja_JP" else f"{first} {last}"


def ascii_letters(name: str) -> str:
    """A name as people write it in an e-mail address: lower-case Latin letters without marks."""
    plain = unicodedata.normalize("NFKD", name.lower())
    kept = (LATIN.get(letter, letter) for letter in plain if not unicodedata.combining(letter))
    return "".join(letter for letter in "".join(kept) if letter.isascii() and letter.isalnum())


def names_of(seed: int) -> list[Names]:
    """The names of every country, in the order of COUNTRIES; the same for the same seed."""
    need("faker", "demo", "the demo")
    from faker import Faker

    pools = []
    for locale, _, code, prefix, digits in COUNTRIES:
        fake = Faker(locale)
        fake.seed_instance(seed)
        if locale == "ja_JP":  # kanji come with their Latin spelling
            first = ((pair[0], pair[2].lower()) for pair in (fake.first_name_pair() for _ in range(POOL)))
            last = ((pair[0], pair[2].lower()) for pair in (fake.last_name_pair() for _ in range(POOL)))
        else:
            first = ((name, ascii_letters(name)) for name in (fake.first_name() for _ in range(POOL)))
            last = ((name, ascii_letters(name)) for name in (fake.last_name() for _ in range(POOL)))
        pools.append(Names(locale, code, prefix, digits, tuple(dict.fromkeys(first)), tuple(dict.fromkeys(last))))
    return pools
