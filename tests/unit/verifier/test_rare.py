"""Rare forms of a text: what each says is read, with compiled loops and without, and what says nothing is left."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import random
import time
import zipfile
import zlib
from typing import Any

import lz4.block
import lz4.frame
import pytest

from envclone.compiled import available
from envclone.packed import TextBlock, block_of
from envclone.verifier import rare as module
from envclone.verifier import streams
from envclone.verifier.rare import rare
from tests.support.streams import zstd

NAME = "Wolfhard Quenzelmann"
RAW = NAME.encode()
SAID = f"it is {NAME}, they say".encode()
BLOCK = lz4.block.compress(SAID * 3, store_size=False)


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", SAID)
    return made.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


FORMS = {
    "letters and blanks": " ".join(NAME.replace(" ", "")),
    "letters and dashes": "-".join(NAME),
    "letters and commas": ", ".join(NAME.replace(" ", "")),
    "letters in lines": "\n".join(NAME),
    "bytes": str([*RAW]),
    "bytes of a buffer": '{"type":"Buffer","data":[' + ",".join(map(str, RAW)) + "]}",
    "bytes and blanks": " ".join(map(str, RAW)),
    "a dump": "0000: " + RAW.hex(" ", 2),
    "a dump in lines": "\n".join(b" ".join((RAW, RAW)).hex()[i : i + 32] for i in range(0, 80, 32)),
    "bits": " ".join(f"{byte:08b}" for byte in RAW),
    "literals": f"SELECT '{NAME[:4]}' || '{NAME[4:]}'",
    "literals of a program": f'name = "{NAME[:12]}" + "{NAME[12:]}"',
    "characters": " || ".join(f"chr({ord(c)})" for c in NAME),
    "words in one": "accountOfWolfhardQuenzelmann",
    "an initial": "by W. Quenzelmann today",
    "an initial behind": "QUENZELMANN, W.",
    "two initials": "W.M. Quenzelmann",
    "an initial in a path": "/home/w-quenzelmann/x",
    "gzip in base64": b64(gzip.compress(SAID)),
    "zlib in base64, url-safe": base64.urlsafe_b64encode(zlib.compress(SAID)).decode(),
    "zlib in lines": base64.encodebytes(zlib.compress(SAID + random.Random(1).randbytes(99))).decode(),
    "bzip2 in base64": b64(bz2.compress(SAID)),
    "xz in base64": b64(lzma.compress(SAID)),
    "zip in base64": b64(_zip()),
    "zstd in base64": b64(zstd.compress(SAID * 3)),
    "lz4 in base64": b64(lz4.frame.compress(SAID * 3)),
    "letters and no-break blanks": "\u00a0".join(NAME),
    "letters and thin blanks": "\u2009".join(NAME),
    "Latin-1 in base64": b64(f"für {NAME}, they say".encode("latin-1")),
    "a word over two lines": f"by {NAME[:12]}\n  {NAME[12:]} and others",
    "words parted by a digit": "wolfhard2quenzelmann",
    "words joined by and": "WolfhardandQuenzelmann",
    "words joined by a capital": "WolfhardXQuenzelmann",
}


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalpha())


@pytest.mark.parametrize("how", FORMS)
@pytest.mark.parametrize("kind", ["packed", "list", "array", "not compiled"])
def test_what_a_rare_form_says(how: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values: Any = ["x", f"see {FORMS[how]} here", ""]
    if kind == "packed":
        values = block_of(values)
    elif kind == "array":
        values = [None, ["x", FORMS[how]], 7]
    elif kind == "not compiled":
        monkeypatch.setattr(module, "available", lambda: False)
    told = list(rare(values))
    assert {number for number, _ in told} == {1}
    wanted = "wquenzelmann" if "initial" in how else "wolfhardquenzelmann"
    turned = "quenzelmannw"
    assert any(wanted in _letters(text) or turned in _letters(text) for _, text in told)


@pytest.mark.parametrize(
    "value",
    [gzip.compress(SAID), zlib.compress(SAID), zlib.compress(SAID, 0), bz2.compress(SAID), lzma.compress(SAID), _zip(),
     b"%PDF-1.4\nstream\r\n" + zlib.compress(SAID) + b"\nendstream", zstd.compress(SAID * 3),
     b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd.compress(SAID * 3), lz4.frame.compress(SAID * 3),
     b"\x02\x21\x4c\x18" + len(BLOCK).to_bytes(4, "little") + BLOCK,
     b"mozLz40\0" + len(SAID * 3).to_bytes(4, "little") + BLOCK, lzma.compress(SAID, lzma.FORMAT_ALONE)],
    ids=["gzip", "zlib", "stored", "bzip2", "xz", "zip", "pdf", "zstd", "zstd behind a frame to skip", "lz4", "old lz4",
         "Mozilla's lz4", "lzma"],
)  # fmt: skip
def test_what_is_compressed_is_read(value: bytes) -> None:
    (number, text), *_ = rare([b"x", value, None])
    assert number == 1 and NAME in text


@pytest.mark.parametrize(
    "value",
    [
        f"by {' '.join(NAME)}".encode(),
        zlib.compress(f"SELECT '{NAME[:4]}' || '{NAME[4:]}'".encode()),
        [*" || ".join(f"chr({ord(c)})" for c in NAME).encode()],
        "SET a.b = 'SELECT ''Wolf'' || ''hard Quenzelmann'''",
    ],
    ids=[
        "letters apart in bytes",
        "literals in a compressed file",
        "characters in a list of bytes",
        "quotes in quotes",
    ],
)
def test_a_form_inside_of_another_one(value: Any) -> None:
    assert any("".join(NAME.split()) in "".join(text.split()) for _, text in rare([value]))


def test_lists_of_bytes_and_of_characters() -> None:
    assert list(rare([[*RAW], [1, None, 2], [[ord(char) for char in "Zażółć gęślą"]], [True] * 9, [7] * 3])) == [
        (0, NAME),
        (2, "Zażółć gęślą"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no. 4,929,713,414,400,174 of", "4929713414400174"),
        ("4'929'713'414'400'174", "4929713414400174"),
        ("NTM2LTIyLTg3NDE=", "536-22-8741"),
        ("NTM2MjI4NzQx", "536228741"),
        ("Lindenweg  4,\r\n   10115 Berlin", "Lindenweg 4, 10115 Berlin"),
        ("no. 536|22|8741", "536 22 8741"),
        ("no. 536 - 22 - 8741.", "536 22 8741"),
        ("+49\u00b730\u00b750017634", "+49 30 50017634"),
        ("4929:7134:1440:0174", "4929 7134 1440 0174"),
        ("DE75*3704*0044*1759", "75 3704 0044 1759"),
        ("no. 536-22-\n8741 of", "no. 536-22-8741 of"),
        ("to wolf@\ncorp.example", "to wolf@corp.example"),
        ("to wolf\n.hard@corp.example", "to wolf.hard@corp.example"),
        ("7;Lindenweg 4;10115 Berlin", "7 Lindenweg 4 10115 Berlin"),
        ("| Lindenweg 4 | 10115 Berlin", " Lindenweg 4 10115 Berlin"),
        ("Lindenweg 4 \u2022 10115 Berlin", "Lindenweg 4 10115 Berlin"),
        ('"Lindenweg 4","10115 Berlin"', '"Lindenweg 4 10115 Berlin"'),
        ("mail to x@xn--mller-kva.example", "mail to x@müller.example"),
    ],
)
def test_numbers_and_short_values(text: str, said: str) -> None:
    assert said in [told for _, told in rare(block_of(["", text]))]
    assert said in [told for _, told in rare([text])]


@pytest.mark.parametrize(
    "text",
    [
        "The order of Ms. Quenzelmann arrived on 2024-05-06 at 10:15, for 12.50 EUR. Thanks!",
        "I entirely agree with a different customer; version 1.2.3-rc.4 of x86_64",
        "3f2b8c1e-9d47-4a52-8e61-5b0c7f92d3aa 4929 7134 1440 0174 192.168.1.24",
        '{"a": [1.5, 2.25, 3], "b": {"c": "d"}, "e": null}',
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "J. Williams wrote it",  # a name of the dictionary
        "at 10:15:30, 52,520008 by 13,404954; 0.25 is 1/2", "[0.125, 0.25, 0.5]", "x86_64 of utf8mb4, h264x",
        "see\n\nbelow", "JavaScript of GitHub", "int a | b; // c",
        "a b c", "1, 2, 3", "x + y", "'a' and 'b'", "eJwhatever", "H4sI", "",
    ],
)  # fmt: skip
def test_what_says_nothing_is_left(text: str) -> None:
    assert list(rare([text])) == list(rare(block_of([text]))) == []


def test_an_initial_beside_a_name_of_the_dictionary_counts_among_few() -> None:
    assert [told for _, told in rare(["J. Williams wrote it"], few=True)] == ["JWilliams"]


@pytest.mark.skipif(not available(), reason="loops are not compiled here")
def test_the_sieve_excuses_nothing_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    pieces = [
        *FORMS.values(),
        "W. ",
        "\n",
        "  ",
        "4",
        ", ",
        "abc",
        "=",
        "'",
        "|| ",
        "Qu",
        "é",
        "12",
        "-",
        "xn--a-b ",
        "A",
    ]
    texts = [" ".join(draw.choices(pieces, k=draw.randint(1, 4))) for _ in range(200)]
    texts += ["".join(draw.choices("aZ4 .,-'|+=\n(xn", k=draw.randint(0, 30))) for _ in range(600)]
    swift = list(rare(TextBlock("\0".join(texts).encode(), block_of(texts).absent)))
    monkeypatch.setattr(module, "available", lambda: False)
    slow = list(rare(texts))
    assert {one for one in swift if len(one[1]) > len("WQuenzelmann")} <= set(slow)
    told, swiftly = ({n for n, text in all_ if "wolfhardquenzelmann" in _letters(text)} for all_ in (slow, swift))
    assert told and told == swiftly


def test_what_is_damaged_or_huge_ends() -> None:
    bomb = zlib.compress(b"\0" * (1 << 25))
    told = list(
        rare([bomb, gzip.compress(SAID)[:9], b"PK\x03\x04" + b"\xff" * 40, b"BZh9" + b"\0" * 9, b"\x1f\x8b\x08" * 9])
    )
    assert all(len(text) <= 1 << 24 for _, text in told)
    assert list(rare(["eJw" + "A" * 4000, "H4sI" + "x" * 99, "chr(99999999)" * 9, "[" + "9" * 5000 + "]"])) == []


def _shut(*values: Any) -> list[tuple[int, str]]:
    shut: list[tuple[int, str]] = []
    list(rare(values, shut=shut))
    list(rare(block_of([one if isinstance(one, str) else "" for one in values]), shut=shut))
    return shut


def test_what_nothing_can_decompress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zstd.compress(SAID)
    assert _shut(packed, b64(packed), packed[:3]) == []
    monkeypatch.setattr(streams, "_zstd", lambda: None)
    assert {number for number, what in _shut("x", packed, b64(packed)) if "backports-zstd" in what} == {1, 2}


def test_the_name_of_an_address_says_the_address() -> None:
    ip6 = ".".join(reversed("20010db8000000000000000000000077")) + ".ip6.arpa"
    text = f"PTR 52.99.16.104.in-addr.arpa and {ip6}."
    for values in ([text], block_of([text])):
        assert {"104.16.99.52", "2001:db8::77"} <= {told for _, told in rare(values)}
    assert list(rare(["99.16.104.in-addr.arpa", "see .arpa"])) == []


def test_a_compressed_file_in_a_compressed_file_is_read() -> None:
    assert any("Quenzelmann" in told for _, told in rare([gzip.compress(bz2.compress(b"Wolfhard Quenzelmann" * 2))]))


def _encrypted_zip() -> bytes:
    made = bytearray(_zip())
    made[6] |= 1
    made[made.index(b"PK\x01\x02") + 8] |= 1
    return bytes(made)


CLOSED = {
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\x04" + b"\x11" * 40,
    "a RAR archive": b"Rar!\x1a\x07\x01\0" + b"\x11" * 40,
    "a Parquet file": b"PAR1\x15\x04" + b"\x11" * 40 + b"PAR1",
    "an ORC file": b"ORC" + b"\x11" * 40 + b"ORC\x17",
    "an Arrow file": b"ARROW1\0\0" + b"\x11" * 40,
    "a compressed Avro file": b"Obj\x01\x04\x14avro.codec\x0csnappy\x16avro.schema" + b"\x11" * 40,
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + b"\x11" * 40,
    "a dump of PostgreSQL": b"PGDMP\x01\x0e\0" + b"\x11" * 40,
    "a stream of Snappy": b"\xff\x06\0\0sNaPpY" + b"\x11" * 40,
    "an encrypted ZIP archive": _encrypted_zip(),
    "an encrypted PDF": b"%PDF-1.7\ntrailer <</Encrypt 5 0 R>>" + b"\x11" * 40,
    "a PDF whose texts are numbers of glyphs": b"%PDF-1.7\n<</Encoding /Identity-H>>" + b"\x11" * 40,
    "an encrypted document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
    "a stream of gzip that cannot be read": b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\xff" * 40,
    "a compressed stream of more than 16 MB": gzip.compress(b"\0" * ((1 << 24) + 9)),
    "a ZIP archive that cannot be read": b"PK\x03\x04" + b"\xff" * 40,
    "a chain of compressed streams": (gzip.compress(b"a") + zstd.compress(b"b")) * 40,
}


@pytest.mark.parametrize("name", CLOSED)
def test_what_cannot_be_looked_into_is_told(name: str) -> None:
    value = CLOSED[name]
    assert _shut("x", value) == [(1, name)]
    assert _shut("x", [value]) == [(1, name)]
    assert _shut(b"a head" + value) == [(0, name)] or name not in ("a 7z archive", "a RAR archive")
    if value[:2] not in (b"\xff\x06", b"OR"):
        assert (1, name) in _shut("x", f"data:;base64,{b64(value)}")


def test_avro_and_pdf_that_are_plain_are_no_closed_files() -> None:
    plain = b"Obj\x01\x04\x14avro.codec\x08null\x16avro.schema" + SAID
    assert _shut(plain, b"%PDF-1.4\n1 0 obj", b"ORCHID", b"PAR", b"7z") == []


def test_nothing_of_a_packed_file_is_left_out() -> None:
    other = b"nobody is here " * 40
    inflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bare = inflate.compress(SAID * 3) + inflate.flush()
    damaged = bytearray(gzip.compress(SAID * 99))
    damaged[-8] ^= 0xFF
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a", other)
        made.writestr("b", SAID)
    first = bytearray(archive.getvalue())
    first[first.index(other[:0]) + 14] ^= 0xFF  # the sum of the first member
    kerned = b"%PDF-1.4\nstream\n\x78junk\nendstream\nstream\n" + zlib.compress(b"[(Wolfhard Quen)-20(zelmann)]TJ")
    values = {
        "second member of gzip": gzip.compress(other) + gzip.compress(SAID),
        "second stream of bzip2": bz2.compress(other) + bz2.compress(SAID),
        "second stream of xz": lzma.compress(other) + lzma.compress(SAID),
        "another stream behind": zstd.compress(other) + b"\x50\x2a\x4d\x18\x02\0\0\0ab" + zstd.compress(SAID * 2),
        "a wrong sum": bytes(damaged),
        "a length before zlib": len(SAID).to_bytes(4, "little") + zlib.compress(SAID * 3),
        "a head before gzip": b"\x00\x01head" + gzip.compress(SAID),
        "bare deflate": bare,
        "bare deflate, flushed": zlib_flushed(SAID * 3),
        "lz4 behind a size": lz4.block.compress(SAID * 3),
        "a member behind a bad one": bytes(first),
        "a PDF's stream behind a bad one": kerned,
        "gzip in hexadecimal": gzip.compress(SAID).hex(),
        "gzip as bytea prints it": "\\x" + gzip.compress(SAID).hex(),
        "a PDF in base64": b64(b"%PDF-1.4\nstream\n" + zlib.compress(SAID)),
    }
    for how, value in values.items():
        for form in (value, [value]) if isinstance(value, bytes) else (value, block_of([value])):
            told = rare(form if not isinstance(form, (str, bytes, list)) else [form])
            assert any(NAME in text for _, text in told), how


def zlib_flushed(data: bytes) -> bytes:
    one = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (one.compress(data) + one.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_noise_is_no_packed_file() -> None:
    draw = random.Random(3)
    noise = [draw.randbytes(draw.randint(1, 300)) for _ in range(20_000)]
    heads = (b"\x1f\x8b\x08", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08\0\0\0\0\0\0\x03")
    noise += [b"\x1f\x8b\x08" + b"\xff" * 40, *(b"\xf7" * 9 + head + draw.randbytes(99) for head in heads)]
    shut: list[tuple[int, str]] = []
    assert sum(len(text) for _, text in rare(noise, shut=shut)) < 20_000 and shut == []


@pytest.mark.parametrize("run", ["ab" * 20 + "g", "ab" * 18 + " " + "cd" * 20 + "z", "ab " * 18 + "cdz"])
def test_a_run_of_digits_before_a_letter_is_parted_once(run: str) -> None:
    begun = time.process_time()
    list(rare([f"4a61 6e65 2044 6f65 2c20 and v1={run}"]))
    assert time.process_time() - begun < 2, "each way of parting it was tried"
    assert "Jane Doe, " in [said for _, said in rare(["4a61 6e65 2044 6f65 2c20"])]
