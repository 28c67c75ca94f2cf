"""Pseudonyms that are functions of the whole person."""

from __future__ import annotations

import itertools
from collections import Counter
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.corpus import Corpus
from envclone.masking.kinds import DomainSpec
from envclone.masking.masks import MaskSet
from envclone.masking.tokens import NameTokens
from envclone.masking.whole import WholeNames, person_of
from envclone.masking.words import TITLES
from envclone.protocols import Mask
from tests.unit.masking.conftest import KEY, OTHER_KEY
from tests.unit.masking.shapes import check_shape

WHOLE = WholeNames(NameTokens(KEY))
PEOPLE = ["Christopher Miller", "Christopher Walker", "Jane Q. Doe", "José Núñez", "山田太郎", "Zanna Quimbyton"]
SETS = MaskSet(KEY, {"person": DomainSpec("person", consistency="person")}, Corpus({"person": PEOPLE}))


def _mask(kind: str) -> Mask:
    found = SETS.mask_for(kind)
    assert found is not None
    return found


def test_one_name_has_as_many_pseudonyms_as_persons_have_it() -> None:
    families = ["Miller", "Walker", "Smith", "Jones", "Garcia", "Kowalski", "Nguyen", "Okafor", "Brown", "Zorbly"]
    masked = [value.split(" ") for value in WHOLE.mask([f"Christopher {family}" for family in families])]
    assert len({given for given, _ in masked}) >= 8
    givens = ["Jane", "Mary", "Robert", "John", "Anna", "Xqyz", "Peter", "Laura"]
    assert len({value.split(" ")[1] for value in WHOLE.mask([f"{given} Miller" for given in givens])}) >= 7


@pytest.mark.parametrize(
    "name", [*PEOPLE, "O'Brien, Mary-Jane", "Владимир Сергеевич", "Γιώργος Α.", "김철수", "yūki さくら"]
)
def test_shape(name: str) -> None:
    check_shape(name, WHOLE.text(name))
    assert WHOLE.text(name) != name
    assert WHOLE.text(name) == WholeNames(NameTokens(KEY)).text(name)
    assert WHOLE.text(name) != WholeNames(NameTokens(OTHER_KEY)).text(name)
    composed, decomposed = normalize("NFC", name), normalize("NFD", name)
    assert normalize("NFC", WHOLE.text(decomposed)) == WHOLE.text(composed)


@given(st.lists(st.text("abexyzABC .-'éñжи", max_size=8), unique=True, max_size=20))
def test_injective_on_samples(values: list[str]) -> None:
    assert len(set(WHOLE.mask(values))) == len(values)


def test_bijective_on_every_pair_of_short_names() -> None:
    """Names of one class and of several, known and unknown, in both orders."""
    tokens = ["bo", "al", "ed", "xq", "qx", "lee", "kim", "ann", "zzq", "y"]
    values = [f"{a} {b}" for a, b in itertools.product(tokens, repeat=2)]
    assert len(set(WHOLE.mask(values))) == len(values)
    everything = ["".join(pair) for pair in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=2)]
    masked = WHOLE.mask(everything)
    assert sorted(masked) == everything
    assert {old for old, new in zip(everything, masked, strict=True) if old == new} == TITLES & set(everything)


def test_order_casing_and_titles_do_not_matter() -> None:
    given_name, family = WHOLE.text("Christopher Miller").split(" ")
    assert WHOLE.text("MILLER, Christopher") == f"{family.upper()}, {given_name}"
    assert WHOLE.text("Dr. christopher miller") == f"Dr. {given_name.lower()} {family.lower()}"
    assert person_of("Dr. MILLER, Christopher") == ("christopher", "miller")


def test_addresses_and_user_names_carry_the_persons_pseudonym() -> None:
    given_name, family = WHOLE.text("Christopher Miller").lower().split(" ")
    local, host = _mask("email").mask(["christopher.miller@corp.com"])[0].split("@")
    assert local == f"{given_name}.{family}"
    assert host.endswith(".com")
    shown = _mask("email").mask(["Christopher Miller <christopher.miller@corp.com>"])[0]
    assert shown == f"{given_name.title()} {family.title()} <{local}@{host}>"
    assert _mask("username").mask(["miller_christopher"])[0] == f"{family}_{given_name}"


def test_texts_name_the_same_persons() -> None:
    masked = _mask("person").mask(PEOPLE)
    whole = SETS.text([f"Seen: {name}, on Monday." for name in PEOPLE])
    assert whole == [f"Seen: {name}, on Monday." for name in masked]
    assert SETS.text(["Miller, Christopher and Walker, Christopher"])[0].split(" and ") == _mask("person").mask(
        ["Miller, Christopher", "Walker, Christopher"]
    )


def test_a_single_name_is_of_the_person_whom_its_text_names() -> None:
    given_name, family = WHOLE.text("Christopher Miller").split(" ")
    assert SETS.text(["Christopher Miller called. Christopher said so, Mr. Miller did."]) == [
        f"{given_name} {family} called. {given_name} said so, Mr. {family} did."
    ]
    alone = WHOLE.text("Christopher")
    assert SETS.text(["Then Christopher called"]) == [f"Then {alone} called"]
    two = SETS.text(["Christopher Miller, Christopher Walker and Christopher"])[0]
    assert two.endswith(f" and {alone}")
    apart = SETS.text(["Christopher Miller called", "Then Christopher called"])
    assert apart[1] == f"Then {alone} called"  # each text for itself, also in one batch


def test_frequencies_of_single_names_are_gone() -> None:
    families = [f"{a}{b}lo{c}" for a in "bcdfg" for b in "aeio" for c in "mnprst"]
    pseudonyms = Counter(value.split(" ")[0] for value in WHOLE.mask([f"Christopher {family}" for family in families]))
    assert pseudonyms.most_common(1)[0][1] < len(families) // 8
