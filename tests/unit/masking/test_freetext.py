from __future__ import annotations

from collections.abc import Iterator
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking.corpus import Corpus, CorpusBuilder
from envclone.masking.freetext import FreeText, Span
from envclone.masking.makers import Makers
from envclone.masking.masks import MaskSet
from tests.unit.masking.conftest import KEY

CORPUS = Corpus(
    {
        "person": (
            *("Jane Doe", "Will Smith", "Mark Young", "Li Wu", "O'Brien, Pat", "山田太郎", "김철수", "José Núñez"),
            *("Grace Hopper", "May Brown", "محمد علي", "Anna Ann", "Rene Klein"),
        ),
        "email": ("jane.doe@corp.com", "jdoe82"),
        "phone": ("5551234567", "12 34 56 78", "+49 30 901820"),
    }
)
MASKS = MaskSet(KEY, {}, CORPUS)


def masked(text: str) -> str:
    after = MASKS.text([text])[0]
    if "." not in text and ":" not in text:  # IP addresses are as long as they are
        assert len(after) == len(text)
        assert len(after.encode("utf-8", "surrogatepass")) == len(text.encode("utf-8", "surrogatepass"))
    return after


def as_column(domain: str, value: str) -> str:
    pseudonym = MASKS.value(domain, value)
    assert pseudonym is not None
    return pseudonym


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("{} wrote", "Jane Doe"),
        ("by {}: hello", "DOE, Jane"),
        ("{}'s order", "Jane"),
        ("{}’s order", "Jane"),
        ("we saw {}.", "JANE"),
        ("chat with {} today", "jane doe"),
        ("/users/{}/x", "jane.doe"),
        ("<b>{}</b>", "Jane"),
        ("I met {} yesterday", "Will"),
        ("so {} came", "will smith"),
        ("{} came", "Will Smith"),
        ("{}!", "Mark Young"),
        ("we know {} well", "Grace"),
        ("ask {} now", "li wu"),
        ("nobody told {} about it", "jane"),  # a text without capitals
        ("ask {}, now", "Wu, Li"),
        ("ask {} now", "Pat O'Brien"),
        ("from {}さん", "山田太郎"),
        ("{}는 있다", "김철수"),
        ("hola {}.", "José"),
        ("hola {}.", normalize("NFD", "José")),
        ("NOTE: {}", "NÚÑEZ"),
        ("{} مرحبا", "محمد علي"),
        ("{} and", "Anna"),
        ("so {} and", "Ann"),
    ],
)
def test_known_persons_get_the_pseudonym_of_the_column(text: str, identity: str) -> None:
    assert masked(text.format(identity)) == text.format(as_column("person", identity))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Will my account stay active?",
            "First. Will it?",
            "Mark it as read",
            "Young people",
            "In May we may",
            "WILL NOT",
            "YOU WILL NOT",
        ),
        *(
            "A doe and a jane",
            "Annapolis, Planning",
            "Jose without accent",
            "brown, may be",
        ),
        *("", " ", "nothing", "GRACE PERIOD", '"Mark" it', "- Grace period\n- Will follow"),
    ],
)
def test_words_that_are_no_persons_here(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "kind", "identity"),
    [
        ("mail {}.", "email", "jane.doe@corp.com"),
        ("mail <{}>", "email", "Unknown.Person+tag@Some-Host.co.uk"),
        ("mailto:{}?subject=x", "email", "ünï@exämple.org"),
        ("user {} logged in", "email", "jdoe82"),
        ("call {}!", "phone", "+1 555 123 4567"),
        ("call {}.", "phone", "(555) 987-6543"),
        ("call {},", "phone", "555-987-6543 x12"),
        ("call {} now", "phone", "555.987.6543"),
        ("call {} now", "phone", "020 7946 0958"),
        ("call {} now", "phone", "0044 20 7946 0958"),
        ("tel:{}", "phone", "0171/1234567"),
        ("({})", "phone", "555-1234"),
        ("id {} is known", "phone", "5551234567"),
        ("known {} too", "phone", "12 34 56 78"),
        ("known {} too", "phone", "030 901820"),
        ("06: {}", "phone", "06 12 34 56 78"),
        ("they are not answering at {}", "phone", "20-32-85-26"),
        ("{} fax", "phone", "166-684-7899"),
        ("{}, mobile", "phone", "001-846-853-9089x92556"),
        ("phone: {}", "phone", "(88) 684-334"),
        ("card {}.", "card", "4111 1111 1111 1111"),
        ("card {}, exp. 12/27", "card", "5500-0055-5555-5559"),
        ("IBAN {} please", "iban", "DE89 3704 0044 0532 0130 00"),
        ("to {}.", "iban", "GB29NWBK60161331926819"),
        ("SSN {}", "national_id", "123-45-6789"),
        ("from {} again", "ip", "93.184.216.34"),
        ("from [{}]", "ip", "2a00:1450:4001:830::200e"),
        ("key={}", "secret", "sk-proj-abcdEFGH1234567890xyz"),
        ("token {} leaked", "secret", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    ],
)
def test_addresses_and_numbers(text: str, kind: str, identity: str) -> None:
    assert masked(text.format(identity)) == text.format(as_column(kind, identity))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "order 1234567",
            "2024-01-02 10:20:30",
            "2024-01-02T10:20:30.123456Z",
            "01.02.2024",
            "01/02/2024 - 03/02/2024",
        ),
        *("$1,234,567.89", "1 234 567", "EUR 1234567.00", "1.192.168.100.200", "v1.2.3", "4111 1111 1111 1112"),
        *(
            "923-45-6789",
            "550e8400-e29b-41d4-a716-446655440000",
            "978-3-16-148410-0",
            "SKU 555-1234-99",
            "x@y",
            "A555-1234",
        ),
        *(
            "10:20:30",
            "at 9:555-1234",
            "01.02.2024 1030",
            "(01-02-2024 12345)",
            "1234567890123",
            "100-2000",
            "#555-1234",
            "0.1234567",
            "1e10",
            "87654321",
            "3.14159265358979",
        ),
    ],
)
def test_numbers_that_are_no_telephones(text: str) -> None:
    assert masked(text) == text


def test_several_identities_in_one_text() -> None:
    text = "Jane Doe <jane.doe@corp.com> (555-123-4567) asked Will Smith. Jane's phone: +1 555 123 4567"
    jane, doe = as_column("person", "Jane"), as_column("person", "Doe")
    assert masked(text) == text.replace("jane.doe@corp.com", as_column("email", "jane.doe@corp.com")).replace(
        "555-123-4567", as_column("phone", "555-123-4567")
    ).replace("555 123 4567", as_column("phone", "555 123 4567")).replace("Jane", jane).replace("Doe", doe).replace(
        "Will Smith", as_column("person", "Will Smith")
    )


def test_the_words_of_one_text_do_not_tell_of_a_number_in_the_next() -> None:
    texts = ["Please call", "7540218, sold 3 times"]
    assert MASKS.text(texts) == [MASKS.text([text])[0] for text in texts] == texts


def test_a_batch_is_masked_text_by_text() -> None:
    texts = ["Jane", "", "Doe", "a\x00Jane\x00", "Will Smith", "\ud800 Jane", "Mark", "Young " * 300_000]
    assert MASKS.text(texts) == [masked(text) for text in texts]
    assert MASKS.text([]) == []
    assert masked("a\x00Jane") == "a\x00" + as_column("person", "Jane")


@given(st.text(max_size=200))
def test_any_text_keeps_its_length(text: str) -> None:
    masked(text)


@given(
    st.lists(
        st.sampled_from(["Jane", "doe", "Doe", "Will", " ", ", ", "@", "corp.com", "555", "-", "1234", "+", "é", "İ"])
    )
)
def test_pieces_of_identities_keep_their_length(pieces: list[str]) -> None:
    masked("".join(pieces))


def test_without_a_corpus_patterns_are_still_found() -> None:
    after = MaskSet(KEY, {}).text(["Jane Doe jane.doe@corp.com 555-123-4567"])[0]
    assert not after.startswith("Jane Doe ")  # two names together are a person, known or not
    assert "jane.doe" not in after
    assert "555-123-4567" not in after


def test_hostile_text_takes_linear_time() -> None:
    for text in ("a" * 200_000 + "@", "1 " * 200_000, "@" * 200_000, "0-" * 200_000, "Jane " * 50_000, "+1" * 100_000):
        masked(text)


KEY_OF_A_ROW = "7d4fa3c1-9f2e-4b77-8c5d-0011aabb2233"


def of_uuids() -> MaskSet:
    builder = CorpusBuilder()
    builder.add("uuid", [KEY_OF_A_ROW, "", "none"])
    builder.add("person", ["Ada Quimby"])
    return MaskSet(KEY, {}, builder.build())


@pytest.mark.parametrize(
    "spelled",
    [
        KEY_OF_A_ROW,
        KEY_OF_A_ROW.upper(),
        KEY_OF_A_ROW.replace("-", ""),
        f"/orders/{KEY_OF_A_ROW}.json",
        f"order_{KEY_OF_A_ROW}_1",
        f"urn:uuid:{KEY_OF_A_ROW}",
        f'{{"id":"{KEY_OF_A_ROW}"}}',
    ],
)
def test_the_uuid_of_a_masked_key_has_its_pseudonym_in_texts(spelled: str) -> None:
    masks = of_uuids()
    fresh = masks.value("uuid", KEY_OF_A_ROW)
    assert fresh is not None
    expected = spelled.replace(KEY_OF_A_ROW, fresh)
    if expected == spelled:
        form = KEY_OF_A_ROW.upper() if spelled.isupper() else spelled
        expected = str(masks.value("uuid", form))
    assert expected != spelled
    assert masks.text([f"see {spelled} again"]) == [f"see {expected} again"]


@pytest.mark.parametrize(
    "text",
    [
        "550E8400-E29B-41D4-A716-ADA655440000",  # a name between its digits
        "1234ADA8-5551-4234-5678-030901820123",  # digits like a telephone's
        f"x{KEY_OF_A_ROW}",
        f"{KEY_OF_A_ROW}0",
    ],
)
def test_other_uuids_stay_whole(text: str) -> None:
    assert of_uuids().text([f"see {text} again"]) == [f"see {text} again"]


def test_an_extra_net() -> None:
    def net(text: str) -> Iterator[Span]:
        at = text.find("Zorglub")
        if at >= 0:
            yield at, -(at + 7), "person"

    netted = MaskSet(KEY, {}, CORPUS, net=net)
    texts = ["ask Zorglub", "nothing", "Zorglub and Jane"]
    name = netted.value("person", "Zorglub")
    assert netted.text(texts) == [f"ask {name}", "nothing", f"{name} and {as_column('person', 'Jane')}"]


def test_presidio_as_a_net() -> None:
    from envclone.errors import ConfigError
    from envclone.masking.presidio import net, net_version

    netted = MaskSet(KEY, {}, net=net("patterns"))
    assert "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2" not in netted.text(["pay 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2 now"])[0]
    with pytest.raises(ConfigError, match="no_such_model"):
        net("no_such_model")
    assert net_version("patterns").startswith("presidio-analyzer 2.")
    assert net_version(None) == ""


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("address", "Lindenweg 4", "s?q=Lindenweg+4 and"),
        ("address", "Lindenweg 4", "=?utf-8?Q?Lindenweg_4?= <list>"),
        ("address", "Lindenweg 4", "by Lindenweg\u00a04"),
        ("company", "Quimby-Sons Trading", "ask quimby.sons trading"),
        ("phone", "+49 30 51000896", "s?q=%2B49+30+51000896"),
        ("secret", "sk-40510175845988f13f6162ed8526f0b0", "FOR SK-40510175845988F13F6162ED8526F0B0 ONLY"),
        ("person", "Quenzelmann", "der antrag quenzelmanns ist da"),
    ],
)
def test_what_joins_the_parts_or_how_it_is_cased_hides_nothing(kind: str, value: str, text: str) -> None:
    masked = FreeText(Corpus({kind: [value]}), Makers(KEY)).mask([text, text + " and on and on" * 200])
    signs = [char for char in value.lower() if char.isalnum()]
    for one in masked:
        said = "".join(char for char in one.lower() if char.isalnum())
        assert "".join(signs) not in said
        assert len(one) in (len(text), len(text) + 14 * 200)
    assert masked[1].startswith(masked[0])


def test_texts_that_only_python_reads_hold_up_no_others() -> None:
    names = ["Jane Doe", "Νίκος Παππάς"]
    masker, lone = FreeText(Corpus({"person": names}), Makers(KEY)), FreeText(Corpus({"person": names}), Makers(KEY))
    texts = ["Jane Doe wrote. ", "ΝΊΚΟΣ ΠΑΠΠΆΣ wrote, Jane Doe too. ", "Dear Jane Doe, hello. ", "\u0661 Doe "] * 60
    assert masker.mask(texts) == [one for text in texts for one in lone.mask([text])]


@pytest.mark.parametrize("name", ["ვალერიან", "محمد", "דוד", "李雷", "राम", "Анна", "João"])
def test_a_script_without_capitals_hides_no_name_beside_an_everyday_word(name: str) -> None:
    free = FreeText(Corpus({"person": (f"{name} Were", f"{name} Doe")}), Makers(KEY))
    texts = [f"{name} Were called.", f"ask {name} Were", f"Was it {name}?", f"{name} Doe", name]
    for text, made in zip(texts, free.mask(texts), strict=True):
        assert name not in made
        assert "Were" not in made
        assert list(free.finder.spans(text)) == list(free.finder.reference(text))


@pytest.mark.parametrize("text", ["write to {}", "{}", "cc: {}, all", "<{}>", "{}.", "see {} " * 40])
def test_an_address_whose_host_has_no_dot_is_found_when_it_is_somebody_s(text: str) -> None:
    masks = MaskSet(KEY, {}, Corpus({"email": ("jane@mailhost",)}))
    pseudonym = masks.value("email", "jane@mailhost")
    assert pseudonym is not None and pseudonym != "jane@mailhost"
    assert masks.text([text.replace("{}", "jane@mailhost")]) == [text.replace("{}", pseudonym)]
    other = masks.text(["ssh root@mailhost2, build@runner"])[0]
    assert other == "ssh root@mailhost2, build@runner"
