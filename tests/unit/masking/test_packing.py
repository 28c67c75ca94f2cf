"""Blocks of texts are masked as the texts are: the same pseudonyms, None where there is none."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.masking.corpus import Corpus
from envclone.masking.dates import DateMask
from envclone.masking.makers import Makers
from envclone.masking.masks import MaskSet
from envclone.masking.nobody import Nobody
from envclone.masking.packing import BlockMask, masked_block
from envclone.models import FieldKind, FieldRule
from envclone.packed import Pairs, TextBlock, alike, block_of, pairs
from tests.unit.masking.conftest import KEY

NAMES = ("Jane", "Doe", "Quenzel", "O'Brien", "N/A", "unknown", "Test", "José", "山田", "van der Berg", "x", "")
HOSTS = ("corp.example", "corp.co.uk", "test.invalid", "münchen.de", "a.b.c.org", "localhost")
WAYS: dict[str, Callable[[random.Random], str]] = {
    "person": lambda draw: " ".join(draw.choices(NAMES, k=draw.randrange(4))),
    "username": lambda draw: f"@{draw.choice(NAMES)}_{draw.randrange(99)}",
    "company": lambda draw: f"{draw.choice(NAMES)} & Sons {draw.choice(('GmbH', 'Inc', ''))}",
    "address": lambda draw: f"{draw.choice(NAMES)} Street {draw.randrange(300)}",
    "email": lambda draw: draw.choice(("noreply", "jane.doe", "j", "no-email")) + f"@{draw.choice(HOSTS)}",
    "phone": lambda draw: draw.choice(("0000000", "+49 30 1234567", "555-1234 ext. 9", "call Jane", "")),
    "iban": lambda draw: draw.choice(("DE89370400440532013000", "DE00370400440532013000", "n/a")),
    "card": lambda draw: draw.choice(("4111 1111 1111 1111", "0000000000000000", f"{draw.randrange(10**15)}")),
    "mac": lambda draw: draw.choice(("00:00:00:00:00:00", "a0:b1:c2:d3:e4:f5", "none")),
    "uuid": lambda draw: str(uuid.UUID(int=draw.choice((0, 5, draw.getrandbits(128))))),
    "key": lambda draw: f"INV-{draw.randrange(10**6)}",
    "integer": lambda draw: str(draw.randrange(-(10**9), 10**9)),
    "date": lambda draw: f"{draw.randrange(1890, 2030)}-01-{draw.randrange(1, 29):02d}{draw.choice(('', ' 00:00:00'))}",
    "ip": lambda draw: f"10.0.{draw.randrange(255)}.{draw.randrange(255)}",
    "national_id": lambda draw: f"{draw.randrange(1, 899):03d}-12-{draw.randrange(1, 9999):04d}",
    "secret": lambda draw: f"sk-live-{draw.getrandbits(80):020x}",
}


def sparse(draw: random.Random, way: Callable[[random.Random], str], count: int = 400) -> list[str | None]:
    return [None if draw.random() < 0.1 else way(draw) for _ in range(count)]


@pytest.mark.parametrize("kind", sorted(WAYS))
def test_a_block_is_masked_as_its_texts(kind: str) -> None:
    values = sparse(random.Random(kind), WAYS[kind])
    masked = masked_block(Makers(KEY).mask(kind), block_of(values))
    one = Makers(KEY).mask(kind)
    assert isinstance(masked, TextBlock)
    assert masked.texts() == [None if value is None else one.mask([value])[0] for value in values]


@pytest.mark.parametrize("kind", ["person", "email", "phone", "date", "uuid", "company", "address"])
def test_the_commonest_masks_know_blocks(kind: str) -> None:
    assert isinstance(Makers(KEY).mask(kind), BlockMask)


@settings(max_examples=40)
@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)))
def test_any_texts(values: list[str | None]) -> None:
    made = [*values, *(f"Jane{i}" for i in range(40))]
    masked = masked_block(Makers(KEY).mask("person"), block_of(made))
    one = Makers(KEY).mask("person")
    assert masked.texts() == [None if value is None else one.mask([value])[0] for value in made]


def test_a_word_of_the_stack_file_is_spared_with_any_wildcard() -> None:
    nobody = Nobody({"email": ["*@till.internal", "bot-*@corp.com", "*@*.shop.internal"]})
    values = [f"jane{i}@corp.com" for i in range(60)]
    values += ["A@Till.internal", "bot-7@corp.com", "x@eu.shop.internal"]
    mask = Makers(KEY, nobody=nobody).mask("email")
    masked = masked_block(mask, block_of(values)).texts()
    assert masked[-3:] == values[-3:]
    assert not set(masked[:-3]) & set(values)


def test_dates_move_by_their_subjects() -> None:
    draw = random.Random(3)
    values = sparse(draw, WAYS["date"])
    subjects = [None if draw.random() < 0.1 else draw.choice(("7", "subject of more letters", "é")) for _ in values]
    moved = DateMask(KEY).packed_by(Pairs(block_of(values), block_of(subjects)))
    one = DateMask(KEY)
    alone = [None if v is None else one.mask_by([v], [s])[0] for v, s in zip(values, subjects, strict=True)]
    assert moved.texts() == alone
    assert all(a != b for a, b in zip(values, alone, strict=True) if a is not None)


def test_a_field_gives_back_a_block() -> None:
    masks = MaskSet(KEY, {})
    names = FieldRule("t.name", FieldKind.TEXT, "person")
    dates = FieldRule("t.born", FieldKind.TEXT, "date", by="t.id")
    values = block_of(["Jane Doe", None, *(f"Jane{i}" for i in range(50))])
    assert isinstance(masks.field(names)(values), TextBlock)
    born, ids = block_of(["1980-02-03", None] * 40), block_of([str(i) for i in range(80)])
    assert isinstance(masks.field(dates)(pairs(born, ids)), TextBlock)
    assert alike(masks.field(dates)(pairs(born, ids)), masks.field(dates)(list(zip(born, ids, strict=True))))


PERSONS = ("Jane Doe", "Will Smith", "Mark Young", "山田太郎", "José Núñez", "Grace Hopper", "محمد علي", "Test Quimby")
CORPUS = Corpus({"person": PERSONS, "email": ("jane.doe@corp.com",), "phone": ("+49 30 901820", "5551234567")})
PARTS = (
    *("Jane Doe wrote that", "so Will came", "ask Grace Hopper now", "山田太郎さん", "José Núñez said", "محمد علي"),
    *("jane.doe@corp.com", "write to nobody@example.com.", "call +49 30 901820 today", "from 10.1.2.3", "N/A", "Test"),
    *(
        "DE89370400440532013000",
        "card 4111 1111 1111 1111",
        "Dear Mr. Quenzelton,",
        "The import failed again",
        "Quimby",
    ),
    *(
        "SSN 078-05-1120",
        "sk-live-abcdefghij0123456789",
        "&eacute;",
        "%4Aane",
        "in May we will mark it",
        "\u00a0",
        "\n",
    ),
    "0f8fad5b-d9cb-469f-a165-70867728950e",
)


@pytest.mark.parametrize("seed", range(4))
def test_texts_of_a_block(seed: int) -> None:
    draw = random.Random(seed)
    chosen = PARTS if seed else tuple(part for part in PARTS if part.isascii())
    texts = sparse(draw, lambda d: " ".join(d.choices(chosen, k=d.randrange(12))), 800)
    masks, alone = MaskSet(KEY, {}, CORPUS), MaskSet(KEY, {}, CORPUS)
    rule = FieldRule("t.note", FieldKind.TEXT, "text")
    block = masks.field(rule)(block_of(texts))
    assert isinstance(block, TextBlock)
    # one short text goes through Python alone
    assert list(block) == [None if text is None else alone.text([text])[0] for text in texts]
    assert sum(a != b for a, b in zip(block, texts, strict=True)) > 400


def test_pieces_of_other_lengths_are_put_back() -> None:
    masks = MaskSet(KEY, {}, CORPUS)
    texts = [f"{i} from 10.{i}.2.3 and é to 192.168.{i}.77, Jane Doe" for i in range(200)]
    rule = FieldRule("t.note", FieldKind.TEXT, "text")
    assert list(masks.field(rule)(block_of(texts))) == [masks.text([text])[0] for text in texts]
