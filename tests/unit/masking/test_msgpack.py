from __future__ import annotations

import base64

import pytest

from envclone.masking.corpus import Corpus
from envclone.masking.forms import in_form
from envclone.masking.masks import MaskSet
from envclone.masking.msgpack import parse
from tests.unit.masking.conftest import KEY

CHECKPOINT = base64.b64decode(
    "iKhtZXNzYWdlc5LHuQWUvWxhbmdjaGFpbl9jb3JlLm1lc3NhZ2VzLmh1bWFurEh1bWFuTWVzc2FnZYanY29udGVudNkwSSBhbSBaYW5uYSBRdW"
    "ltYnloYSwgd3JpdGUgdG8gemFubmFAY29ycC5leGFtcGxlsWFkZGl0aW9uYWxfa3dhcmdzgLFyZXNwb25zZV9tZXRhZGF0YYCkdHlwZaVodW1h"
    "bqRuYW1lwKJpZKNtLTGzbW9kZWxfdmFsaWRhdGVfanNvbsf3BZS6bGFuZ2NoYWluX2NvcmUubWVzc2FnZXMuYWmpQUlNZXNzYWdliadjb250ZW"
    "50tUhlbGxvIFphbm5hIFF1aW1ieWhhIbFhZGRpdGlvbmFsX2t3YXJnc4CxcmVzcG9uc2VfbWV0YWRhdGGApHR5cGWiYWmkbmFtZcCiaWTAqnRv"
    "b2xfY2FsbHORhKRuYW1lpGZpbmSkYXJnc4Ghca5aYW5uYSBRdWltYnloYaJpZKExpHR5cGWpdG9vbF9jYWxssmludmFsaWRfdG9vbF9jYWxsc5"
    "CudXNhZ2VfbWV0YWRhdGHAs21vZGVsX3ZhbGlkYXRlX2pzb26kd2hlbsc7A5SoZGF0ZXRpbWWoZGF0ZXRpbWW5MjAyNi0wNS0wNFQwMzowMjow"
    "MSswMDowMK1mcm9taXNvZm9ybWF0pWNvdW50B6NydW7HLQCTpHV1aWSkVVVJRNkgMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDekbW"
    "FuedwAFK5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5a"
    "YW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdW"
    "ltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5a"
    "YW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYa5aYW5uYSBRdWltYnloYaRub25lwKRoYWxmyz/gAAAAAAAAo3Jhd8"
    "QCAP8="
)
"""What `JsonPlusSerializer().dumps_typed` of langgraph-checkpoint 4.3.2 made of messages, a time, a UUID and others."""
MASKS = MaskSet(KEY, {}, Corpus({"person": ("Zanna Quimbyha",)}))
MASK = in_form(MASKS.mask_for("json"), "json", "bytea")  # type: ignore[arg-type]


def masked(data: bytes) -> bytes:
    return bytes.fromhex(MASK.mask(["\\x" + data.hex()])[0][2:])


def test_a_checkpoint_stays_one_with_other_persons_in_it() -> None:
    name = (MASKS.value("person", "Zanna Quimbyha") or "").encode()
    mail = (MASKS.value("email", "zanna@corp.example") or "").encode()
    told = CHECKPOINT.replace(b"Zanna Quimbyha", name).replace(b"zanna@corp.example", mail)
    assert b"Quimbyha" in CHECKPOINT and told != CHECKPOINT
    assert masked(CHECKPOINT) == told  # classes, members, times and the UUID are as they were


def test_what_is_no_such_document_is_a_document_of_json_or_a_text() -> None:
    name = MASKS.value("person", "Zanna Quimbyha")
    assert masked(b'{"a": "Zanna Quimbyha"}') == f'{{"a": "{name}"}}'.encode()
    assert masked(b"ask Zanna Quimbyha") == f"ask {name}".encode()
    assert masked(b"") == b""


@pytest.mark.parametrize(
    "data", [b"\xc1", b"\x92\x01", b"\xa5ab", b"\xd9", b"\x81\xa1a", b"\x01\x02", b"\x91" * 300 + b"\x01"]
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x93\xc0\xc2\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00",  # nil, false, 1.5
        b"\x92\xc4\x02\x00\xff\xd9\x28" + b"x" * 40,  # bytes, a text of 40
        b"\xdc\x00\x03\xcc\xc8\xd1\xff\x38\xe0",  # a longer list: 200, -200, -32
        b"\xde\x00\x01\xa1k\xcf\x00\x00\x01\x00\x00\x00\x00\x00",  # a longer map
        b"\xc7\x05\x63\x01\x02\x03\x04\x05",  # an extension of another program
        b"\xd4\x05\x07",
    ],
)
def test_what_holds_nobody_stays_byte_by_byte(data: bytes) -> None:
    assert masked(data) == data


def test_a_longer_name_has_a_longer_head() -> None:
    class Longer:
        def mask(self, values: list[str]) -> list[str]:
            return [value * 40 for value in values]

    from envclone.masking.msgpack import MsgpackMask

    mask = MsgpackMask(Longer(), Longer())  # type: ignore[arg-type]
    data = b"\xc7\x08\x02\x93\xa1m\xa1c\x81\xa1k\xa1v"[:3] + b"\x93\xa1m\xa1c\xa1v"
    data = bytes([0xC7, len(data) - 3, 0x02]) + data[3:]
    assert mask.mask(["\\x" + data.hex()]) == [
        "\\x" + (bytes([0xC7, 6 + 41, 0x02]) + b"\x93\xa1m\xa1c" + b"\xd9\x28" + b"v" * 40).hex()
    ]
