"""The compiled look at a batch: what any decoder reads in a text is read, in noise nothing is, and bytes are bytes."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable
from html import escape
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, unquote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.compiled import frozen
from envclone.masking.decoders import views
from envclone.masking.spelled import marks
from envclone.verifier import spelled, unpacking
from envclone.verifier.loose import LooseSearch, Texts, folded
from envclone.verifier.originals import Originals

NAME, MAIL = "Zanna Quimbyha", "zq7@corp.example"
BODY = f"mail {MAIL}, says {NAME} of Münster"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: tuple[str, ...] = (
    f"https://app.example/?to={quote(MAIL, safe='')}&n={quote(NAME)}",
    f"to {MAIL.replace('@', '&#64;')} or {MAIL.replace('@', '&commat;')}",
    f"=?utf-8?Q?{NAME.replace(' ', '=20')}?= and =?utf-8?B?{_b64('Zanna')}?=",
    f"{NAME.replace(' ', '=20')} =\r\nof",
    "Basic " + _b64(MAIL + ":secret"),
    "token-" + base64.urlsafe_b64encode(BODY.encode()).decode().rstrip("="),
    base64.encodebytes(BODY.encode() * 4).decode(),
    base64.b64encode(BODY.encode("utf-16-le")).decode(),
    BODY.encode("utf-16-be").hex(),
    MAIL.encode().hex(),
    "f" + MAIL.encode().hex().upper(),
    ":".join(f"{byte:02x}" for byte in MAIL.encode()),
    ", ".join(f"0x{byte:02x}" for byte in MAIL.encode()),
    base64.b32encode(MAIL.encode()).decode(),
    _b64(_b64(MAIL)),
    _b64(json.dumps({"to": MAIL.replace("@", "\\u0040")})),
    '{"to":"' + MAIL.replace("@", "\\u0040") + '"}',
    json.dumps(json.dumps({"to": MAIL, "é": "ö"})),
    "E'" + MAIL.replace("@", "\\100") + "' or \\x40 or \\U00000040 or \\u{40} or O''Brien",
    f"by {NAME[:5]}\u00ad{NAME[5:]} and {NAME[:5]}\u200b{NAME[5:]}",
    f"by {''.join(chr(ord(c) + 0xFEE0) if c != ' ' else c for c in NAME)}",
    "by " + "".join(chr(ord(c) - 97 + 0x1D41A) if c.islower() else c for c in NAME),
    f"<b>{NAME.replace(' ', '</b> ')} <!-- x --> [url=x]y[/url] **z** `w` ~~v~~",
    "zq7 [at] corp [dot] example",
    "zq7 (at) corp.example",
    "zq7 at corp dot example",
    "zq7 at corp.example",
    "zq7 @ corp.example",
    "zq7{dot}x@ corp.example",
    "> quoted\n> Zanna\n>> Quimbyha",
    "call \u0664\u0661\u0662 or \u2466",
    "Zanna\u0301 \u2010 8\u20115",
    escape(f"<i>{NAME}</i>"),
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_what_a_decoder_reads_is_said(text: str) -> None:
    read = {part for view in views(text) for part in view.text.split("\x00")}
    if re.fullmatch("[0-9a-f]+", text):  # which nobody reads as base64
        read = {(MAIL if "7a7137" in text else BODY)}
    said = spelled.said(["plain", text, "and plain"])
    assert read and said.keys() == {1}
    assert all(any(part in one for one in said[1]) for part in read)


@pytest.mark.parametrize(
    "text", ["", "a plain sentence, as there are (many)", "2f1c9f3e-5a6b-4c7d-8e9f-0a1b2c3d4e5f", "x < y"]
)
def test_a_plain_text_says_nothing_else(text: str) -> None:
    assert spelled.said([text]) == {}


def _search() -> LooseSearch:
    originals = Originals()
    originals.add("main.public.people.email", "email", [MAIL])
    originals.add("main.public.people.name", "person", [NAME])
    originals.add("main.public.people.key", "bytes", ["\\x" + b"Q\x00\xff\x10\x20ABCDEF12".hex()])
    originals.seal()
    return LooseSearch(originals)


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "wide": lambda text: text.decode().encode("utf-16-le"),
    "wide, the other order": lambda text: text.decode().encode("utf-16-be"),
    "base64": base64.b64encode,
    "hexadecimal": lambda text: text.hex().encode(),
    "percent": lambda text: text.replace(b"@", b"%40").replace(b" ", b"%20"),
    "document": lambda text: b'{"to": "' + text.replace(b"@", b"\\u0040").replace(b" ", b"\\u0020") + b'"}',
}


@pytest.mark.parametrize("how", FORMS)
@pytest.mark.parametrize("wanted", [MAIL, NAME])
def test_bytes_are_searched_as_bytes_and_the_texts_in_them_are_decoded(how: str, wanted: str) -> None:
    rng = random.Random(7)
    value = rng.randbytes(5000) + b"\x00" + FORMS[how](wanted.encode()) + b"\x00" + rng.randbytes(5001)
    found = {one.value for one in _search().find([b"\x00" * 40, None, value, rng.randbytes(9000)])}
    assert found == {2}


def test_of_many_readings_those_are_kept_in_which_something_is_found() -> None:
    rng = random.Random(11)
    values = [rng.randbytes(1024).hex() for _ in range(50)]
    values[17] = rng.randbytes(500).hex() + f" {quote(MAIL, safe='')} ".encode().hex() + rng.randbytes(500).hex()
    values[33] = rng.randbytes(300).hex() + f" {NAME.upper()} ".encode().hex() + rng.randbytes(300).hex()
    search = _search()
    assert {one.value for one in search.find(values)} == {17, 33}
    assert Texts(values, decoded=True, seek=search.places).owners == [17, 33]


@settings(deadline=None)
@given(st.text(alphabet="%4aCc3bB9éx", max_size=40))
def test_percent_is_read_as_urls_are(text: str) -> None:
    assert folded(text) == normalize("NFC", unquote(text).lower())


def test_an_original_of_bytes_is_found_in_bytes() -> None:
    assert [one.value for one in _search().find([b"..", b"..Q\x00\xff\x10\x20ABCDEF12.."])] == [1]


def test_elements_of_lists_are_read_too() -> None:
    assert {one.value for one in _search().find([["a", None], ["b", [_b64(MAIL)]], None])} == {1}


def test_noise_says_little() -> None:
    rng = random.Random(5)
    values = [rng.randbytes(1024).hex() for _ in range(200)]
    said = spelled.said(values)
    assert sum(len(texts) for texts in said.values()) < 800
    assert list(_search().find(values)) == []


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 15, 16, 17, 300])
def test_no_loop_reads_or_writes_where_nothing_is(size: int) -> None:
    rng = random.Random(size)
    alphabets: tuple[Any, ...] = (
        b"%=&\\<[({*@' at.dot\n>|~`?x0",
        b"0123456789abcdef",
        b"\xc3\xe2\xf0\x80\x00A",
        range(256),
    )
    for alphabet in alphabets:
        for _ in range(50):
            data = frozen(np.array(rng.choices([*alphabet], k=size), np.uint8))
            starts, ends = np.array([0, size // 2], np.int64), np.array([size // 2, size], np.int64)
            state = np.zeros(2, np.int64)
            marks(data, 2)
            for raw in (False, True):
                rooms, out, cuts = np.zeros((3, size), np.uint8), np.zeros(40, np.uint8), np.zeros((2, 4), np.int64)
                first = 0
                for _ in range(20):
                    after = unpacking.unpack(data, starts, ends, first, raw, rooms, out, cuts, state)
                    assert 0 <= state[0] <= len(out) and 0 <= state[1] <= len(cuts)
                    if after == 2:
                        break
                    if after == first:
                        out, cuts = np.zeros(4 * len(out), np.uint8), np.zeros((4 * len(cuts), 4), np.int64)
                    first = after
                assert after == 2


def test_a_batch_is_searched_as_each_value_of_it() -> None:
    rng = random.Random(2)
    values: list[Any] = [rng.choice((*SPELLINGS, "plain", None, "ÄÖ ü", "a%00b", "nul\x00in")) for _ in range(300)]
    alone = [{one.hit.original for one in _search().find([value])} for value in values]
    together: list[set[int]] = [set() for _ in values]
    for one in _search().find(values):
        together[one.value].add(one.hit.original)
    assert together == alone
    assert folded("A_b%40\tC") == "a b@ c"


@pytest.mark.parametrize(
    ("written", "plain"), [("w%40corp.de", "w@corp.de"), ("J&#246;rg K", "Jörg K"), ("a\\u0040b.de", "a@b.de")]
)
def test_escapes_are_read_in_a_few_bytes_of_noise(written: str, plain: str) -> None:
    noise = b"\x81\x93\xf7\x88" * 8
    value = noise + b"\x00" + written.encode() + b"\x00" + noise
    for form in (value, value.hex()):
        assert any(plain in text for text in spelled.said([form])[0]), form
