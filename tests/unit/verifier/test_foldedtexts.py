"""Texts are folded by loops as they are one by one: every character, every neighbour, every escape."""

from __future__ import annotations

import random
import unicodedata

import pytest

from envclone.compiled import available
from envclone.packed import block_of
from envclone.verifier import foldedtexts
from envclone.verifier.foldedtexts import codes_of, folded, folded_block, packed

PARTS = (
    "Anna", "STRASSE", "Straße", "ẞ", "é", "e\u0301", "É", "E\u0301", "İ", "ΟΔΟΣ", "ς", "Ж", "日本", "한글",
    "\u1112\u1161\u11ab", "\u2126", "\u212b", "Ⱥ", "ﬁ", "\U0001f600", "\U0001f469\u200d\U0001f4bb", "\U00010400",
    "\U0002f800", "\U00020000", "\u0e33", "\u00a0", "–", "%", "%41", "%4", "%00", "%C3%A9", "\\", "\\u", "\\u00e9",
    "\\u12", "\\u0000", " ", "_", "-", ".", "\t", "\r\n", "a" * 40, "",
)  # fmt: skip


def _one_by_one(texts: list[str]) -> list[bytes]:
    return [folded(text).encode("utf-8", "surrogatepass") for text in texts]


def _cut(found: tuple[bytes, object, object]) -> list[bytes]:
    data, starts, ends = found
    return [data[start:end] for start, end in zip(starts, ends, strict=True)]  # type: ignore[call-overload]


def test_blocks_are_folded_as_their_texts_are() -> None:
    draw = random.Random(9)
    for _ in range(400):
        texts = ["".join(draw.choices(PARTS, k=draw.randint(0, 6))) for _ in range(draw.randint(1, 9))]
        wanted = _one_by_one(texts)
        assert _cut(packed(texts)) == wanted
        assert _cut(packed(block_of(texts))) == wanted
        assert _cut(packed(["\ud800", *texts[:1]]))[0] in (b"\xed\xa0\x80", "\ufffd".encode())
        if any(b"\0" in text for text in wanted):
            assert folded_block(block_of(texts).block, len(texts)) is None


@pytest.mark.parametrize("loops", [True, False])
def test_every_character_is_folded_as_it_is_alone(monkeypatch: pytest.MonkeyPatch, loops: bool) -> None:
    if not loops:
        monkeypatch.setattr(foldedtexts, "available", lambda: False)
    characters = [chr(c) for c in range(1, 0x32000) if not 0xD800 <= c < 0xE000]
    for first in range(0, len(characters), 5000):
        some = characters[first : first + 5000]
        assert _cut(packed(some)) == _one_by_one(some)


def test_what_composes_with_its_neighbours_is_left_to_python() -> None:
    """The second of every pair that has one character instead."""
    codes = codes_of()
    seconds = set()
    for code in range(0x30000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and "<" not in parts[0]:
            seconds.add(int(parts[1], 16))
    assert len(seconds) > 50
    assert not [hex(c) for c in seconds if c < 0x10000 and codes[c]]
    assert not [hex(c) for c in seconds if 0x1F000 <= c <= 0x1FAFF or c >= 0x20000]
    assert not codes[0x1161]
    assert not codes[0x11A8]


@pytest.mark.skipif(not available(), reason="without loops there is no table")
def test_most_characters_are_not_left_to_python() -> None:
    codes = codes_of()
    assert all(codes[ord(c)] for c in "éÉßäÖÅøŁž“’–€жЖяαΩ日本語한글ひらカナع")


@pytest.mark.parametrize("block", [b"a\xff", b"\xc3", b"\xe2\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"a\x80"])
def test_what_is_no_utf8_is_refused_as_before(block: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        folded_block(block, 1)
    found = folded_block(block, 1, "replace")
    assert found is not None
    assert found[0] == folded(block.decode("utf-8", "replace")).encode()
