"""What counts as a leak in a kept value: two parts of one person, and a subject's own name more often than chance."""

from __future__ import annotations

import random

import pytest

from envclone.packed import pack
from envclone.verifier.kept import Tally, pairs_of_one_person, tail
from envclone.verifier.loose import LooseSearch, Texts, text_of
from envclone.verifier.originals import Originals
from envclone.verifier.search import Hit
from envclone.verifier.subjects import Subjects, parts_of
from envclone.verifier.wordhits import weak_words

PEOPLE = [
    ("Wolfhard", "Quenzelmann", "Lindenweg 4"),
    ("Brunhilda", "Drachsler", "Am Bach 7"),
    ("Grace", "Mark", "Elm St 12"),
    ("Will", "Henderson", "Oak St 9"),
]


def _subjects(people: list[tuple[str, str, str]]) -> tuple[Subjects, LooseSearch]:
    subjects = Subjects()
    subjects.begin("main.public.people")
    for number, (first, last, street) in enumerate(people):
        subjects.count += 1
        subjects.add([number], "person", [first], "first")
        subjects.add([number], "person", [last], "last")
        subjects.add([number], "address", [street], "street")
    return subjects, LooseSearch(Originals.parts(subjects.seal()))


def _hits(search: LooseSearch, text: str) -> list[Hit]:
    return [found.hit for found in search.find([text])]


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("to Wolfhard Quenzelmann", True),
        ("Quenzelmann, Wolfhard", True),
        ("quenzelmann_wolfhard.pdf", True),
        ("Quenzelmann, at Lindenweg 4", True),
        ('{"first": "Wolfhard", "last": "Quenzelmann"}', True),
        ("Will Henderson", True),
        ("Grace Mark", True),
        ("first=Wolfhard&last=Quenzelmann", True),
        ("7;Wolfhard;Quenzelmann;open", True),
        ("Wolfhard\tQuenzelmann", True),
        ("first: Wolfhard\nlast: Quenzelmann", True),
        ("Wolfhard Maria Quenzelmann", True),
        ("Wolfhard Maria Theresia Quenzelmann", True),
        ("Wolfhard Meier (geb. Quenzelmann)", True),
        ('[{"key": "first_name", "value": "Wolfhard"}, {"key": "last_name", "value": "Quenzelmann"}]', True),
        ("Wolfhard Meier, Anna Quenzelmann", False),
        ('Wolfhard "Bob" Quenzelmann', True),
        ("Wolfhard (Bob) Quenzelmann", True),
        ("Grace?Mark=1", False),
        ("grace/mark", False),
        ("Wolfhard and Drachsler", False),
        ("Wolfhard", False),
        ("Dave Henderson/Will Harris", False),
        ("Dave Henderson, Will Harris", False),
        ("Will Harris, Dave Henderson", False),
        ("Henderson, Will", True),
        ("the grace of it, mark my words", False),
        ("Henderson said: it will be late", False),
        ("Wolfhard" + " and so on" * 20 + " Quenzelmann", False),
        ("Wolfhards Quenzelmanns", False),
    ],
)
def test_two_parts_of_one_person(text: str, leaks: bool) -> None:
    subjects, search = _subjects(PEOPLE)
    found = list(search.find([text]))
    assert (pairs_of_one_person(subjects, [one.hit for one in found], text_of(text)) is not None) is leaks


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("80337 München, Lindenweg 4", True),
        ('{"street": "Lindenweg 4", "code": "80337"}', True),
        ("Quenzelmann, Lindenweg 4", True),
        ("Lindenweg 4", False),
        ("80337 and 10115", False),
        ("10115 Berlin, Lindenweg 4", False),
    ],
)
def test_a_street_and_a_postal_code_of_an_address_in_one_value(text: str, leaks: bool) -> None:
    subjects = Subjects()
    subjects.begin("main.public.people")
    subjects.count = 2
    homes = ["Lindenweg 4, 80337 München", "Am Bach 7, 10115 Berlin"]
    subjects.add([0, 1], "person", ["Wolfhard Quenzelmann", "Brunhilda Drachsler"], "name")
    subjects.take(0, "address", pack(homes), "home")
    search = LooseSearch(Originals.parts(subjects.seal()))
    hits = [found.hit for found in search.find([text])]
    assert (pairs_of_one_person(subjects, hits, text_of(text)) is not None) is leaks
    words = weak_words(search, Texts([text], decoded=True))
    assert (0 in words.near(subjects)) >= leaks


def _leaks(rows: list[tuple[int, str]], people: list[tuple[str, str, str]]) -> bool:
    return _tally(rows, people).leaks(_subjects(people)[0])


def _tally(rows: list[tuple[int, str]], people: list[tuple[str, str, str]]) -> Tally:
    subjects, search = _subjects(people)
    tally = Tally()
    for person, text in rows:
        tally.sample([person])
        if hits := _hits(search, text):
            tally.add(subjects, [person], hits)
    return tally


def test_a_column_that_repeats_first_names_leaks_and_one_of_other_names_does_not() -> None:
    draw = random.Random(3)
    people = [(f"Xa{chr(97 + i % 26)}{chr(97 + i // 26)}olf", f"Zu{i}", f"Weg {i}") for i in range(400)]
    own = [(i, f"for {people[i][0]}") for i in range(400)]
    assert _leaks(own, people)
    others = [(i, f"for {people[draw.randrange(400)][0]}") for i in range(400)]
    assert not _leaks(others, people)
    assert _tally([*others[:399], own[7]], people).seen[0] <= 4


@pytest.mark.parametrize(("own", "leaks"), [(0, False), (1, False), (25, True), (100, True), (400, True)])
def test_a_share_of_noise_hides_no_first_names_and_chance_alone_is_none(own: int, leaks: bool) -> None:
    """Of 1,600 rows, half with names of anybody, two hold their own by chance; 25 more, one in 64, are none."""
    draw = random.Random(11)
    people = [(f"Xa{chr(97 + i % 26)}{chr(97 + i // 26)}olf", f"Zu{i}", f"Weg {i}") for i in range(400)]
    noise = ["nothing to say", "see above", "by the grace of it"]
    rows = [(i % 400, f"for {people[draw.randrange(400)][0]}") for i in range(1600)]
    rows = [(i, text if draw.random() < 0.5 else draw.choice(noise)) for i, text in rows]
    for place in draw.sample(range(1600), own):
        rows[place] = place % 400, f"for {people[place % 400][0]}"
    assert _leaks(rows, people) is leaks


@pytest.mark.parametrize(("own", "leaks"), [(1, False), (2, True), (5, True)])
def test_of_a_few_people_two_rows_with_their_own_names_tell(own: int, leaks: bool) -> None:
    people = [("Wolfhard", "Quenz", "Weg 1"), ("Brunhild", "Drach", "Weg 2"), ("Sigi", "Zund", "Weg 3")]
    rows = [(i % 3, f"for {people[i % 3][0]}") for i in range(own)]
    rows += [(i % 3, "no name here") for i in range(5)]
    assert _leaks(rows, people) is leaks
    assert not _leaks([(i % 3, f"for {people[(i + 1) % 3][0]}") for i in range(9)], people)


def test_a_single_name_of_the_subject_leaks_when_it_is_rare() -> None:
    people = [(f"Xa{chr(97 + i % 26)}{chr(97 + i // 26)}olf", f"Zu{i}", f"Weg {i}") for i in range(400)]
    assert _leaks([(7, f"call {people[7][0]}")], people)


def test_words_that_are_names_too_need_far_more() -> None:
    people = [("Grace" if i % 4 == 0 else f"Xa{i}olf", f"Zu{i}", f"Weg {i}") for i in range(400)]
    innocent = [(i, "by the grace of it") for i in range(0, 400)]
    assert not _leaks(innocent, people)
    own = [(i, "dear Grace" if i % 4 == 0 else "dear customer") for i in range(400)]
    assert _leaks(own, people)


def test_words_in_rows_that_all_mean_one_person_are_chance() -> None:
    people = [("Will" if i == 0 else f"Xa{i}olf", f"Zu{i}", f"Weg {i}") for i in range(400)]
    assert not _leaks([(0, "will do" if i % 20 == 0 else "done") for i in range(400)], people)


def test_names_of_those_that_rows_mean_are_their_chance_and_not_those_of_all_people() -> None:
    """Accounts are called after three towns, as few people are; only their own names in their rows are no chance."""
    towns = ("Brixo", "Tavora", "Kelmin")
    accounts = [(towns[i % 3], f"Zo{i}", f"Weg {i}") for i in range(60)]
    people = [*accounts, *((f"Xa{i}olf", f"Zu{i}", f"Weg {i}") for i in range(2000))]
    draw = random.Random(4)
    assert not _leaks([(i % 60, f"shipped to {draw.choice(towns)}") for i in range(600)], people)
    assert _leaks([(i % 60, f"shipped to {towns[i % 3]}") for i in range(600)], people)
    assert _leaks([(7, f"call {towns[1]}") for i in range(40)], people)


def test_the_tail_of_poisson() -> None:
    assert tail(0, 5) == 1.0
    assert tail(1, 0.01) == pytest.approx(0.00995, rel=1e-2)
    assert tail(10, 2) == pytest.approx(4.65e-5, rel=1e-2)
    assert tail(3, 0) == 0.0
    assert tail(3, 5) == 1.0


def test_parts() -> None:
    assert [text for text, _ in parts_of("person", "Dr. Wolfhard von Quenzelmann")] == [
        "wolfhard",
        "von",
        "quenzelmann",
    ]
    assert parts_of("email", "a@b.example") == []
    assert [text for text, _ in parts_of("national_id", "536-22-8741")] == ["536228741"]


@pytest.mark.parametrize(
    "text",
    [
        "Wolfhard%20Quenzelmann",
        "&#87;olfhard Quenzelmann",
        "V29sZmhhcmQgUXVlbnplbG1hbm4gd2FzIGhlcmU=",
        "Wolf\u00adhard Quenzelmann",
        "\uff37olfhard Quenzelmann",
    ],
)
def test_what_a_spelling_says_counts(text: str) -> None:
    subjects, search = _subjects(PEOPLE)
    found = list(search.find(["plain", text]))
    assert {one.value for one in found} == {1}
    assert pairs_of_one_person(subjects, [one.hit for one in found], found[0].text) is not None


def test_words_before_a_family_name_are_nobodys() -> None:
    subjects = Subjects()
    subjects.begin("main.public.people")
    subjects.count += 1
    subjects.add([0], "person", ["Brunhilda van der Drachsler"], "name")
    search = LooseSearch(Originals.parts(subjects.seal()))
    for text, told in (
        ("van der Waals", False),
        ("lag an der Ecke; van", False),
        ("Brunhilda van der Drachsler", True),
    ):
        assert (pairs_of_one_person(subjects, _hits(search, text), text_of(text)) is not None) is told


def test_what_joins_the_names_of_a_firm_is_no_part_of_somebody() -> None:
    """A column of firms under the rule of persons: 'Grant and Sons' says nothing of 'grant and pay'."""
    subjects = Subjects()
    subjects.begin("main.public.clients")
    subjects.count = 1
    subjects.add([0], "person", ["Grant and Sons"], "name")
    search = LooseSearch(Originals.parts(subjects.seal()))
    assert pairs_of_one_person(subjects, _hits(search, "Grant and and."), text_of("Grant and and.")) is None
    assert pairs_of_one_person(subjects, _hits(search, "to Grant Sons"), text_of("to Grant Sons")) is not None
