"""Short strings are found where they begin, and searched for beside long ones as an automaton finds them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from envclone.compiled import available
from envclone.verifier import search
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.search import Hit
from envclone.verifier.shortsearch import ShortSearch

ALNUM = np.array([bytes((byte,)).isalnum() for byte in range(256)])
DIGIT = np.array([bytes((byte,)).isdigit() for byte in range(256)])
VALUES = {
    "person": ("Al Li", "René May", "Zoé Doe", "李伟", "李小龙", "Jane Doe", "Jane Doe of Old", "Éric Ott", "Ян Ли"),
    "username": ("jdoe7", "wq12", "éva99", "janedoe12", "x_y-z", "quenzelm"),
    "phone": ("1234567", "+49 123", "(01) 555", "0123456789"),
    "email": ("a@b.de", "ж@b.de", "jane@corp.example"),
    "company": ("Acme", "Ødegård", "Zoë Inc", "日本太", "Françoise & Cie"),
    "national_id": ("AB 12 34", "12-34-56", "%41lice1"),
}  # fmt: skip


@pytest.mark.skipif(not available(), reason="there is one way only")
@pytest.mark.parametrize("fill", [0, 3000])
def test_all_ways_together_find_what_the_automaton_does(monkeypatch: pytest.MonkeyPatch, fill: int) -> None:
    draw = random.Random(8)
    values = {kind: [*its] for kind, its in VALUES.items()}
    values["company"] += [f"Zoë{i}" for i in range(fill)]  # so many that they are found by their windows
    values["company"] += [f"Zoëfrançois{i}" for i in range(fill // 2)]
    every = [value for its in VALUES.values() for value in its] + values["company"][5:50]
    parts = [*every, " ", " ", "x", "é", "7", "@", "-", ".", "_", "s", "李", "ALICE1", "jane", "doe"]
    texts = ["".join(draw.choices(parts, k=draw.randint(1, 9))) for _ in range(4000)]
    texts += [text.upper() for text in texts[:1000]]

    def found() -> list[tuple[int, Hit]]:
        originals = Originals()
        for kind, its in values.items():
            originals.add(f"main.public.people.{kind}", kind, its)
        originals.seal()
        loose = LooseSearch(originals)
        if fill:
            assert (loose._search._windows is not None) == search.available()
        return sorted((one.value, one.hit) for one in loose.find(texts))

    compiled = found()
    monkeypatch.setattr(search, "available", lambda: False)
    assert compiled == found()
    assert len({hit.original for _, hit in compiled}) >= len(every) - 3


@pytest.mark.skipif(not available(), reason="only where loops are compiled")
def test_a_string_is_found_where_no_word_goes_on_before_it() -> None:
    texts = [b"abc", b"abcdefghi", b"abcdefghj", b" ab", b"12a", b"abc"]
    short = ShortSearch(texts, np.arange(6) + 10, ALNUM, DIGIT)
    data = b"abc xabc abcdefghj x12a 112a xabcdefghi ab"
    found = short.find(data).tolist()
    assert found == [
        [10, 0, 3],
        [15, 0, 3],
        [13, 8, 11],
        [10, 9, 12],
        [15, 9, 12],
        [12, 9, 18],
        [14, 20, 23],
        [13, 39, 42],
    ]
    assert not short.find(b"ab").tolist()
    assert len(short.find(b"abc " * 5000)) == 2 * 5000 + 4999
    with pytest.raises(ValueError, match="shorter"):
        ShortSearch([b"abc", b"ab"], np.arange(2), ALNUM, DIGIT)
