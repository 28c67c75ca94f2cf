"""Runs of digits that are excused say nothing: what the slower reading finds in one is never passed over."""

from __future__ import annotations

import base64
import random

import numpy as np
import pytest

from envclone.compiled import available
from envclone.packed import block_of
from envclone.verifier.digitruns import runs_unpacked
from envclone.verifier.otherbytes import said_in

pytestmark = pytest.mark.skipif(not available(), reason="a compiled loop")
FLAG = 1 << 15
NAMES = (
    "Νίκος Παπαδόπουλος",
    "محمد عبد الله",
    "Gödel Quenzelmann",
    "Иван Кузнецов",
    "王小明在北京市",
    "Zoë Müller-Lüdenscheidt",
    "נועם כהן לוי",
)
WAYS = ("latin-1", "cp1252", "utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be", "utf-32", "utf-8")


def _kept(texts: list[str]) -> list[bool]:
    from envclone.verifier import runkernels

    found = np.full(len(texts), FLAG, np.uint16)
    data = np.frombuffer(block_of(texts).block, np.uint8)
    runkernels.excuse(data, found, np.uint16(FLAG), np.empty(len(data), np.uint8))
    return [bool(flags & FLAG) for flags in found.tolist()]


def _says(text: str) -> bool:
    return any(True for raw in runs_unpacked(text) for _ in said_in(raw))


def _written(raw: bytes, chance: random.Random) -> str:
    digits = chance.choice([raw.hex(), raw.hex().upper(), base64.b64encode(raw).decode(),
                            base64.urlsafe_b64encode(raw).decode().rstrip("=")])  # fmt: skip
    return chance.choice(["", "note: ", "ä ", "x="]) + digits + chance.choice(["", " and so on", "==", ", 12"])


def test_what_says_something_is_looked_at() -> None:
    chance = random.Random(5)
    texts = []
    for name in NAMES:
        for way in WAYS:
            raw = name.encode(way, "ignore")
            for _ in range(6):
                noise = [chance.randbytes(chance.randrange(0, 40)) for _ in range(2)]
                texts.append(_written(chance.choice([raw, noise[0] + raw + noise[1], raw + noise[1]]), chance))
    for _ in range(3000):
        texts.append(_written(chance.randbytes(chance.randrange(6, 300)), chance))
        texts.append(
            _written(bytes(chance.choice(b"aZ \xe9\xfc\0\0\0\x04.") for _ in range(chance.randrange(6, 60))), chance)
        )
    saying = [_says(text) for text in texts]
    assert 200 < sum(saying) < len(texts) - 1000
    missed = [text for text, says, kept in zip(texts, saying, _kept(texts), strict=True) if says and not kept]
    assert not missed


def test_noise_is_excused() -> None:
    chance = random.Random(6)
    texts = [chance.randbytes(32).hex() for _ in range(2000)] + ["", "plain text", "0" * 15]
    assert sum(_kept(texts)) < 200


def test_a_text_without_the_flag_is_not_given_it() -> None:
    from envclone.verifier import runkernels

    found = np.array([1, FLAG | 1, 0], np.uint16)
    text = base64.b64encode("Gödel Quenzelmann".encode("latin-1")).decode()
    data = np.frombuffer(block_of([text, "7" * 20, text]).block, np.uint8)
    runkernels.excuse(data, found, np.uint16(FLAG), np.empty(len(data), np.uint8))
    assert found.tolist() == [1, 1, 0]
