"""Texts in which nobody is named, though each of their words could be somebody's, and people who are called so."""

from __future__ import annotations

import hashlib
import random
import re
import uuid
from collections.abc import Sequence

__all__ = ["PEOPLE", "texts"]

_FIRST = """
Grace Will Mark May Rose Bill Hunter Paris London Chase Art Hope Faith Joy June April Summer Dawn Iris Ivy Lily Daisy
Jack Pat Drew Frank Rich Dean Earl Duke Price Carol Penny Ruby Pearl Amber Crystal Angel Harmony Justice Victor Guy Don
""".split()  # noqa: SIM905
_LAST = """
Case Grant Hunter Bond Banks Bush Cook Page Field Stone Wood Brooks Rivers Lake Hill Church Bell Ball Best Black White
Brown Green Long Short Small Young Power Price Rich Sharp Star Strong Sweet Waters
Winter Wise Worth Key Lane Little
Love Major Marsh Mills Moody Noble Parks Pope Post Power Reeves Root Rush Sales Salt Savage Self Steel Street Temple
Test Law """.split()  # noqa: SIM905

PEOPLE: Sequence[tuple[str, str]] = [
    (_FIRST[i % len(_FIRST)], _LAST[(i * 7 + i // len(_FIRST)) % len(_LAST)]) for i in range(160)
]
"""First and last names that are everyday words."""

_WHOLE = re.compile("|".join(f"{first}[ ,._-]*{last}|{last}[ ,._-]*{first}" for first, last in PEOPLE), re.IGNORECASE)
"""Somebody's first and last name side by side: a text with that names somebody."""

_SENTENCES = (
    "By the grace of a late train the order arrived on time",
    "Will you mark this case as closed in May?",
    "The grant will be paid when the bill is due",
    "a rose is a rose, and the price may rise",
    "Mark the box on page 4 before the long winter",
    "The hunter left London for Paris in June",
    "In case of rain the field will stay closed until April",
    "key rotation failed, root cause unknown, see the log",
    "Bill of materials: stone, steel, wood and salt",
    "May contain traces of nuts. Best before winter",
    "the power of love, and other summer hits",
    "Art and church history, black and white prints",
    "Sales rose by a third in the second half, hope is strong",
    "post the parcel to the bank, not to the lake",
    "a young star will chase the best price in the park",
    "dear customer, your bill will be ready by dawn",
    "Grant access to the page, then mark it as major",
    "guy wires of amber steel, crystal clear, rich finish",
    "penny black, ruby red, pearl white: three new colours",
    "The test passed, but the power cook failed to start",
    "Faith, hope and joy are on sale this summer",
    "frank talk about law and justice at the temple",
    "little green men, says the earl of hill street",
    "Will not fix: the case is too small to mark as a bug",
    "the victor will grant the noble lane its old key",
    "Don the sharp suit, bond the brown panel to the field",
)
_WORDS = "grace will mark may case grant rose bill hunter london paris price key power page test hope love".split()  # noqa: SIM905


def _digest(rng: random.Random) -> str:
    return hashlib.sha256(rng.randbytes(8)).hexdigest()


def texts(count: int, seed: int = 7) -> list[str]:
    """So many innocent texts, no two alike."""
    rng = random.Random(seed)
    makers = (
        lambda: f"{rng.choice(_SENTENCES)} ({rng.randint(1, 9999)})",
        lambda: f"{rng.choice(_SENTENCES)}. {rng.choice(_SENTENCES)}.",
        lambda: f"order {rng.randint(10**5, 10**9)}, invoice {rng.randint(2000, 2030)}-{rng.randint(1, 99999):05d}",
        lambda: f"commit {_digest(rng)[:40]} of {rng.choice(_WORDS)}/{rng.choice(_WORDS)}",
        lambda: f"sha256:{_digest(rng)}",
        lambda: f"version {rng.randint(0, 20)}.{rng.randint(0, 99)}.{rng.randint(0, 999)}-{rng.choice(_WORDS)}",
        lambda: f"trace {uuid.UUID(int=rng.getrandbits(128), version=4)}",
        lambda: (
            f"20{rng.randint(10, 30)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:"
            f"{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}Z {rng.choice(_WORDS)}"
        ),
        lambda: f"https://shop.example/{rng.choice(_WORDS)}/{rng.choice(_WORDS)}?page={rng.randint(1, 99)}",
        lambda: f"{rng.choice(_WORDS)}-{rng.choice(_WORDS)}-{rng.randint(1, 10**6)}",
        lambda: f"SKU {rng.choice(_WORDS).upper()}-{rng.randint(10**3, 10**8)}-{rng.choice('ABCDEF')}",
        lambda: f"{rng.choice(_LAST)} {rng.choice(('Road', 'House', 'Street', 'Park'))} no. {rng.randint(1, 400)}",
        lambda: f"the {rng.choice(_FIRST).lower()} of {rng.choice(_LAST).lower()} {rng.randint(1, 999)}",
    )
    found: dict[str, None] = {}
    turn = 0
    while len(found) < count:
        turn += 1
        text = makers[turn % len(makers)]()
        if not _WHOLE.search(text):
            found.setdefault(text)
    return list(found)
