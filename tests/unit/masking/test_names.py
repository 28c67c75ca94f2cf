"""The dictionary of real names: a known name becomes another one of its like."""

from __future__ import annotations

from unicodedata import name as character_name
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.names import DICTIONARY, dictionary_digest
from envclone.masking.names_build import build
from envclone.masking.tokens import NameTokens
from envclone.masking.words import NAMES_TOO, WORDS_FIRST
from tests.unit.masking.conftest import KEY, OTHER_KEY
from tests.unit.masking.shapes import check_shape

NAMES = NameTokens(KEY)
LINES = [line.split(" ") for line in DICTIONARY.read_text().splitlines()]
ALL = {name for _, *names in LINES for name in names}
NONE = "bcxqzkwv"


def test_the_dictionary_is_what_faker_gives() -> None:
    assert len(ALL) > 50_000
    assert {role for role, *_ in LINES} == {
        role + where for role in ("female", "male", "given", "family") for where in ("", "-english")
    }
    assert len(set(build().split()) ^ set(DICTIONARY.read_text().split())) < 5_000  # whatever its version


def test_every_known_name_becomes_another_one() -> None:
    names = sorted(ALL)
    masked = NAMES.mask(names)
    assert len(set(masked)) == len(names)
    known = sum(name in ALL for name in masked)
    assert known > 0.97 * len(names)
    for old, new in zip(names, masked, strict=True):
        check_shape(old, new)
        assert old != new
        if new in ALL:
            assert (old in NAMES_TOO or old in WORDS_FIRST) == (new in NAMES_TOO or new in WORDS_FIRST)
            assert character_name(old[0]).split()[0] == character_name(new[0]).split()[0]


def test_roles_are_kept() -> None:
    for _, *names in LINES:
        family = set(names)
        assert all(new in family for new in NAMES.mask(names) if new in ALL)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9))
def test_an_unknown_name_never_becomes_a_known_one(token: str) -> None:
    assert (NAMES.text(token) in ALL) == (token in ALL)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_tokens_are_permuted(length: int) -> None:
    import itertools

    tokens = ["".join(letters) for letters in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=length)]
    masked = NAMES.mask(tokens)
    assert sorted(masked) == tokens
    assert not any(a == b for a, b in zip(tokens, masked, strict=True))


def test_the_case_and_the_form_of_a_known_name() -> None:
    jane = NAMES.text("jane")
    assert NAMES.mask(["Jane", "JANE", "jAne"]) == [
        jane.capitalize(),
        jane.upper(),
        jane[0] + jane[1].upper() + jane[2:],
    ]
    zoe = NAMES.text("Zoë")
    assert NAMES.text(normalize("NFD", "Zoë")) == normalize("NFD", zoe)
    assert NAMES.text("ZOË") == zoe.upper()


def test_another_key_gives_other_names() -> None:
    other = NameTokens(OTHER_KEY)
    names = sorted(ALL)[:2000]
    assert sum(a == b for a, b in zip(NAMES.mask(names), other.mask(names), strict=True)) < 100


# --- names written together ----------------------------------------------------------------------------------------


def test_a_user_name_carries_the_pseudonyms_of_its_names() -> None:
    jane, doe, smith = NAMES.mask(["jane", "doe", "smith"])
    assert NAMES.text("janedoe").startswith(jane) or NAMES.text("janedoe").endswith(doe)
    assert NAMES.text("jdoe_82")[1:4] == doe
    assert NAMES.text("jsmith@x")[1:6] == smith
    assert NAMES.text("JDoe") == NAMES.text("jdoe")[0].upper() + doe.capitalize()


def test_compounds_are_permuted() -> None:
    names = sorted(name for name in ALL if name.isascii() and len(name) == 3)
    tokens = [letter + name for letter in "abcdefghijklmnopqrstuvwxyz" for name in names]
    tokens += [name + "lee" for name in names] + [name + "kim" for name in names]
    tokens = sorted(set(tokens))
    masked = NAMES.mask(tokens)
    assert len(set(masked)) == len(tokens)
    assert not any(a == b for a, b in zip(tokens, masked, strict=True))


def test_four_letters_are_permuted_in_a_corner() -> None:
    """Known, compound and unknown tokens side by side: none takes another one's place."""
    import itertools

    tokens = ["".join(letters) for letters in itertools.product("adejnosm", "aeio", "nsdbrq", "aeioyxz")]
    masked = NAMES.mask(tokens)
    assert len(set(masked)) == len(tokens)


def test_the_dictionary_is_part_of_the_rules() -> None:
    assert len(dictionary_digest()) == 16
