"""A name in bytes of one language's encoding is found where the originals have such letters, and nobody in noise."""

from __future__ import annotations

import random

import pytest

from envclone.compiled import available
from envclone.verifier.charsets import encodings_of, said_in_ebcdic, said_in_encodings
from envclone.verifier.originals import Originals
from envclone.verifier.rare import rare

pytestmark = pytest.mark.skipif(not available(), reason="compiled loops")
NAMES = {
    "Łukasz Wiśniewski": ("iso8859-2", "cp1250", "cp852", "mac_latin2", "iso8859-16"),
    "Gülşen Yıldırım": ("cp1254",),
    "Иван Кузнецов": ("koi8-r", "cp1251", "iso8859-5", "cp866", "mac_cyrillic"),
    "王小明": ("gbk", "gb2312", "gb18030", "big5", "hz"),
    "山田太郎": ("shift_jis", "euc_jp", "iso2022_jp"),
    "Νίκος Παπαδόπουλος": ("iso8859-7", "cp1253"),
    "김철수": ("euc_kr", "cp949"),
    "נועם כהן לוי": ("cp1255", "iso8859-8"),
    "محمد عبد الله": ("cp1256", "iso8859-6"),
    "สมชาย ใจดี": ("tis_620",),
    "Jürgen Müßiggang": ("cp850", "mac_roman"),
}
BOTH = [(name, encoding) for name, some in NAMES.items() for encoding in some]
NOISE = random.Random(3).randbytes(1 << 16)


def _known(*names: str) -> Originals:
    originals = Originals()
    originals.add("main.t.c", "person", names)
    originals.seal()
    return originals


@pytest.mark.parametrize(("name", "encoding"), BOTH)
def test_it_is_read(name: str, encoding: str) -> None:
    encodings, raw = encodings_of(_known(name)), name.encode(encoding)
    forms = (
        raw,
        b"From: someone\r\nit is " + raw + b", they say",
        b"\x01\x0b\x00" + raw + b"\x00\x02",
        bytes(range(32)) * 20 + raw + bytes(range(32)) * 20 if len(name) > 7 else raw,
        [b"x", raw],
    )
    for value in forms:
        assert any(name in told for _, told in rare([value], encodings=encodings)), value


def test_only_what_the_originals_are_written_in_is_tried() -> None:
    assert encodings_of(_known("Jane Doe")) == ()
    assert "koi8_u" not in encodings_of(_known("Jürgen Müßiggang"))
    assert list(said_in_encodings("Иван Кузнецов".encode("koi8-r"), ())) == []


def test_what_is_utf_8_and_what_is_noise_say_little() -> None:
    every = tuple(dict.fromkeys(one for name in NAMES for one in encodings_of(_known(name))))
    assert list(said_in_encodings("Иван Кузнецов, ".encode() * 30, every)) == []
    for encoding in every:
        assert sum(map(len, said_in_encodings(NOISE, (encoding,)))) < len(NOISE) // 5
    assert list(said_in_encodings(bytes(4000), every)) == []


def test_ebcdic_is_read_where_all_of_a_value_is() -> None:
    assert list(said_in_ebcdic("Jane Doe, 536-22-8741".encode("cp500"))) == ["Jane Doe, 536-22-8741"]
    assert list(said_in_ebcdic(b"Jane Doe")) == list(said_in_ebcdic(NOISE)) == list(said_in_ebcdic(b"\xc1")) == []


def test_a_long_value_is_read_piece_by_piece() -> None:
    raw = "Иван Кузнецов".encode("koi8-r")
    encodings = encodings_of(_known("Иван Кузнецов"))
    for before in range((1 << 20) - 40, (1 << 20) + 300, 7):
        value = b"x" * before + b" " + raw + b" " + b"y" * (1 << 20)
        assert any("Иван Кузнецов" in told for told in said_in_encodings(value, encodings)), before
    for shift in range(4):
        text = ("x" * shift + "Кузнецов, " * 200_000).encode()
        assert list(said_in_encodings(text, encodings)) == []
