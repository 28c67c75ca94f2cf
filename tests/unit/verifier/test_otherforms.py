"""Forms of mail and of old programs: what each says is read, and what says nothing is left."""

from __future__ import annotations

import base64
import binascii
import gzip
import quopri
import urllib.parse

import pytest

from envclone.packed import block_of
from envclone.verifier.charsets import encodings_of
from envclone.verifier.originals import Originals
from envclone.verifier.otherforms import in_other_forms
from envclone.verifier.rare import rare

NAMES = {
    "koi8-r": "Иван Кузнецов", "windows-1251": "Иван Кузнецов", "iso-8859-2": "Łukasz Wiśniewski",
    "iso-2022-jp": "山田太郎", "shift_jis": "山田太郎", "iso-2022-kr": "김철수", "euc-kr": "김철수", "gb2312": "王小明",
}  # fmt: skip
_KNOWN = Originals()
_KNOWN.add("main.t.c", "person", list(NAMES.values()))
_KNOWN.seal()
ENCODINGS = encodings_of(_KNOWN)
WOLF = "Wolfhard Quenzelmann"


def _told(text: str) -> str:
    return "|".join(
        "".join(told.split()) for number, told in rare(block_of(["x", text]), encodings=ENCODINGS) if number
    )


@pytest.mark.parametrize("encoding", NAMES)
def test_mail_in_another_encoding(encoding: str) -> None:
    name = NAMES[encoding]
    raw, wanted = name.encode(encoding), "".join(name.split())
    quoted = "".join(f"={byte:02X}" if byte != 32 else "_" for byte in raw)
    forms = [
        f"To: =?{encoding}?B?{base64.b64encode(raw).decode()}?= <x>",
        f"To: =?{encoding}?Q?{quoted}?= <x>",
        quopri.encodestring(b"it is " + raw + b" they say").decode(),
        "q=" + urllib.parse.quote(raw) + "&a=b",
        base64.b64encode(b"it is " + raw + b" here").decode(),
        (b"it is " + raw + b" here").hex(),
    ]
    if raw.isascii():
        forms.append("it is " + raw.decode() + " here")
    for text in forms:
        assert wanted in _told(text), text


def test_an_encoded_word_that_goes_on_in_the_next_one() -> None:
    assert "WolfhardQuenzelmann" in _told("=?us-ascii?Q?Wolfhard_Quen?=\r\n =?us-ascii?Q?zelmann?=")


@pytest.mark.parametrize("name", ["Jürgen Müller", *NAMES.values()])
def test_utf_7(name: str) -> None:
    seven = name.encode("utf-7").decode()
    for text in (f"it is {seven} here", "INBOX." + seven.replace("+", "&").replace("/", ",")):
        assert "".join(name.split()) in _told(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from 0150.020.0143.064!", "104.16.99.52"), ("104.016.099.052", "104.16.99.52"),
        ("0x68.0x10.0x63.0x34", "104.16.99.52"),
        (base64.b85encode(WOLF.encode()).decode(), "WolfhardQuenzelmann"),
        ("see " + base64.a85encode(WOLF.encode(), adobe=True).decode(), "WolfhardQuenzelmann"),
        ("begin 644 x\n" + binascii.b2a_uu(WOLF.encode()).decode() + "`\nend\n", "WolfhardQuenzelmann"),
        ("begin 644 x.gz\n" + binascii.b2a_uu(gzip.compress(WOLF.encode())[:45]).decode()
         + binascii.b2a_uu(gzip.compress(WOLF.encode())[45:]).decode() + "`\nend", "WolfhardQuenzelmann"),
        ("begin-base64 644 x\n" + base64.encodebytes(WOLF.encode()).decode() + "====\n", "WolfhardQuenzelmann"),
    ],
)  # fmt: skip
def test_old_programs(text: str, said: str) -> None:
    assert said in _told(text)


@pytest.mark.parametrize(
    "text",
    [
        "call +49 30 1234567 or +4930123 now", "a&page=2&utm- x", "C++abc- of", "1.2.3.4 and 2024.05.06", "x=84&y=91",
        "let f = (a) => a > 0 ? a : 0; // begin", "begin with 644", "=?utf-8", "50%AB of", "~{", "{{a}} | {{b}}",
        "+AAAA- and +////-", "*** a ***", "0.0.0", "010.5",
    ],
)  # fmt: skip
def test_what_says_nothing_is_left(text: str) -> None:
    assert list(in_other_forms(block_of(["", text]), (), lambda *_: None)) == []
