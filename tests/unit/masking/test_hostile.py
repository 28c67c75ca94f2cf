"""Hostile texts and bytes: the work grows with their size, and what is broken ends in a refusal, never in a bug."""

from __future__ import annotations

import base64
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from envclone.compiled import frozen
from envclone.errors import UnsafeError
from envclone.masking import escapes
from envclone.masking.corpus import Corpus
from envclone.masking.decoders import views
from envclone.masking.kernels import spelled as spelled_kernels
from envclone.masking.kernels import texts as text_kernels
from envclone.masking.kernels.judged import Spellings, judge
from envclone.masking.masks import MaskSet
from envclone.stores.postgres.format import varlena
from envclone.stores.postgres.write.inplace import jsonb
from envclone.stores.qdrant.lz4block import salvage
from tests.unit.masking.conftest import KEY
from tests.unit.masking.test_decoders import MAIL, NAME, SPELLINGS

MASKS = MaskSet(KEY, {}, Corpus({"person": (NAME, "Jane Doe"), "phone": ("+49 30 1234107",)}))
UNITS = (
    *"%&<('=\\@`*~[]{",
    *("\u0301", "\u2003", "\u00ad", "\n", "%41", "&#", "&#64;", "=?", "QUFB", "7a:", " 7a", "0x7a, ", "eyJ-", "1:"),
    *("DE12 ", " at ", "<!--", "\\u00", "''", "Jane ", "@a.b", "a\u0301", "1 ", "x1-"),
)


def nested(size: int) -> str:
    text = "it is Jane Doe "
    while len(text) < size:
        text = base64.b64encode(f"x {text}".encode()).decode()
    return text


def work(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Calls, of Python's functions and of others, and the characters that signs of spellings were matched over."""
    count = 0

    def called(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    class Counted:
        def __init__(self, pattern: Any) -> None:
            self._pattern = pattern

        def match(self, *given: Any) -> Any:
            nonlocal count
            found = self._pattern.match(*given)
            count += len(found[0]) if found is not None else 1
            return found

    monkeypatch.setattr(escapes, "_SIGN", Counted(PATTERN))
    sys.setprofile(called)
    try:
        MASKS.text([text])
    finally:
        sys.setprofile(None)
    return count


PATTERN = escapes._SIGN


@pytest.mark.parametrize("unit", UNITS)
def test_the_work_grows_with_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (unit * (size // len(unit)) for size in (1_000, 4_000))
    for text in (few, many):  # what is loaded and remembered at first is not counted
        work(text, monkeypatch)
    assert work(many, monkeypatch) < 6 * work(few, monkeypatch) + 2_000


@pytest.mark.parametrize("unit", [*UNITS, "nested"])
def test_what_is_read_of_a_text_is_not_much_longer_than_it(unit: str) -> None:
    text = nested(60_000) if unit == "nested" else unit * (60_000 // len(unit))
    assert sum(len(view.text) for view in views(text)) <= 12 * len(text)


def test_deep_documents_end_in_a_refusal_or_in_a_text() -> None:
    for text in ("[" * 200_000, '{"a":' * 50_000, "[" * 50_000 + "]" * 50_000):
        mask = MASKS.mask_for("json")
        assert mask is not None
        try:
            mask.mask([text])
        except UnsafeError:
            continue
    for text in ("[" * 50_000 + "]" * 50_000, "{"):
        with pytest.raises(UnsafeError):
            jsonb.encode(text)


def broken(data: bytes, draw: random.Random) -> bytes:
    """The bytes with some changed, cut off, or put twice."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(out) + 1)
        what = draw.randrange(4)
        if what == 0 and out:
            out[at % len(out)] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif what == 1:
            del out[at:]
        elif what == 2:
            out[at:at] = out[at // 2 : at]
        elif len(out) > 4:
            out[at % (len(out) - 3) : at % (len(out) - 3) + 4] = draw.randbytes(4)
    return bytes(out)


TEXT = b"a note of somebody, and again a note of somebody, " * 20
DOCUMENT = '{"a": [1, 2.5, null, true, {"b": "Jane Doe", "c": []}], "d": "' + "x" * 200 + '"}'


def _small(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Streams that announce more than a megabyte ask for memory that a test should not take."""
    return lambda data: read(data) if len(data) >= 4 and int.from_bytes(data[:4], "little") & 0x3FF00000 == 0 else None


READERS: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {
    "pglz": (varlena.shrink(TEXT, 0) or b"", _small(varlena.expand)),
    "lz4": (varlena.shrink(TEXT, 1) or b"", _small(varlena.expand)),
    "blocks of Qdrant": (len(TEXT).to_bytes(4, "little") + (varlena.shrink(TEXT, 1) or b"")[4:], _small(salvage)),
}


@pytest.mark.parametrize("name", READERS)
def test_broken_streams_end_in_a_refusal(name: str) -> None:
    data, read = READERS[name]
    assert read(data)
    draw = random.Random(name)
    refused = 0
    for _ in range(500):
        try:
            read(broken(data, draw))
        except UnsafeError:
            refused += 1
    assert name == "blocks of Qdrant" or refused > 50


def test_broken_texts_are_masked_in_their_length_of_values() -> None:
    draw = random.Random(3)
    spelled = [f"it says {spell(value)} here, {MAIL}" for _, _, value, spell in SPELLINGS]
    for _ in range(150):
        text = broken(draw.choice(spelled).encode(), draw).decode("utf-8", "replace")
        assert MASKS.text([text])[0].count("\x00") == text.count("\x00")


@pytest.mark.parametrize("kind", [np.uint8, np.uint32])
def test_loops_stay_within_their_arrays(kind: Any) -> None:
    draw = np.random.default_rng(5)
    classes, fold = np.zeros(300, np.uint8), np.arange(300, dtype=np.uint32)
    classes[65:123], classes[48:58] = text_kernels.LETTER, text_kernels.DIGIT
    classes[[*range(48, 58), *range(65, 71), *range(97, 103)]] |= text_kernels.HEX
    classes[48:123] |= text_kernels.ALNUM
    words, row = (
        text_kernels.nothing(),
        Spellings(
            frozen(np.array([97, 45, 101], np.uint32)),
            *(np.array(n, np.int32) for n in ([0, 9], [0, 3], [1], [1])),
        ),
    )
    known = [np.array([n], t) for n, t in ((0, np.uint64), (text_kernels.SPELLED | 1, np.uint16), (1, np.int32))]
    letter = frozen(np.array([97], np.uint32))
    text_kernels.hashes(letter, np.zeros(1, np.int64), np.ones(1, np.int64), known[0])
    text_kernels.enter(*known, *words[:4])
    asked = np.full(300, spelled_kernels.SIGN, np.uint8)
    asked[48:123], asked[0], asked[32] = spelled_kernels.DIGIT, spelled_kernels.END, spelled_kernels.SPACE
    for size in (0, 1, 2, 7, 40):
        for _ in range(60):
            codes = draw.choice([0, 10, 32, 45, 46, 48, 57, 58, 64, 65, 97, 101, 122, 223, 255], size).astype(kind)
            if kind is np.uint32 and size and draw.random() < 0.2:
                codes[int(draw.integers(size))] = draw.choice([299, 300, 0x10FFFF, 0xFFFFFFFF])
            codes = frozen(codes)
            found = text_kernels.room_for(size)
            if draw.random() < 0.3:  # too little room is said, not written past
                found = found._replace(told=found.told[:1], places=found.places[:1])
            seen = text_kernels.look(codes, classes, fold, words, found)
            assert seen in (0, 1)
            room = int(draw.integers(4)) if draw.random() < 0.3 else size + 2
            spans, numbers = np.zeros((2 * room, 3), np.int32), np.zeros(room, np.int32)
            assert not seen or judge(codes, classes, fold, fold, words, found, row, spans, numbers) in (0, 1)
            assert spelled_kernels.mark(codes, asked, np.zeros(int(draw.integers(3)), np.uint8)) == 0
