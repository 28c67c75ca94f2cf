"""Strings that are looked for lie on the shelf, and UUIDs are spelled there as one by one."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

import pytest

from envclone.shelf import Shelf
from envclone.verifier import loose, search, strings
from envclone.verifier.foldedtexts import FOLD
from envclone.verifier.originals import Originals, spellings
from envclone.verifier.strings import Strings

WEAK = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("together", [1, 3, 1 << 12])
def test_strings_keep_their_order_and_their_numbers(
    together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strings, "_TOGETHER", together)
    monkeypatch.setattr(strings, "_AT_ONCE", 2)
    held, wanted = Strings(Shelf(tmp_path)), [(b"text %d" % i * (1 + i % 3), 7 * i) for i in range(11)]
    assert list(held) == []
    for text, number in wanted:
        held.add(text, number)
    assert len(held) == 11 and list(held) == wanted and held.texts() == [text for text, _ in wanted]
    patterns, numbers = held.patterns(), held.numbers()
    block, ends, which = patterns.joined()
    assert block == b"".join(held.texts()) and which.tolist() == list(range(11)) and len(ends) == 11
    assert numbers.tolist() == [number for _, number in wanted]
    assert list(tmp_path.iterdir()) == []


def _uuids() -> list[str]:
    draw = random.Random(5)
    some = [str(uuid.UUID(int=draw.getrandbits(128))) for _ in range(50)]
    return [*some, *(one.upper() for one in some[:5]), some[7].replace("-", ""), some[8][:-1] + "g", WEAK]


@pytest.mark.parametrize("fold", [None, FOLD])
@pytest.mark.parametrize("kind", ["uuid", "secret", "phone"])
def test_a_uuid_is_found_in_all_its_spellings(
    kind: str, fold: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FEW", 0)
    monkeypatch.setattr(strings, "_AT_ONCE", 16)
    spell = spellings if fold is None else loose._spelled
    originals, values = Originals(Shelf(tmp_path)), _uuids()
    originals.add("main.t.c", kind, values)
    originals.seal()
    searcher = search.ByteSearch(originals, minimum=3, spell=spell, fold=fold)
    assert (searcher.searched, searcher.skipped) == (len(values), 0)
    for number, value in enumerate(values):
        for spelled in spell(value):
            assert number in {hit.original for hit in searcher.find(b"\0" + spelled + b"\0")}, spelled
    alone = {one for value in values for one in spell(value)}
    other = str(uuid.UUID(int=random.Random(9).getrandbits(128)))
    assert not any(one in alone for one in spell(other))
    assert not [*searcher.find(b"\0".join(spell(other)))]


@pytest.mark.parametrize("fold", [None, FOLD])
def test_of_uuids_that_count_anywhere_none_is_made_a_text(
    fold: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FEW", 0)
    originals = Originals(Shelf(tmp_path))
    originals.add("main.t.c", "uuid", _uuids())
    originals.seal()
    one_by_one: list[str] = []

    def spell(value: str) -> list[bytes]:
        one_by_one.append(value)
        return list(spellings(value))

    search.ByteSearch(originals, minimum=3, spell=spell, fold=fold)
    assert one_by_one == [_uuids()[-2], WEAK]


def test_a_uuid_shorter_than_what_is_searched_is_left_out_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where 16 bytes are too few, the other spellings are searched."""
    monkeypatch.setattr(search, "FEW", 0)
    originals = Originals(Shelf(tmp_path))
    originals.add("main.t.c", "uuid", _uuids()[:50])
    originals.seal()
    searcher = search.ByteSearch(originals, minimum=20)
    whole = _uuids()[3]
    assert [hit.original for hit in searcher.find(whole.encode())] == [3]
    assert not list(searcher.find(uuid.UUID(whole).bytes))
