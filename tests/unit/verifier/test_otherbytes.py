"""A name in bytes is found in every encoding that programs write, alone, in digits, and among noise."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator

import pytest

from envclone.compiled import available
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.otherbytes import said_in
from envclone.verifier.rare import rare

pytestmark = pytest.mark.skipif(not available(), reason="compiled loops")
NAMES = ("Иван Кузнецов", "Νίκος Παπαδόπουλος", "Gödel Quenzelmann", "王小明在北京市", "נועם כהן לוי", "محمد عبد الله")
WIDE = ("utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be", "utf-32")


@pytest.fixture(scope="module")
def search() -> LooseSearch:
    originals = Originals()
    originals.add("main.t.c", "person", NAMES)
    originals.seal()
    return LooseSearch(originals)


def _forms(raw: bytes) -> Iterator[str | bytes]:
    yield raw
    yield base64.b64encode(raw).decode()
    yield raw.hex()
    yield f"see {base64.urlsafe_b64encode(raw).decode().rstrip('=')} there"


def _is_found(search: LooseSearch, value: str | bytes) -> bool:
    told = [word for _, word in rare([value])]
    return any(True for _ in search.find([value])) or any(True for _ in search.find(told))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoding", WIDE)
def test_it_is_found(search: LooseSearch, name: str, encoding: str) -> None:
    raw = name.encode(encoding)
    for form in _forms(raw):
        assert _is_found(search, form), form
    if encoding.startswith("utf-32") or name != "王小明在北京市":  # ideographs in two bytes are as noise is
        assert _is_found(search, b"\x81\x93\xf7\x88" * 5 + raw + b"\x81\xf3\x88" * 5)


def test_nobody_is_found_in_noise_and_zeros(search: LooseSearch) -> None:
    for value in (bytes(4000), b"\0\1" * 900, bytes(range(256)) * 8, "00" * 300):
        assert not _is_found(search, value)


GERMAN = "Jürgen Müßiggang"
NOISE = random.Random(1).randbytes(64)


def _reads(name: str, value: bytes) -> bool:
    return any(name in told for told in said_in(value))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_letters_of_one_byte(encoding: str) -> None:
    name = GERMAN
    raw = name.encode(encoding)
    for value in (
        raw,
        b"it is " + raw + b", they say",
        NOISE + b"\x00" + raw + b"\x00" + NOISE,
        b"\x84" + raw + b"\x93",
    ):
        assert _reads(name, value)


def test_noise_says_little() -> None:
    noise = random.Random(2).randbytes(1 << 18)
    assert sum(map(len, said_in(noise))) < len(noise) // 10
