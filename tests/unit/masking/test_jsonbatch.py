"""Documents masked as a block are what they are one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.compiled import available
from envclone.errors import UnsafeError
from envclone.masking.jsonbatch import leaves_of, masked_documents
from envclone.masking.jsontext import JsonMasker
from envclone.masking.jsonvalues import values
from envclone.masking.masks import MaskSet
from envclone.models import JsonRule
from envclone.packed import TextBlock, block_of

pytestmark = pytest.mark.skipif(not available(), reason="loops are not compiled here")

RULES = {
    "$.name.**": "person",
    "$.list.**": "email",
    "$.n": "redact",
    "$.gone.**": "null",
    "$.**": "redact",
    "$.k": "keep",
}
KEYS = st.sampled_from(["name", "list", "n", "gone", "k", "odd key", 'q"', "ö", "a\\b"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.text(max_size=8),
    st.just("Jane Doe"),
    st.just("a@b.co.uk"),
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)


def masker(rules: Mapping[str, str] = RULES) -> JsonMasker:
    masks = MaskSet(b"k" * 32, {})
    return JsonMasker([JsonRule(path, domain) for path, domain in rules.items()], masks.mask_for, "t.c")


def packed(texts: list[str], rules: Mapping[str, str] = RULES) -> TextBlock | None:
    one = masker(rules)
    return masked_documents(block_of(texts), one._of_leaf, ("", ""), one._mask_block)


@given(st.lists(DOCUMENTS, min_size=1, max_size=6), st.booleans(), st.sampled_from([None, 1]))
def test_the_same_as_one_by_one(documents: list[Any], escaped: bool, indent: int | None) -> None:
    texts = [json.dumps(one, ensure_ascii=escaped, indent=indent) for one in documents]
    made = packed(texts)
    expected = masker()._one_by_one(texts)
    if made is None:  # a zero in a value is for Python alone
        assert any("\\u0000" in text for text in texts)
    else:
        assert made.texts() == expected
    assert masker().mask(texts * 40) == expected * 40


def test_most_documents_are_masked_as_a_block() -> None:
    texts = [
        f'{{"name": "Jane Doe{i}", "list": ["a{i}@b.com", "x\\"y"], "n": -{i}.5e3, "k": [{{}}, []]}}' for i in range(99)
    ]
    made = packed(texts)
    assert made is not None
    assert made.texts() == masker()._one_by_one(texts)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[1,]",
            '{"a"}',
            '{"a":1,}',
            "[01]",
            "[1.]",
            "[.5]",
            "[1e]",
            "[+1]",
            "tru",
            "nul",
            "falsy",
            '"a',
            "1 2",
        ),
        *('["\\x"]', '["\\u12g4"]', '["\\u12', '["\t"]', "{1:2}", "[1}", '{"a":1]', "[" * 100 + "]" * 100, "-", '"\\'),
    ],
)
def test_what_is_no_document_is_left(text: str) -> None:
    assert packed([text, "{}"]) is None
    assert packed(["{}", text]) is None


def test_an_error_is_the_same() -> None:
    texts = ['{"name": "Jane"}'] * 50
    for wrong in ('{"name": ', '{"other": "x"}', '{"name": 17}'):
        with pytest.raises(UnsafeError) as alone:
            masker({"$.name": "person"})._one_by_one([wrong])
        with pytest.raises(UnsafeError) as together:
            masker({"$.name": "person"}).mask([*texts, wrong])
        assert alone.value.message == together.value.message


@given(st.lists(st.none() | DOCUMENTS, min_size=1, max_size=6), st.booleans())
def test_leaves_are_those_of_each_document(documents: list[Any], escaped: bool) -> None:
    texts = [None if one is None else json.dumps(one, ensure_ascii=escaped) for one in documents]
    made = leaves_of(block_of(texts))
    expected = [
        (path, kind, value, place)
        for place, text in enumerate(texts)
        for path, kind, value in (values(text) if text is not None else ())
    ]
    if made is not None:
        together = [
            (path, kind, value, place)
            for path, kind, its, whose in made
            for value, place in zip(its, whose, strict=True)
        ]
        assert sorted(together) == sorted(expected)
    many = list(masker({"$.**": "keep"}).found([*texts, *["[]"] * 40]))
    assert sorted((value, place) for _, its, whose in many for value, place in zip(its, whose, strict=True)) == sorted(
        (value, place) for _, kind, value, place in expected if kind != "bool"
    )


def test_a_leaf_without_a_rule_is_refused_in_many_documents_too() -> None:
    for others in (0, 50):
        with pytest.raises(UnsafeError, match="no rule covers"):
            list(masker({"$.name": "person"}).found([*['{"name": "Jane"}'] * others, '{"other": true}']))


def test_a_document_that_is_absent_stays_so() -> None:
    made = masker().packed(block_of(['{"name": "Jane"}', None] * 40))
    assert made.absent.tolist() == [False, True] * 40
    assert made.texts() == [*masker()._one_by_one(['{"name": "Jane"}']), None] * 40


def test_documents_of_very_many_keys_are_left() -> None:
    text = json.dumps({f"key{i}": "x" for i in range(5000)})
    assert packed([text]) is None
    assert masker().mask([text] * 40) == masker()._one_by_one([text]) * 40
