"""The dictionary of real names: a known name becomes another one of its like."""

from __future__ import annotations

from hashlib import blake2b
from math import prod
from unicodedata import name as character_name
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.letters import alphabet, is_mark
from envclone.masking.name_classes import FEWEST_REAL, SMALLEST, shape
from envclone.masking.names import BUILT, DICTIONARY, classes, dictionary_digest
from envclone.masking.names_build import build, built
from envclone.masking.tokens import NameTokens
from envclone.masking.words import NAMES_TOO, WORDS_FIRST
from tests.unit.masking.conftest import KEY, OTHER_KEY
from tests.unit.masking.shapes import check_shape

NAMES = NameTokens(KEY)
LINES = [line.split(" ") for line in DICTIONARY.read_text().splitlines()]
REAL = {role: names for role, *names in LINES if not role.startswith(BUILT)}
ALL = {name for names in REAL.values() for name in names}
"""Every real name."""
KNOWN = {name for names in classes() for name in names}
"""Those that become each other, and the built ones that make up small classes."""
NONE = "bcxqzkwv"


def test_the_dictionary_is_what_faker_gives() -> None:
    assert len(ALL) > 50_000
    assert set(REAL) == {role + where for role in ("female", "male", "given", "family") for where in ("", "-english")}
    now = {line.split(" ")[0]: line.split(" ")[1:] for line in build().splitlines()}
    made = {name for role, names in now.items() if not role.startswith(BUILT) for name in names}
    assert len(made ^ ALL) < 5_000  # whatever its version


def test_built_names_follow_from_the_real_ones() -> None:
    assert {role: names for role, *names in LINES if role.startswith(BUILT)} == built(REAL)


def test_no_class_is_so_small_that_a_pseudonym_tells_its_name() -> None:
    for names in classes():
        assert len(names) == len(set(names)) >= SMALLEST == 64
        assert sum(name in ALL for name in names) >= FEWEST_REAL
        assert len({shape(name)[1] for name in names}) == 1


def test_a_name_that_too_few_are_like_has_many_pseudonyms() -> None:
    """It is masked letter by letter; only one letter, or letters that few others can stand for, leave fewer than 64."""
    few = set()
    for name in ALL - KNOWN:
        marks = [normalize("NFC", part) for part in _clusters(name)]
        choices = [alphabet(part[0], part[1:], wide=len(marks) <= 2) for part in marks]
        count = prod(len(letters.letters) for letters, odd in choices if not odd)
        if count < SMALLEST:
            few.add(name)
    assert all(len(_clusters(name)) == 1 for name in few - {"iða"}), few


def _clusters(name: str) -> list[str]:
    out: list[str] = []
    for char in name:
        if is_mark(char):
            out[-1] += char
        else:
            out.append(char)
    return out


def test_under_many_keys_a_name_of_the_smallest_classes_has_many_pseudonyms() -> None:
    small = sorted(classes(), key=len)[:12]
    masks = [NameTokens(blake2b(bytes([i]), digest_size=32).digest()) for i in range(40)]
    for names in small:
        assert len({mask.text(names[0]) for mask in masks}) > 20


def test_every_known_name_becomes_another_one() -> None:
    names = sorted(ALL)
    masked = NAMES.mask(names)
    assert len(set(masked)) == len(names)
    assert sum(name in ALL for name in masked) > 0.85 * len(names)
    for old, new in zip(names, masked, strict=True):
        check_shape(old, new)
        assert old != new
        stays_known = (old in KNOWN) == (new in KNOWN)
        assert stays_known
        if new in ALL and new in KNOWN:
            assert (old in NAMES_TOO or old in WORDS_FIRST) == (new in NAMES_TOO or new in WORDS_FIRST)
            assert character_name(old[0]).split()[0] == character_name(new[0]).split()[0]


def test_roles_are_kept() -> None:
    """But for shapes that few names have: Jane stays a woman's name, and a family name one."""
    given = {name for role, names in REAL.items() if not role.startswith("family") for name in names}
    masked = dict(zip(ALL, NAMES.mask(list(ALL)), strict=True))
    real = {old: new for old, new in masked.items() if new in ALL}
    kept = sum((old in given) == (new in given) for old, new in real.items())
    assert kept > 0.92 * len(real)
    for name in ("jane", "robert", "smith", "kowalski"):
        (its,) = (names for names in REAL.values() if name in names)
        assert masked[name] in its


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9))
def test_an_unknown_name_never_becomes_a_known_one(token: str) -> None:
    assert (NAMES.text(token) in KNOWN) == (token in KNOWN)


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
