"""Weak identities judged many at a time: what is left out would not have been a finding one by one."""

from __future__ import annotations

import random

import pytest

from envclone.compiled import available
from envclone.verifier import loose, wordhits
from envclone.verifier.kept import Tally, pairs_of_one_person
from envclone.verifier.loose import Found, LooseSearch, Texts
from envclone.verifier.originals import Originals
from envclone.verifier.search import Hit
from envclone.verifier.subjects import Subjects
from envclone.verifier.wordhits import WordHits, weak_words

FIRST = ("Grace", "Jane", "Wei", "René", "Will", "Mark", "Anna")
LAST = ("Quenzelmann", "May", "Hopper", "Strößner", "Ødegård", "Doe")
STREETS = ("Seestr. 11", "12 Hill Road")


def _people(count: int) -> tuple[Subjects, LooseSearch]:
    draw, subjects = random.Random(3), Subjects()
    subjects.begin("main.public.people")
    subjects.count = count
    persons = list(range(count))
    names = [f"{draw.choice(FIRST)} {draw.choice(LAST)}" for _ in persons]
    subjects.add(persons, "person", names, "main.public.people.name")
    subjects.add(persons, "address", [draw.choice(STREETS) for _ in persons], "main.public.people.street")
    return subjects, LooseSearch(Originals.parts(subjects.seal()))


def _texts(count: int) -> list[str]:
    draw = random.Random(5)
    words = [*FIRST, *LAST, *STREETS, "wrote", "to", "and", ",", "Annas", "éAnna", "x" * 40, "/"]
    return [draw.choice((" ", "  ")).join(draw.choices(words, k=draw.randint(1, 9))) for _ in range(count)]


@pytest.mark.parametrize("people", [4, 12, 150])
def test_every_pair_of_one_person_is_named_as_near(people: int) -> None:
    subjects, search = _people(people)
    hits = weak_words(search, Texts(_texts(1500), decoded=True))

    def judged(value: int) -> bool:
        those = hits[value]
        return pairs_of_one_person(subjects, [one.hit for one in those], those[0].text) is not None

    near = hits.near(subjects)
    pairs = {value for value in hits if judged(value)}
    assert len(pairs) > 20
    assert pairs <= set(near)
    if available():
        assert len(near) < len(hits.many())


def test_a_word_is_whole_where_no_letter_goes_on() -> None:
    _, search = _people(150)
    texts = ["Anna.", "Annas", "éAnna", "Annaé", "(Anna)", "xAnna", "René", "Ødegård", "aØdegård", "Anna Anna"]
    hits = weak_words(search, Texts(texts, decoded=False))
    assert [texts[value] for value in hits] == ["Anna.", "(Anna)", "René", "Ødegård", "Anna Anna"]
    assert [one.hit[1:] for one in hits[9]] == [(0, 4), (5, 9)]
    assert hits.many() == [9]


def test_with_and_without_loops_the_same_words_stood_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    _, search = _people(40)
    draw, before = random.Random(6), _texts(600)
    after = [
        text if draw.random() < 0.5 else draw.choice((f"so {text}", text[3:], before[i - 1]))
        for i, text in enumerate(before)
    ]
    after[7], before[8] = "", ""

    def found() -> tuple[dict[int, list[Found]], list[Found]]:
        return dict(weak_words(search, Texts(after, decoded=False), before)), list(search.compare(before, after))

    compiled = found()
    monkeypatch.setattr(loose, "available", lambda: False)
    assert compiled == found()
    kept, every = compiled
    assert 0 < sum(map(len, kept.values())) < len(every)
    assert {one.unchanged for one in every} == {True, False}


def test_what_lies_in_something_reported_is_not_told_again() -> None:
    _, search = _people(40)
    hits = weak_words(search, Texts(["Anna Doe wrote to Grace", "Anna Doe"], decoded=False))
    told = {0: [Found(0, Hit(0, 0, 8), b"anna doe wrote to grace", True)]}
    left = hits.outside(told)
    assert {value: [one.hit[1:] for one in left[value]] for value in left} == {0: [(18, 23)], 1: [(0, 4), (5, 8)]}
    assert hits.outside({}) is hits
    assert not WordHits(b"", [column[:0] for column in hits._rows]).outside(told)


@pytest.mark.skipif(not available(), reason="there is one way only")
@pytest.mark.parametrize("tables", [1, 3])
def test_what_rows_own_subjects_are_called_is_counted_as_one_by_one(
    monkeypatch: pytest.MonkeyPatch, tables: int
) -> None:
    draw, subjects = random.Random(4), Subjects()
    for table in range(tables):
        persons = range(subjects.begin(f"main.public.people{table}"), 30 * (table + 1))
        subjects.count += len(persons)
        names = [f"{draw.choice(FIRST)} {draw.choice(LAST)}" for _ in persons]
        subjects.add(list(persons), "person", names, f"main.public.people{table}.name")
    search = LooseSearch(Originals.parts(subjects.seal()))
    hits = weak_words(search, Texts(_texts(800), decoded=True))
    meant = [draw.sample(range(subjects.count), draw.choice((0, 1, 1, 2))) for _ in hits]

    def counted() -> tuple[Tally, int | None]:
        tally = Tally()
        return tally, hits.own(subjects, meant, tally)

    compiled, value = counted()
    monkeypatch.setattr(wordhits, "available", lambda: False)
    plain, same = counted()
    assert (value, compiled.rows, compiled.seen, compiled.names) == (same, plain.rows, plain.seen, plain.names)
    assert compiled.expected == pytest.approx(plain.expected)
    assert min(compiled.seen) > 5
    assert WordHits(b"", [column[:0] for column in hits._rows]).own(subjects, [], Tally()) is None
