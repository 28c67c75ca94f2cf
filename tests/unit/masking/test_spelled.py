"""What the sieve excuses has no other reading: over every decoder's spelling, labelled sentences and made texts."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.masking.decoders import views
from envclone.masking.escapes import _BLANKS, spelled_parts
from envclone.masking.spelled import spelled
from tests.unit.masking.test_decoders import IBAN, MAIL, NAME, OF_MAILS, PHONE, PIECES, SPELLINGS, b64

LABELLED = Path(__file__).parents[2] / "benchmarks" / "ambiguous.yaml"
MORE = st.sampled_from(
    [
        *("at", " at ", " AT ", " dot ", " punkt ", "(at", "[ dot ]", "{ @ }", "< at >", "corp", ".com", "-", "_", "/"),
        *("0x7a", "0x7a, ", "7a:71:", "7a 71 ", "ab", "Zz", "abcdefabcdef", "deadbeef", "\r\n", "\n> ", "=\n", "''"),
        *(b64(NAME)[:9], b64("x" * 60), "unterhaltungselektronik", "Unterhaltungselektronik", "ABCDEFGH234567", "\\"),
        *(
            "\u2013",
            "\u2013 4",
            "\u00a0",
            "\u2003",
            "\u00e4t",
            "\u3000",
            "\U0001d400",
            "Â·",
            "\u0430",
            "]]>",
            "<![CDATA[",
        ),
        *(PHONE, IBAN, "A", "9", " ", "*", "* ", "~", "&", "& ", "% ", "%4", "= ", "=4"),
    ]
)


def missed(text: str) -> bool:
    """Whether the sieve excuses a text that can be read in another way."""
    return not spelled([text])[0] and next(views(text), None) is not None


@pytest.mark.parametrize(
    ("value", "spell"), [(value, spell) for _, _, value, spell in SPELLINGS], ids=[how for _, how, _, _ in SPELLINGS]
)
def test_no_spelling_is_excused(value: str, spell: object) -> None:
    assert callable(spell)
    said = spell(value)
    for text in (said, f"it says {said} here", f"{said}\n", f"\n{said}", f"x{said}", f"({said}).", said + said):
        assert not missed(text)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.one_of(MORE, PIECES), max_size=12).map("".join))
def test_made_texts_that_can_be_read_are_not_excused(text: str) -> None:
    assert not missed(text)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(MORE, PIECES, st.text(max_size=6)), min_size=1, max_size=6))
def test_texts_of_a_batch_are_told_apart(texts: list[str]) -> None:
    assert spelled(texts) == [spelled([text])[0] for text in texts]


@pytest.mark.parametrize("size", range(8, 40))
def test_the_shortest_blocks_are_not_excused(size: int) -> None:
    data = ("Zanna Quimbyha wrote it to Jane Doe again")[:size].encode()
    for block in (
        data.hex(),
        data.hex(":"),
        data.hex(" "),
        base64.b64encode(data).decode().rstrip("="),
        base64.b32encode(data).decode(),
        "".join(f"0x{byte:02x}, " for byte in data),
        f"=?utf-8?B?{base64.b64encode(data).decode()}?=",
    ):
        for text in (block, f"it is {block} here", f"x\n{block}\n", f"({block})"):
            assert not missed(text)


def test_labelled_sentences_are_mostly_excused() -> None:
    sentences = [line.replace("[", "").replace("]", "") for line in yaml.safe_load(LABELLED.read_text())["sentences"]]
    assert not any(map(missed, sentences))
    assert sum(spelled(sentences)) < len(sentences) / 20


def test_a_long_compound_is_no_block() -> None:
    texts = [
        "by Guilbert-Descamps",
        "Friedrich-Wilhelm",
        "src/Customers/Invoices",
        "at 2024-01-15T12:30 in XK-4711-Alpha",
    ]
    assert spelled(texts) == [False] * 4
    assert spelled(["by " + b64("Zanna Quimbyha wrote")]) == [True]


def test_prose_is_excused_and_a_bare_address_too() -> None:
    texts = [
        "Nothing here (really): 50 % of all rows, a\nline, and another-one. a@b",
        "Am Montag \u2013 vielleicht",
        MAIL,
    ]
    assert spelled(texts) == [False] * 3
    assert spelled([OF_MAILS["at"](MAIL), "a\x00b"]) == [True, False]
    assert spelled([]) == []


@pytest.mark.parametrize("blanks", [3, _BLANKS, 3 * _BLANKS])
def test_a_spelling_is_read_behind_however_many_blanks(blanks: int) -> None:
    lines = "a\n" * blanks
    assert [view.text for view in views(f"{lines}Jane%40corp.example")] == [f"{'a ' * blanks}Jane@corp.example"]
    assert list(spelled_parts(f"{lines}Jane%")) == []  # blanks alone say nothing
    assert list(spelled_parts(f"{lines}\u00a0 b")) == []  # nor do wide ones, which are signs
