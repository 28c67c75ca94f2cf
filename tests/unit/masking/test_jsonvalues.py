"""Values by the parser are those that the scanner finds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.jsonscan import Invalid, decode, scan
from envclone.masking.jsonvalues import values

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def scanned(text: str) -> list[tuple[tuple[str, ...], str, str]]:
    return [
        (path, kind, decode(text[start:end]) if kind == "string" else text[start:end])
        for path, kind, start, end in scan(text)
        if kind != "null"
    ]


@given(documents, st.booleans(), st.sampled_from([None, 1]))
def test_they_are_those_of_the_scanner(document: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    assert values(text) == scanned(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": [2.50, -0, 1E+2], "b": {"a": true}}',
        ' [null, {}, [], "\\ud83d\\ude00 \\ud800"] ',
        '"x"',
        "1" * 5000,
        "[" * 3000 + '"deep"' + "]" * 3000,
    ],
)
def test_duplicate_keys_spellings_and_depth_stay(text: str) -> None:
    assert values(text) == scanned(text)


@pytest.mark.parametrize("text", ["", "NaN", "[Infinity]", "[1,]", '{"a" 1}', "[1] 2", "[01]", '"\x01"', "nul", "[-]"])
def test_what_is_no_json_is_refused_as_the_scanner_does(text: str) -> None:
    with pytest.raises(Invalid) as by_parser:
        values(text)
    with pytest.raises(Invalid) as by_scanner:
        scanned(text)
    assert str(by_parser.value) == str(by_scanner.value)
