from __future__ import annotations

import pytest

from envclone.scan.numbers import article_numbers
from envclone.scan.vocabulary import identifiers, listed


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["Europe/Berlin", "America/New_York", "UTC"], "time zones"),
        (["GET", "POST"], "HTTP methods"),
        (["text/html", "application/json; charset=utf-8"], "media types"),
        (["open", "pending", "Closed"], "words of statuses and roles"),
        (["EUR", "USD"], "currencies"),
        (["DE", "US"], "countries' codes"),
        (["DEU", "USA"], "countries' codes"),
        (["en-US", "de", "zh-Hant-TW"], "locales"),
        (["Germany", "Jordan", "France"], "countries"),
        (["Amber", "Olive"], "colours"),
        (["Amber Miller", "Olive Smith"], ""),
        (["Sunday Okafor", "Mark Hill"], ""),
        ([], ""),
    ],
)
def test_closed_lists(values: list[str], said: str) -> None:
    assert listed(values) == said


def test_a_list_of_words_that_are_names_yields_to_a_columns_name() -> None:
    assert listed({"Jordan", "Georgia", "Chad"}, personal=True) == ""
    assert listed({"Amber", "Ruby", "Jade"}, personal=True) == ""
    assert listed({"POST", "GET"}, personal=True) == "HTTP methods"


def test_names_of_a_program() -> None:
    assert identifiers({"customer_ticket_create", "admin.user", "tag-new"})
    assert identifiers({"CustomerWeb::Base", "MAX_SIZE"})
    assert not identifiers({"Claire Dubois"})
    assert not identifiers({"marie.1987"}), "a number as long as a year may be somebody's"
    assert not identifiers(set())


def test_article_numbers_have_their_check_digit() -> None:
    goods = {"4006381333931", "9780306406157", "96385074", "0012345678905", "5901234123457"}
    assert article_numbers(goods)
    assert not article_numbers({number[:-1] + str((int(number[-1]) + 1) % 10) for number in goods})
    assert not article_numbers({"7561234567897"} | goods)
