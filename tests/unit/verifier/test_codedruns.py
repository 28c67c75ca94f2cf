"""Runs of digits in other alphabets than the usual ones: what they say is read, and hashes cost one look."""

from __future__ import annotations

import base64
import random
import time
import uuid

import pytest

from envclone.packed import block_of
from envclone.verifier.codedruns import uuid_of
from envclone.verifier.rare import rare

MAIL = "jane.roe7@corp.example"
KEY = uuid.UUID("826f56a5-a27c-504f-8eb2-4982c5c5595f")
FORMS = {
    "a key in base64 for addresses": (base64.urlsafe_b64encode(KEY.bytes).decode().rstrip("="), str(KEY)),
    "base32 in small letters": (base64.b32encode(f"it is {MAIL}".encode()).decode().lower().rstrip("="), MAIL),
    "base32 behind the digits": (base64.b32hexencode(f"it is {MAIL}".encode()).decode(), MAIL),
    "the same in small letters": (base64.b32hexencode(f"it is {MAIL}".encode()).decode().lower(), MAIL),
}


def _said(text: str) -> str:
    return "|".join(said for number, said in rare(block_of(["x", text, "y"])) if number == 1)


@pytest.mark.parametrize("around", ["{}", "see {} there", "/f/{}?a=b", '{{"k": "{}"}}'])
@pytest.mark.parametrize("how", FORMS)
def test_what_it_says_is_read(how: str, around: str) -> None:
    text, says = FORMS[how]
    assert says in _said(around.format(text))


@pytest.mark.parametrize(
    "text", ["9f86d081884c7d659a2feaa0c55ad015", "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B", "internationalizations"]
)
def test_of_what_says_nothing_nothing_is_made(text: str) -> None:
    assert not _said(text)


def test_sixteen_bytes_that_no_standard_has_are_no_key() -> None:
    assert [*uuid_of(bytes(16))] == [*uuid_of(KEY.bytes[:8])] == []
    assert str(KEY) in [*uuid_of(KEY.bytes_le)]


def test_columns_of_hexadecimal_digits_cost_little_more_than_as_many_words() -> None:
    """What forms a text may have is asked once for all of them: hashes look like several, and are the most there is."""
    drawn = random.Random(1)
    texts = [drawn.randbytes(1024).hex() for _ in range(1000)]
    words = [" ".join(drawn.choices(("kept", "notes", "of", "nobody", "at", "all"), k=380))[:2048] for _ in range(1000)]
    for _ in rare(block_of([*texts[:9], *words[:9]])):
        pass
    took = []
    for some in (words, texts):
        block, began = block_of(some), time.process_time()
        for _ in rare(block):
            pass
        took.append(time.process_time() - began)
    assert took[1] < 8 * took[0]
