"""Large values in pieces: what is searched for stands whole in one, and no part of a word is taken for one."""

from __future__ import annotations

import base64
import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.verifier import pieces as room
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals

NAME = "Wolfhard Quenzelmann"
BODY = "public.people.body"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LARGE", 400)
    monkeypatch.setattr(room, "PIECE", 400)
    monkeypatch.setattr(room, "OVERLAP", 120)
    monkeypatch.setattr(room, "_WORD", 30)


def _leaks(before: Any, after: Any) -> int:
    originals, parts = Originals(), Originals()
    originals.add("main.public.orders.name", "person", [NAME])
    parts.seal()
    originals.seal()
    findings = FieldFindings(originals=originals)
    people = cast(
        Any,
        SimpleNamespace(
            subjects=SimpleNamespace(count=0, ambiguous=bool, near=lambda *hits: None),
            of_rows=lambda store, rows, some: [[]] * len(some),
            names=lambda *_: [],
            births=(),
        ),
    )
    compounds = cast(Any, SimpleNamespace(find=lambda _: (), places=lambda _: ()))
    rule = FieldRule(BODY, FieldKind.TEXT, "keep" if after is before else "text")
    looker = Looker(
        "main", StorePlan("main", {BODY: rule}), LooseSearch(originals), LooseSearch(parts), compounds, people, findings
    )
    rows = Rows("public.people", {BODY: ["small", before, None]}, {}, ["ctid (0,1)", "ctid (0,2)", "ctid (0,3)"])
    looker.rows(rows, {} if after is before else {BODY: ["small", after, None]})
    looker.take(looker.found())
    return len(findings.leaks)


@pytest.mark.parametrize("at", range(300, 480, 3))
def test_a_name_across_a_border_is_found(at: int) -> None:
    filler = "lorem ipsum dolor sit amet " * 60
    text = filler[:at] + " " + NAME + " " + filler[at:1500]
    assert _leaks(text, text) == 1
    assert _leaks(filler, filler) == 0


@pytest.mark.parametrize("at", range(280, 420, 7))
def test_a_name_across_a_border_of_bytes_and_of_blocks_is_found(at: int) -> None:
    rng = random.Random(at)
    data = rng.randbytes(at) + NAME.encode() + rng.randbytes(900)
    assert _leaks(data, data) == 1
    text = base64.b64encode(data).decode()
    assert _leaks(text, text) == 1


@pytest.mark.parametrize("at", range(300, 480, 9))
def test_what_the_masks_left_is_found_across_a_border(at: int) -> None:
    filler = "lorem ipsum dolor sit amet " * 60
    text = filler[:at] + " " + NAME + " " + filler[at:1500]
    assert _leaks(text, text[:-1] + ".") == 1
    assert _leaks(text, text + " and more") == 1
    assert _leaks(text, filler[:at] + " " + "Humphrey Montgomerie" + " " + filler[at:1500]) == 0


@settings(deadline=None)
@given(st.text(alphabet="ab .é", min_size=401, max_size=2000), st.data())
def test_every_stretch_stands_whole_in_a_piece_and_words_are_whole(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    stretch = text[start : start + 60]
    parts = [new for _, new in room.pieces(text, text)]
    assert any(stretch in part for part in parts)
    assert all(len(part) <= room.PIECE for part in parts)
    if max(map(len, text.replace(".", " ").split()), default=0) < 30:
        words = set(text.replace(".", " ").split())
        assert all(word in words for part in parts for word in part.replace(".", " ").split())
