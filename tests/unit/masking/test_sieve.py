"""A sieve lets nothing through that is in the list, and hardly anything else."""

from __future__ import annotations

import random

import pytest

from envclone.masking.masks import MaskSet
from envclone.masking.nobody import KINDS_OF_NOBODY, Nobody

MORE = {"email": ["*@till.internal"], "person": ["Walk-in  Customer"], "phone": ["+49 123 456"]}
NOBODY = Nobody(MORE)
SPELLED = (
    *("000-000-0000", "(999) 9", "0", "noreply@x.org", "walk-in customer", "a@till.internal", "123456", "49/123-456"),
    *("00000000-0000-0000-0000-000000000001", "{11111111-1111-1111-1111-111111111111}", "1970-01-01 00:00:00+00"),
    "urn:uuid:00000000-0000-4000-8000-0000000000ab",
)


@pytest.mark.parametrize("kind", sorted(KINDS_OF_NOBODY))
def test_nothing_of_the_list_is_held_back(kind: str) -> None:
    draw = random.Random(kind)
    words = [*sorted(NOBODY._words[kind]), *SPELLED]
    values = [f"Jane Doe{i}" for i in range(4000)]
    for _ in range(2000):
        word = draw.choice(words)
        word = word.upper() if draw.random() < 0.3 else word
        word = f" {word}" + draw.choice("\t \x1f\v\u00a0") if draw.random() < 0.3 else word
        values.append(word.replace(" ", "  ").replace("*", "foo") if draw.random() < 0.3 else word)
    draw.shuffle(values)
    held = {i for i, value in enumerate(values) if NOBODY.holds(kind, value)}
    assert bool(held) == bool(NOBODY._words[kind])
    suspects = set(NOBODY.suspects(kind, values))
    assert held <= suspects
    assert len(suspects) < len(values)


@pytest.mark.parametrize("kind", ["person", "email", "uuid"])
def test_somebody_is_held_back(kind: str) -> None:
    values = [f"Jane Doe{i}" for i in range(1000)]
    assert len(NOBODY.suspects(kind, values)) == 0
    assert len(NOBODY.suspects(kind, [*values, "N/A", "noreply@x.org", "0" * 32])) <= 16


@pytest.mark.parametrize("kind", ["person", "email", "phone", "uuid"])
def test_batches_spare_what_values_alone_do(kind: str) -> None:
    people = [f"{name}{i}" for i in range(200) for name in ("Jane", "jane@x.org", "+49 30 12345")]
    values = [
        *people,
        "N/A",
        "unknown",
        "noreply@corp.com",
        "000-0000",
        "00000000-0000-0000-0000-000000000001",
        "Jane0",
    ]
    masks = MaskSet(bytes(32), {})
    mask = masks.mask_for(kind)
    assert mask is not None
    assert mask.mask(values) == [mask.mask([value])[0] for value in values]
    assert mask.mask(values * 3) == mask.mask(values) * 3
