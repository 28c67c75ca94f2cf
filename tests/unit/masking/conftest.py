from __future__ import annotations

import pytest
from hypothesis import settings

from envclone.masking.email import EmailMask
from envclone.masking.person import PersonMask
from envclone.masking.phone import PhoneMask
from envclone.masking.tokens import NameTokens

settings.register_profile("masking", deadline=None)  # tables of letters are made at first use
settings.load_profile("masking")

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))


@pytest.fixture(scope="session")
def names() -> NameTokens:
    return NameTokens(KEY)


@pytest.fixture(scope="session")
def person(names: NameTokens) -> PersonMask:
    return PersonMask(names)


@pytest.fixture(scope="session")
def email(names: NameTokens) -> EmailMask:
    return EmailMask(names)


@pytest.fixture(scope="session")
def phone(names: NameTokens) -> PhoneMask:
    return PhoneMask(KEY, names)
