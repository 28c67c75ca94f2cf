"""The shipped lists of countries and calling codes."""

from __future__ import annotations

from envclone.masking.regions import calling_codes, country_codes, country_names


def test_the_lists_are_those_of_the_numbering_plans() -> None:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE  # comes with Presidio
    from phonenumbers.geodata.locale import LOCALE_DATA

    now = {str(code) for code in COUNTRY_CODE_TO_REGION_CODE}
    assert len(calling_codes() & now) >= 210 and len(calling_codes() ^ now) <= 3
    assert len(country_codes() ^ set(LOCALE_DATA)) <= 3
    assert {"1", "49", "972"} <= calling_codes() and {"DE", "TR"} <= country_codes()


def test_names_are_without_casing() -> None:
    assert {"germany", "deutschland", "türkei", "日本"} <= country_names()
    assert len(country_names()) > 3000 and all(name == name.casefold() for name in country_names())
