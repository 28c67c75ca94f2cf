"""Two parts of one person's identity in two columns: rare names leak at once, common ones need more than chance."""

from __future__ import annotations

import random

from envclone.verifier.beside import Beside, Weak
from envclone.verifier.originals import Originals
from envclone.verifier.subjects import Subjects


def _people(count: int) -> tuple[Subjects, dict[str, int]]:
    """People with one of 40 first and one of 50 family names; the last is called Wolfhard Quenzelmann, Grace Hunter is
    one, too."""
    draw, subjects = random.Random(8), Subjects()
    subjects.begin("main.public.people")
    names = [(f"Xaf{draw.randrange(40)}".translate(_LETTERS), f"Zul{draw.randrange(50)}".translate(_LETTERS))
             for _ in range(count)]  # fmt: skip
    for number, (first, last) in enumerate([*names, ("Grace", "Hunter"), ("Wolfhard", "Quenzelmann")]):
        subjects.count += 1
        subjects.add([number], "person", [first], "first")
        subjects.add([number], "person", [last], "last")
    parts = Originals.parts(subjects.seal())
    return subjects, {value: number for number, value, _ in parts.items()}


_LETTERS = str.maketrans("0123456789", "abcdefghij")


def _leaks(count: int, rows: list[tuple[str, str]], *, whole: bool = True) -> bool:
    subjects, numbers = _people(count)
    tally, other = Beside(), Beside()
    for i, (left, right) in enumerate(rows):
        its = [Weak(numbers[one.lower()], whole) for one in (left, right)]
        (tally, other)[i % 2].add(subjects, its[:1], its[1:])
    tally.merge(other)
    return tally.leaks()


def test_one_row_is_enough_for_rare_names_and_of_few_people() -> None:
    assert _leaks(2000, [("Wolfhard", "Quenzelmann")])
    assert _leaks(2000, [("Quenzelmann", "Wolfhard")], whole=False)
    assert _leaks(2, [("Wolfhard", "Quenzelmann")])
    assert not _leaks(2000, [("Wolfhard", "Hunter"), ("Grace", "Quenzelmann")])


def test_common_names_meet_by_chance() -> None:
    subjects, _ = _people(2000)
    rows = [("Xafb", "Zulc"), ("Xafd", "Zule"), ("Xafbc", "Zulbc"), ("Xafc", "Zulbe")] * 50
    assert subjects.count == 2002
    assert not _leaks(2000, rows)


def test_everyday_words_count_only_where_they_are_all_that_a_column_holds() -> None:
    assert _leaks(2000, [("Grace", "Hunter")] * 9)
    assert not _leaks(2000, [("Grace", "Hunter")] * 9, whole=False)
