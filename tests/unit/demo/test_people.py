from __future__ import annotations

from collections import Counter

import pytest

from envclone.demo.names import ascii_letters
from envclone.demo.people import COMMON_WORDS, Directory, make_people


@pytest.fixture(scope="module")
def people() -> Directory:
    return make_people(7, customers=2000, leavers=50, movers=160)


def test_the_same_seed_makes_the_same_people(people: Directory) -> None:
    assert make_people(7, customers=2000, leavers=50, movers=160) == people
    assert make_people(8, customers=2000, leavers=50, movers=160) != people


def test_counts_and_ids(people: Directory) -> None:
    assert (len(people.customers), len(people.leavers), len(people.agents)) == (2000, 50, 40)
    ids = [c.id for c in (*people.customers, *people.leavers)]
    assert sorted(ids) == list(range(1, 2051))
    assert sum(c.former_email is not None for c in people.customers) == 160


def test_addresses_are_unique_whatever_their_case() -> None:
    people = make_people(7, customers=20_000, leavers=50, movers=4000)  # enough for the same address to come up twice
    everybody = (*people.customers, *people.leavers)
    emails = [c.email.lower() for c in everybody] + [a.email.lower() for a in people.agents]
    emails += [c.former_email.lower() for c in everybody if c.former_email]
    assert len(set(emails)) == len(emails)
    assert all(email.isascii() and email.count("@") == 1 for email in emails)


def test_names_come_from_several_scripts(people: Directory) -> None:
    names = "".join(c.full_name for c in people.customers)
    assert any("α" <= letter <= "ω" for letter in names)
    assert any("一" <= letter <= "鿿" for letter in names)
    assert any(letter in names for letter in "łżäöüéñ")


def test_some_names_are_ordinary_words(people: Directory) -> None:
    assert {f"{first} {last}" for first, last in COMMON_WORDS} <= {c.full_name for c in people.customers}


def test_households_share_a_name_and_often_a_phone(people: Directory) -> None:
    members = Counter(c.household for c in people.customers if c.household)
    assert members and all(size >= 2 for size in members.values())
    for household in list(members)[:20]:
        assert len({c.last for c in people.customers if c.household == household}) == 1
    phones = Counter(c.phone for c in people.customers)
    assert any(count > 1 for count in phones.values())


def test_phones_are_real_numbers_in_several_formats(people: Directory) -> None:
    import phonenumbers

    shapes = Counter("".join("9" if x.isdigit() else x for x in c.phone) for c in people.customers)
    assert len(shapes) > 10
    valid = 0
    for customer in people.customers:
        text = f"+{customer.phone[2:]}" if customer.phone.startswith("00") else customer.phone
        valid += phonenumbers.is_valid_number(phonenumbers.parse(text, "US"))
    assert valid > 0.9 * len(people.customers)


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Łukasz", "lukasz"), ("Müller-Weiß", "mullerweiss"), ("Ψαρράς", "psarras"), ("O’Neil", "oneil")],
)
def test_ascii_letters(name: str, letters: str) -> None:
    assert ascii_letters(name) == letters
