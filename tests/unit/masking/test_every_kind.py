"""What every kind of domain promises, checked for each by the same tests."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.masking.kinds import KINDS, DomainSpec
from envclone.masking.masks import MaskSet
from envclone.masking.nobody import Nobody
from envclone.protocols import Mask
from tests.unit.masking.conftest import KEY, OTHER_KEY
from tests.unit.masking.shapes import maskable

WORDS = st.lists(
    st.sampled_from(
        ["jane", "doe", "Müller", "山田", "太郎", "street", "GmbH", "12", "05", "x1", "Åsa", "é", "İ", "🙂", "שלום"]
    ),
    min_size=1,
    max_size=5,
).map(" ".join)
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).filter(lambda a: int(a) >> 32).map(str).filter(lambda a: "ffff:" not in a)
MACS = st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":"))
DATES = st.dates().map(str) | st.datetimes().map(str) | st.datetimes().map(lambda t: f'["{t}+00",)')
VALUES: Mapping[str, st.SearchStrategy[str]] = {
    "person": WORDS,
    "email": st.emails(),
    "phone": st.from_regex(r"\A\+?[0-9]{3,12}\Z"),
    "address": WORDS,
    "company": WORDS,
    "username": WORDS.map(lambda text: text.replace(" ", "_")),
    "iban": st.from_regex(r"\A[A-Z]{2}[0-9]{2}( [A-Z0-9]{4}){3,6}\Z"),
    "card": st.from_regex(r"\A[0-9]{4}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}\Z") | st.from_regex(r"\A[0-9]{2,19}\Z"),
    "national_id": st.from_regex(r"\A[0-9]{3}-[0-9]{2}-[0-9]{4}\Z") | st.from_regex(r"\A[0-9]{8}[A-Z]\Z"),
    "ip": V4 | V6,
    "mac": MACS,
    "url": st.builds("https://{}.example.com/{}?q={}".format, WORDS.map(lambda w: w.split()[0]), WORDS, WORDS),
    "uuid": st.uuids(allow_nil=False).map(str) | HEX,
    "date": DATES,
    "integer": st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(1, 99999).map(str),
    "key": st.text(string.ascii_letters + string.digits + "-_ é", max_size=40),
    "number": st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: f"{d:f}"),
    "secret": st.sampled_from(["", "sk-", "$2b$12$", "ghp_"]).flatmap(
        lambda head: st.text(string.ascii_letters + string.digits, min_size=1, max_size=60).map(lambda t: head + t)
    )
    | HEX,
    "bytes": st.binary(max_size=100).map(lambda b: "\\x" + b.hex()),
}
NOBODY = {
    "ip": {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "127.0.0.0", "0.0.0.1", "255.255.255.254"},
    "mac": {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"},
    "bytes": {"\\x"},
    "uuid": {"0" * 32, "f" * 32},
}
"""What is told of nobody and may stay."""
KEPT = {"address": {"street", "🙂", "i̇"}, "company": {"gmbh", "🙂", "i̇"}}
"""Words that are not names."""


def mask(kind: str, key: bytes = KEY) -> Mask:
    made = MaskSet(key, {"constant": DomainSpec("constant", value="calm")}).mask_for(kind)
    assert made is not None
    return made


LISTED = Nobody()
MASKS = {kind: mask(kind) for kind in VALUES}
OTHERS = {kind: mask(kind, OTHER_KEY) for kind in VALUES}


def changes(kind: str, value: str) -> bool:
    if value in NOBODY.get(kind, ()) or LISTED.holds(kind, value):
        return False
    if kind in ("integer", "number"):
        return bool(value.strip("-0."))
    words = set(value.lower().split())
    return kind == "bytes" or (maskable(value) and not words <= KEPT.get(kind, set()))


def test_every_kind_with_a_key_is_here() -> None:
    assert set(VALUES) == set(KINDS) - {"text", "json", "setting", "constant", "redact", "null", "keep", "hook", "sql"}


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=60)
@given(data=st.data())
def test_pure_keyed_and_never_identical(kind: str, data: Any) -> None:
    values = data.draw(st.lists(VALUES[kind], min_size=1, max_size=12, unique=True))
    masked = MASKS[kind].mask(values)
    assert mask(kind).mask(values[::-1])[::-1] == masked  # neither the batch nor what came before decides
    for old, new in zip(values, masked, strict=True):
        assert (old != new) == changes(kind, old), (old, new)
        if kind not in ("ip", "date", "number"):
            assert len(old) == len(new)
            assert len(old.encode()) == len(new.encode())
    if KINDS[kind].injective:
        assert len(set(masked)) == len(values)


@pytest.mark.parametrize("kind", VALUES)
def test_another_key_gives_other_pseudonyms(kind: str) -> None:
    import random

    from hypothesis.errors import NonInteractiveExampleWarning

    random.seed(kind)  # which examples there are, too: a date can become the same one under another key
    with pytest.warns(NonInteractiveExampleWarning):
        values = [VALUES[kind].example() for _ in range(20)]
    values = [value for value in values if changes(kind, value) and len(value) > 6]
    random.shuffle(values)
    if kind == "date":
        values = values[:1]
    assert not values or MASKS[kind].mask(values) != OTHERS[kind].mask(values)


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("value", ["", " ", "  \t"])
def test_nothing_stays_nothing(kind: str, value: str) -> None:
    if kind != "bytes":
        assert MASKS[kind].mask([value]) == [value]


@pytest.mark.parametrize("kind", ["person", "email", "address", "company", "username", "key", "national_id", "iban"])
@given(data=st.data())
def test_casing_is_kept_apart(kind: str, data: Any) -> None:
    """What is equal for citext or an index on lower(…) stays equal."""
    value = data.draw(VALUES[kind])
    if value.isascii():
        lower, upper = MASKS[kind].mask([value.lower(), value.upper()])
        assert lower == upper.lower()
