"""Texts in one block are searched as the same texts in a list are."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from envclone.packed import TextBlock
from envclone.verifier import search
from envclone.verifier.loose import LooseSearch, Texts, text_of
from envclone.verifier.originals import Originals

VALUES: list[str | None] = [
    "Jane_Doe", None, "", "jane%40corp.example &amp; x", "\\u00e9", "\\ud83d\\ude00", "GRÜSSE", "Straße", None,
    "a&eacute;", base64.b64encode(b"Wolfhard Quenzelmann was here, twice").decode(), "e\u0301", "plain words",
]  # fmt: skip


def _block(values: list[str | None]) -> TextBlock:
    block = "\0".join(value or "" for value in values).encode()
    return TextBlock(block, np.array([value is None for value in values], np.bool_))


@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("values", [VALUES, VALUES[:3], ["plain", "ASCII.only"], [None], [""], [None, None], []])
def test_a_block_is_searched_as_a_list(values: list[str | None], decoded: bool) -> None:
    block = _block(values)
    assert list(block) == values
    one, other = Texts(values, decoded=decoded), Texts(block, decoded=decoded)
    assert one.data == other.data
    assert one.owners == other.owners
    assert (one.starts.tolist(), one.ends.tolist()) == (other.starts.tolist(), other.ends.tolist())


def test_a_block_of_other_many_texts_is_none() -> None:
    with pytest.raises(ValueError, match="zero"):
        TextBlock(b"a\0b\0c", np.zeros(2, np.bool_))


@pytest.mark.parametrize("few", [0, search.FEW], ids=["windows", "automaton"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "jane.doe7@corp-x.example"),
        ("email", "Jane_Doe+7@Corp.Example"),
        ("phone", "+49 30 1000-0007"),
        ("phone", "030.1000.0007"),
        ("person", "Wolfhard Quenzelmann-Ritter"),
        ("person", "José_María Núñez"),
        ("iban", "DE89 3704-0044 0532 0130 00"),
        ("mac", "08:00:2b:01:02:03"),
        ("secret", "sk_live-4eC39HqLyj.WDarjtT1zdp7dc"),
        ("uuid", "6F9619FF-8B86-D011-B42D-00CF4FC964FF"),
        ("bytes", "\\x00112233445566"),
    ],
)
def test_millions_are_found_as_a_few_are(monkeypatch: pytest.MonkeyPatch, few: int, kind: str, value: str) -> None:
    monkeypatch.setattr(search, "FEW", few)
    originals = Originals()
    originals.add("main.t.c", kind, [value])
    originals.add("main.t.other", "person", ["Somebody Else"])
    originals.seal()
    loose = LooseSearch(originals)
    for text in (value, value.upper(), value.lower(), value.replace("-", "_"), f"({value})"):
        for one in loose.find([f"it is {text} now"]):
            assert originals[one.hit.original].address == "main.t.c"
            break
        else:
            pytest.fail(f"{text} is not found")


def test_a_block_is_folded_as_its_texts_are() -> None:
    plain = ["".join(chr(i) for i in range(1, 128) if chr(i) not in "%u"), "", "Jane_Doe-Smith", "a\\b"]
    for texts in (plain, [*plain, "\\u004Aane", "J%61ne"]):
        found = Texts(_block([None, *texts]), decoded=False)
        parts = [found.data[a:b] for a, b in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
        assert parts == [b"", *map(text_of, texts)]


@pytest.mark.parametrize(
    ("value", "text", "there"),
    [
        ("Apartment 1", "Apartment 12", False),
        ("Church Street 4", "to Church Street 42, London", False),
        ("12 Church Street", "112 Church Street", False),
        ("Apartment 1", "at Apartment 1, door 2", True),
        ("Church Street 4", "Church Street 4b", True),
        ("Church Street 4", "xChurch Street 4", True),
    ],
)
def test_a_number_that_goes_on_is_another_address(value: str, text: str, there: bool) -> None:
    originals = Originals()
    originals.add("main.public.people.street", "address", [value])
    originals.seal()
    assert bool(list(LooseSearch(originals).find(Texts([text], decoded=True)))) is there
