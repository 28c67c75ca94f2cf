"""The compiled loop finds what Python finds word by word: over made texts, labelled sentences, every spelling."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.masking import numbers, texts
from envclone.masking.corpus import Corpus, CorpusBuilder
from envclone.masking.finder import Finder
from envclone.masking.freetext import FreeText
from envclone.masking.kernels.cues import BEFORE, BEHIND
from envclone.masking.makers import Makers
from envclone.masking.nobody import Nobody
from tests.unit.masking.conftest import KEY
from tests.unit.masking.test_decoders import IBAN, MAIL, NAME, PIECES, SPELLINGS

LABELLED = yaml.safe_load((Path(__file__).parents[2] / "benchmarks" / "ambiguous.yaml").read_text())
UUID = "7d4fa3c1-9f2e-4b77-8c5d-0011aabb2233"
IDENTITIES = {
    "person": [
        *("Jane Doe", "Will Smith", "Mark Young", "Li Wu", "O'Brien, Pat", "José Núñez", "Grace Hopper", "May Brown"),
        *(
            "Test Quimby",
            "Aİda Doe",
            "Ångström Ödön",
            "Søren Ærø",
            "Nikos Pappas",
            "Wolfhard Quenzelmann",
            NAME,
            "Dr. Ann Lee MD",
        ),
        *LABELLED["persons"],
    ],
    "email": ["jdoe82", "root.of.it"],
    "phone": ["5551234567", "12 34 56 78", "+49 30 901820"],
    "username": ["quenz_w", "x--1337"],
    "company": ["Quimby & Sons GmbH", "Acme Holdings"],
    "address": ["Lindenweg 4, 10115 Berlin"],
    "iban": [IBAN],
    "card": ["4111111111111111"],
    "national_id": ["536-22-8741"],
    "uuid": [UUID],
}
FAR = {"person": ["山田太郎", "김철수", "محمد علي", "สมชาย ใจดี", "Li Wu"], "phone": ["12-34"]}


def finder(*given: dict[str, list[str]]) -> Finder:
    builder = CorpusBuilder()
    for identities in given:
        for kind, values in identities.items():
            builder.add(kind, values)
    return Finder(builder.build(), Nobody())


FINDERS = {"names": finder(IDENTITIES), "names in any script": finder(IDENTITIES, FAR), "nobody": finder()}
WORDS = st.sampled_from(
    [
        *(
            "Jane",
            "Doe",
            "doe",
            "jane",
            "JANE",
            "Will",
            "will",
            "Smith",
            "Mark",
            "Grace",
            "May",
            "Brown",
            "Test",
            "Quimby",
        ),
        *(
            "José",
            "Núñez",
            "NÚÑEZ",
            "Jose\u0301",
            "Ångström",
            "Ödön",
            "søren",
            "Ærø",
            "Li",
            "Wu",
            "Pat",
            "O'Brien",
            "İlker",
            "Aİda",
        ),
        *("Quenzelmann", "quenzelmanns", "wquenzelmann", "WolfhardQuenzelmann", "janedoe", "jdoe", "Doe's", "Smiths"),
        *(
            "Dr.",
            "Mr",
            "my name is",
            "Dear",
            "Hello",
            "regards",
            "van",
            "de",
            "the",
            "wrote",
            "is",
            "has",
            "not",
            "and",
        ),
        *(
            "Lindenweg 4, 10115 Berlin",
            "LINDENWEG_4,+10115\u00a0Berlin",
            "SK-ABCDEFGH12345678IJ",
            "ΣΊΣΥΦΟΣ",
            "Acme",
            "Holdings",
            "GmbH",
            "quenz_w",
            "x--1337",
            "Sons",
            "&",
            "root.of.it",
        ),
        *(
            "+1 555 123 4567",
            "(555) 987-6543",
            "555-1234",
            "5551234567",
            "12 34 56 78",
            "030 901820",
            "tel",
            "call",
            "x12",
        ),
        *(
            "4111 1111 1111 1111",
            "536-22-8741",
            "923-45-6789",
            IBAN,
            "DE89 3704 0044 0532 0130 00",
            "GB29NWBK60161331926819",
        ),
        *(
            "93.184.216.34",
            "1.2.3",
            "1.2.3.4.5",
            "2a00:1450:4001:830::200e",
            "10:20:30",
            "dead:beef::1",
            "::1",
            "a:b::c",
        ),
        *("sk-proj-abcdEFGH1234567890xyz", "ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghost", "AKIAABCDEFGHIJKLMNOP"),
        *("eyJhbGciOiJI.eyJzdWIiOiIx.abcdefgh12", "SG.", "npm_", "hf_", UUID, UUID.upper(), UUID.replace("-", "")),
        *(
            "550E8400-E29B-41D4-A716-ADA655440000",
            "2024-01-02",
            "1234567",
            "7",
            "0",
            "AB12",
            "ab12cd34",
            "\u0661\u0662",
        ),
        *(
            "山田太郎さん",
            "김철수는",
            "محمد علي",
            "สมชาย",
            "Σίσυφος",
            "ΟΔΟΣ",
            "\u0130",
            "\ufb01",
            "\U00010400",
            "\u01c5abc",
        ),
    ]
)
BETWEEN = st.sampled_from(
    [" ", " ", " ", "", ", ", ".", ". ", "\n", "-", "_", "'", "’", "@", "/", ":", "(", ")", "\x00", "\u00a0", "  "]
)
TEXTS = st.lists(st.tuples(st.one_of(WORDS, WORDS, WORDS, PIECES), BETWEEN), max_size=25).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)


def agree(text: str) -> None:
    searched = text.encode("utf-8", "replace").decode()
    for one in FINDERS.values():
        look = one.look(searched)
        if look is not None:
            assert one.quick(searched, look) == one.reference(searched)


@settings(max_examples=800, deadline=None)
@given(TEXTS)
def test_both_ways_find_the_same_in_made_texts(text: str) -> None:
    agree(text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_both_ways_find_the_same_in_any_text(text: str) -> None:
    agree(text)


@pytest.mark.parametrize("many", [texts._MANY, 0], ids=["few pairs", "many pairs"])
def test_both_ways_find_the_same_in_names_of_one_person_close_together(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "_MANY", many)
    draw = random.Random(8)
    names = (
        "jane",
        "doe",
        "Jane",
        "Doe",
        "smith",
        "will",
        "Will",
        "may",
        "brown",
        "josé",
        "núñez",
        "li",
        "wu",
        "quimby",
        "test",
    )
    gaps = (" ", "  ", ", ", "-", ". ", ".", "_", "+", "\u00a0", "\n", ",", "'", "’", "", " x ", ";", " - ", "\x00")
    ends = ("", "", "", "s", "es", "en", "a", "owi", "ing")
    found = 0
    for _ in range(2000):
        text = "".join(draw.choice(names) + draw.choice(ends) + draw.choice(gaps) for _ in range(draw.randint(2, 6)))
        agree(text)
        found += bool(FINDERS["names"].reference(text))
    assert found > 500


@pytest.mark.parametrize(
    "text", ["5 - 5 - 5 - 1 - 2 - 3 - 4 - 5 - 6 - 7", "5   5   5   1234567", "dead:beef::1x", "xdead:b::1"]
)
def test_both_ways_find_the_same_in_wide_numbers(text: str) -> None:
    for around in ("{}", "call {} now", "a {}, b {}", "{} \x00{}"):
        agree(around.replace("{}", text))


def test_both_ways_find_the_same_in_user_names() -> None:
    for first, last in (
        name.split() for name in ("jane doe", "will smith", "li wu", "josé núñez", "grace hopper", "may brown")
    ):
        for user in (
            first[0] + last,
            last + first[0],
            first + last,
            last + first,
            first + last + "s",
            f"{first}x{last}",
        ):
            for text in (user, user.upper(), user.title(), f"ask {user}, {user}82 and /home/{user}/"):
                agree(text)


@pytest.mark.parametrize("text", ["Mail of li.wu12@corp", "Mail of 7li_wu, Sir", "To li.wus12@corp, ali.wu12"])
def test_digits_follow_a_name_with_a_short_word(text: str) -> None:
    agree(text)
    found = [text[start:-end].lower() for start, end, kind in FINDERS["names"].reference(text) if kind == "person"]
    assert found == ([] if "wus" in text else ["li.wu"] if "." in text else ["li_wu"])


def test_both_ways_find_the_same_in_labelled_sentences() -> None:
    sentences = [line.replace("[", "").replace("]", "") for line in LABELLED["sentences"]]
    for text in (*sentences, *map(str.lower, sentences), *map(str.upper, sentences), "\x00".join(sentences)):
        assert FINDERS["names"].look(text) is not None
        agree(text)


@pytest.mark.parametrize(("value", "spell"), [(v, s) for _, _, v, s in SPELLINGS], ids=[h for _, h, _, _ in SPELLINGS])
def test_both_ways_find_the_same_in_every_spelling(value: str, spell: object) -> None:
    assert callable(spell)
    agree(f"it says {spell(value)} here, and {MAIL}")
    agree(spell(value))


SIGMAS = st.lists(
    st.sampled_from([*"ΣΣΣσςΑαΟΊ' .’-\u0301\x00x5·ª", "ΣΊΣΥΦΟΣ", "Σίσυφος", "Jane", "\u0130"]), max_size=9
)


@settings(max_examples=1200, deadline=None)
@given(SIGMAS.map("".join))
def test_both_ways_find_the_same_around_a_capital_sigma(text: str) -> None:
    agree(text)
    for around in ("Jane {} Doe", "{}Doe", "ask {}, Doe"):
        agree(around.replace("{}", text))


def test_a_capital_sigma_is_read_in_the_loop() -> None:
    masker = FreeText(Corpus({"person": ["Σίσυφος Παππάς", "Νίκος Σαραντινός"]}), Makers(KEY))
    text = "ΣΊΣΥΦΟΣ ΠΑΠΠΆΣ wrote to Σίσυφος Παππάς, ΝΊΚΟΣ ΣΑΡΑΝΤΙΝΌΣ and Νίκος Σαραντινός; Σ. Παππάς did not."
    look = masker.finder.look(text)
    assert look is not None
    assert sorted(masker.finder.quick(text, look)) == sorted(masker.finder.reference(text))
    assert len([one for one in masker.finder.quick(text, look) if one[2] == "person"]) >= 4


@pytest.mark.parametrize("text", ["ο'Σ and more", "\u0661\u0662\u0663", "a \ud800 b"])
def test_what_only_python_reads_right_is_left_to_it(text: str) -> None:
    assert FINDERS["names"].look(text) is None


def test_long_batches_go_through_the_loop_and_end_the_same() -> None:
    texts = [
        "Jane Doe wrote to Will Smith (555-123-4567), see 93.184.216.34. " * 9,
        "nothing",
        "jane doe " * 40,
        "Σ Doe",
    ] * 9
    masker = FreeText(FINDERS["names"]._corpus, Makers(KEY))
    assert len("".join(texts)) > 4096
    assert masker.mask(texts) == [one for text in texts for one in masker.mask([text])]
    assert "Jane" not in "".join(masker.mask(texts))


PARTS = st.sampled_from(
    [
        *("+49", "+1", "0", "030", "0171", "00", "1", "20", "555", "(555)", "1234", "1234567", "2024", "123456789"),
        *(" ", " ", " ", "-", ".", "/", "(", ")", "+", "_", ",", ":", "x", " ext 5", "#", "@", "%", "\u00a0", "é", "a"),
        *("call ", " office", "tel: ", "  ", "\n", "\x00", "€", "0/", "-55-", "4111 1111 1111 1111"),
    ]
)


@settings(max_examples=1200, deadline=None)
@given(st.lists(PARTS, min_size=3, max_size=14).map("".join))
def test_both_ways_find_the_same_in_digits_of_any_grouping(text: str) -> None:
    agree(text)


NEAR = st.sampled_from(
    [
        *BEFORE,
        *BEHIND,
        *(
            "hotel",
            "called",
            "Fax",
            "TEL",
            "tel_x",
            "tel9",
            "ſms",
            "téléphone",
            "invoice",
            "order no",
            "at",
            "the",
            "offer",
        ),
        *("1234567", "12345678", "12345678901", "5551234567", "15551234567", "0015551234567", "05551234567", "901820"),
        *(
            " ",
            " ",
            " ",
            ", ",
            ": ",
            "-",
            "\n",
            "\x00",
            "x12",
            " x 12",
            "#7",
            "é",
            " (",
            ".",
            "/",
            "@",
            "+",
            "_",
            "\x1c",
        ),
    ]
)


@settings(max_examples=4000, deadline=None)
@given(st.lists(NEAR, min_size=2, max_size=12).map("".join))
def test_both_ways_find_the_same_around_digits_without_a_sign(text: str) -> None:
    agree(text)


def test_the_loop_knows_every_word_that_says_what_a_number_is() -> None:
    for pattern, known in ((numbers._CUE_BEFORE, BEFORE), (numbers._CUE_BEHIND, BEHIND)):
        words = set(re.findall(r"[^\W\d_]{3,}", pattern.pattern.replace("\\b", " ")))
        assert {word for word in words if word.isascii()} == set(known)


@pytest.mark.parametrize(
    "text", ["invoice 1234567 is paid", "see 12345678901, or else", "order 0123456; that", "INV7654321"]
)
def test_digits_that_are_nobodys_number_are_told_without_python(text: str) -> None:
    look = FINDERS["names"].look(f"{text} and nothing more.")
    assert look is not None and look.places.numbers == []
    agree(text)


@pytest.mark.parametrize(
    "number",
    [
        "+49 30 901820",
        "+1 (555) 123-4567",
        "(555) 123-4567",
        "555-123-4567",
        "555-1234",
        "030 1234567",
        "0171 234 56 78",
    ],
)
def test_plain_telephone_numbers_are_told_without_python(number: str) -> None:
    look = FINDERS["nobody"].look(f"Anna can be reached at {number}, or so she says. ")
    assert look is not None and look.places.numbers == []
    assert [text for text in look.spans() if text[2] == "phone"] == [(23, -23 - len(number), "phone")]
