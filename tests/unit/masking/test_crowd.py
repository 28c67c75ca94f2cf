"""Identities of a whole column give what they give one by one: in the corpus, and among what is nobody's."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking import crowd
from envclone.masking.corpus import CorpusBuilder
from envclone.masking.nobody import Nobody, nobodys
from envclone.masking.patterns import is_email
from envclone.packed import pack

NOBODY = Nobody({"person": ["Test Person"], "email": ["x@*"]})
SAID = [
    *("N/A", " unknown ", "none", "Deleted User", "test  person", "jane@corp.example", "x@corp.example", "noreply@a.b"),
    *("0000000", "(999) 999-9999", "+49 (30) 901820-5", "0049 30 901820", "1-555-123-4567", "12 34", "555 1234 x12"),
    *("+1 555 123 4567", "8 912 345 67 89", "00", "+", "++49 30 1234567", "Jane Doe", "José", "ΜΑΡΙΑ", "O'Neil", "\t"),
    *(
        "a.@b.c",
        "a'@b.example",
        "a@b",
        "a@-b.c",
        "a@b..c",
        "a@b.c.",
        "a_b@c_d.e",
        "a@b@c.d",
        "@b.c",
        "x" * 300,
        " " * 300,
    ),
    *("00000000-0000-0000-0000-000000000001", "\x00Jane\x00Doe", "a\x1cb", "", "   ", "\ud800odd"),
]
ALPHABET = "aJ@.-+ 0189(')x#,_é\x00\n\u00a0"


def texts() -> st.SearchStrategy[list[str | None]]:
    one = st.one_of(st.none(), st.sampled_from(SAID), st.text(ALPHABET, max_size=16))
    return st.lists(one, max_size=60)


@given(texts(), st.sampled_from(["person", "email", "phone", "address", "username", "card", "national_id", "uuid"]))
def test_a_packed_column_gives_the_same_corpus(values: list[str | None], kind: str) -> None:
    one, many = CorpusBuilder(NOBODY), CorpusBuilder(NOBODY)
    one.add(kind, [value for value in values if value is not None])
    many.take(kind, pack(values))
    assert many.build().values(kind) == one.build().values(kind)


@given(texts(), st.sampled_from(["person", "email", "phone", "uuid", "date", "url", "key", "number"]))
def test_who_is_nobody_is_told_of_packed_values(values: list[str | None], kind: str) -> None:
    there = [value for value in values if value is not None]
    packed = pack(values)
    places = NOBODY.among(kind, packed)
    rest = nobodys(NOBODY, kind, there)
    assert Counter(packed.text(place) for place in places) == Counter(value for value in there if value in rest)
    left = [value for value in there if value not in rest]
    assert [text for text in packed.without(places).texts() if text is not None] == left


@pytest.mark.parametrize("value", SAID)
def test_what_looks_like_an_address(value: str) -> None:
    left = [text for text in crowd.other_addresses(crowd.trimmed(pack([value]))).texts() if text is not None]
    stripped = value.strip()
    plain = value.isascii() and stripped
    assert left == ([stripped] if plain and not is_email(stripped) else [])


def test_values_are_packed_and_back() -> None:
    values = ["Jane", None, "", "é", "a\x00b", "\ud800"]
    packed = pack(values)
    assert packed.texts() == values
    assert packed.plain.tolist() == [True, False, True, False, True, False]
    assert packed.without([0]).texts() == [None, *values[1:]]
    assert packed.block[0] == packed.block[-1] == 0
    assert np.array_equal(packed.starts < 0, [value is None for value in values])
