from __future__ import annotations

import itertools
from unicodedata import is_normalized, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.letters import alphabet, fold
from envclone.masking.tokens import NameTokens
from tests.unit.masking.conftest import KEY, OTHER_KEY
from tests.unit.masking.shapes import check_shape, maskable

LETTERS = (
    "aeiobcdxyzABCXYZ019 .-'_@éèñüßłøÉÑçœÅÿŸıİſµªчйёАЯΣσςάΐאםعأかが"
    "カー山張𠀀한가ㅏ\u0301\u0323\u0302\u030a\u0338\u212b\u2126🙂２٣ष्ǅ"
)
TEXTS = st.text(st.sampled_from(LETTERS) | st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = [
    *("Jane Doe", "José Núñez", "MÜLLER-Lüdenscheidt", "Straße", "O'Brien", "Владимир Сергеевич", "山田太郎", "김철수"),
    *("محمد علي", "יוסף כהן", "Γιώργος", "Nguyễn Văn Ấn", "Łukasz Żółć", "さくら カナ", "प्रिया शर्मा", "สมชาย"),
]


@given(TEXTS)
def test_shape(names: NameTokens, text: str) -> None:
    check_shape(text, names.text(text))


@given(st.text(st.sampled_from("abcxyzABC019 .-'éèñüÉßчйΣςאعかが山한🙂"), max_size=40))
def test_never_identical_when_there_is_a_letter_or_digit(names: NameTokens, text: str) -> None:
    assert (names.text(text) != text) == maskable(text)


@given(TEXTS)
def test_deterministic_and_keyed(names: NameTokens, text: str) -> None:
    assert NameTokens(KEY).text(text) == names.text(text)


def test_another_key_gives_another_pseudonym(names: NameTokens) -> None:
    other = NameTokens(OTHER_KEY)
    assert all(names.text(name) != other.text(name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_many_scripts(names: NameTokens, name: str) -> None:
    check_shape(name, names.text(name))
    for old, new in zip(name, names.text(name), strict=True):
        if old.isalpha():  # the same script, as far as the code points tell
            assert abs(ord(old) - ord(new)) < 0x600 or ord(old) > 0x3000


@pytest.mark.parametrize("name", NAMES)
def test_both_normalization_forms_of_a_name_share_the_pseudonym(names: NameTokens, name: str) -> None:
    composed, decomposed = normalize("NFC", name), normalize("NFD", name)
    assert normalize("NFC", names.text(decomposed)) == names.text(composed)
    assert is_normalized("NFD", names.text(decomposed))
    assert len(names.text(decomposed)) == len(decomposed)


def test_the_surroundings_of_a_token_do_not_matter(names: NameTokens) -> None:
    jane, doe = names.text("jane"), names.text("doe")
    assert names.text("Jane Doe") == f"{jane.title()} {doe.title()}"
    assert names.text("DOE, Jane") == f"{doe.upper()}, {jane.title()}"
    assert names.text("jane.doe@x1") == f"{jane}.{doe}@{names.text('x')}{names.text('1')}"
    assert names.text("jAnE's") == f"{jane[0]}{jane[1].upper()}{jane[2]}{jane[3].upper()}'{names.text('s')}"
    assert names.text("Müller").lower() == names.text("MÜLLER").lower() == names.text("müller")


def test_ascii_pseudonyms_can_be_pronounced(names: NameTokens) -> None:
    for word in ("jonathin", "elizabeeth", "kowalczykk"):
        for old, new in zip(word, names.text(word), strict=True):
            assert (old in "aeiou") == (new in "aeiou")


@given(st.lists(TEXTS, unique=True, max_size=30))
def test_injective_on_samples(names: NameTokens, texts: list[str]) -> None:
    assert len(set(names.mask(texts))) == len(texts)


@pytest.mark.parametrize(
    ("characters", "length"),
    [
        ("aexZ1-", 4),
        ("eé\u0301\u0323\u0302\u0304x\u212bÅA\u030aß1ệḗ\u0338", 3),
        ("가각\u1100\u1161\u11a8\u1113\u1176\u11c3\u0301ㅏ\u1160", 3),
        ("ςσΣİiIı\u0307ﬁǆǅǄK\u212a", 3),
        ("\u0928\u093c\u0929\u0930\u0958\u0915\u09c7\u09be\u09cb\u05e9\u05c1\ufb2a\uf900豈", 3),
    ],
)
def test_injective_on_every_short_text(names: NameTokens, characters: str, length: int) -> None:
    texts = ["".join(t) for n in range(1, length + 1) for t in itertools.product(characters, repeat=n)]
    masked = names.mask(texts)
    assert len(set(masked)) == len(texts)
    for before, after in zip(texts, masked, strict=True):
        assert (before != after) == maskable(before)
        for form in ("NFC", "NFD"):
            assert is_normalized(form, before) == is_normalized(form, after)


def test_bijective_on_all_tokens_of_three_letters(names: NameTokens) -> None:
    texts = {"".join(t) for t in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=3)}
    assert set(names.mask(sorted(texts))) == texts


def test_long_runs_change_everywhere(names: NameTokens) -> None:
    masked = names.text("a" * 100 + "7" * 100)
    assert masked[:32] != "a" * 32
    assert masked[64:96] != "a" * 32
    assert len(masked) == 200


def test_letters_under_marks_that_few_others_can_carry(names: NameTokens) -> None:
    text = "x\u0323" * 32  # most consonants would melt into one character with this mark
    check_shape(text, names.text(text))
    assert names.text(text) != text


def test_alphabets_are_a_partition() -> None:
    for code in [*range(0x41, 0x3100), *range(0xAC00, 0xAC40), 0x4E00, 0x9FA5, *range(0x10400, 0x10450)]:
        letter = chr(code)
        if letter.isalpha():
            folded, _ = fold(letter)
            mine, _ = alphabet(folded)
            assert folded in mine.places
            assert all(alphabet(other)[0].name == mine.name for other in mine.letters[:3])


def test_nothing_to_mask(names: NameTokens) -> None:
    for text in ("", " ", "\t\n", "—", "🙂", "½ Ⅷ", "a\u0000"[1:]):
        assert names.text(text) == text


@given(st.text("aé́ßñ山 9٣²½Ⅷªº_-.Αῼ한\U000e0101", max_size=12))
def test_runs_are_cut_as_characters_are(text: str) -> None:
    composed = normalize("NFC", text)
    tokens = NameTokens(KEY)
    assert tokens._composed(composed) == NameTokens(KEY)._by_character(composed)
    assert tokens._composed(composed) == tokens._by_character(composed)
