"""A UUID's sixteen bytes are found as a value, in either order, and in base64; other bytes say nothing."""

from __future__ import annotations

import base64
import random
from uuid import UUID

import pytest

from envclone.verifier.originals import Originals
from envclone.verifier.rare import rare
from envclone.verifier.sixteen import Sixteen

DRAW = random.Random(5)
KNOWN = [str(UUID(int=DRAW.getrandbits(128), version=4)) for _ in range(500)]


@pytest.fixture(scope="module")
def sixteen() -> Sixteen:
    originals = Originals()
    originals.add("main.t.c", "uuid", [*KNOWN[:-1], KNOWN[-1].upper()])
    originals.add("main.t.d", "person", ["Jane Doe"])
    originals.seal()
    return Sixteen(originals)


@pytest.mark.parametrize("known", [KNOWN[0], KNOWN[250], KNOWN[-1]])
def test_it_is_told(sixteen: Sixteen, known: str) -> None:
    one = UUID(known)
    written = base64.b64encode(one.bytes).decode()
    for value in (one.bytes, one.bytes_le, [b"x", one.bytes], written, f"see /u/{written.rstrip('=')}?a=1",
                  base64.urlsafe_b64encode(one.bytes).decode().rstrip("="), f"a {written}", f"{written}\nand more",
                  f"/u/{base64.urlsafe_b64encode(one.bytes).decode().rstrip('=')}/x"):  # fmt: skip
        assert (1, known) in list(rare([b"a", value], sixteen=sixteen)), value


def test_others_are_not(sixteen: Sixteen) -> None:
    values = [DRAW.randbytes(16) for _ in range(1000)]
    values += [UUID(KNOWN[0]).bytes[:15], UUID(KNOWN[0]).bytes + b"x"]
    assert list(sixteen.those(list(enumerate(values)))) == []
    nobody = Originals()
    nobody.seal()
    assert len(Sixteen(nobody)) == 0
    assert list(Sixteen(nobody).those([(0, UUID(KNOWN[0]).bytes)])) == []
