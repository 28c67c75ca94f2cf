"""Tokens: kept as digests, over in their time, taken back at once, and never readable by others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from envclone.errors import EnvcloneError, UsageError
from envclone.serve.roles import Role
from envclone.serve.tokens import Tokens
from tests.support.served import Served, served


@pytest.fixture(scope="module")
def here() -> Iterator[Served]:
    with served() as made:
        yield made


def test_a_token_is_shown_once_and_kept_as_a_digest(here: Served) -> None:
    made, text = here.service.tokens.create("ada", Role.ENGINEER, dt.timedelta(days=1))
    file = here.service.state.tokens
    assert text.rpartition("_")[2] not in file.read_text() and made.digest in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    assert here.service.tokens.check(text) == made and made.principal.subject == "token:ada"


def test_what_another_process_does_holds_at_once(here: Served) -> None:
    elsewhere = Tokens(here.service.state)
    made, text = elsewhere.create("bob", Role.VIEWER, None)
    assert here.service.tokens.check(text) == made
    elsewhere.revoke(made.id)
    assert here.service.tokens.check(text) is None
    with pytest.raises(UsageError):
        elsewhere.revoke(made.id)


def test_one_that_is_over_is_none(here: Served) -> None:
    made, text = here.service.tokens.create("eve", Role.OPERATOR, dt.timedelta(seconds=-1))
    assert here.service.tokens.check(text) is None and here.service.tokens.of(made.id) is None
    assert made.id in {one.id for one in here.service.tokens.all()}


@pytest.mark.parametrize("name", ["", "a b", "../x", "-a", "a" * 64, "\u202eada", "a\n"])
def test_a_name_is_a_name(here: Served, name: str) -> None:
    with pytest.raises(UsageError):
        here.service.tokens.create(name, Role.VIEWER, None)


def test_a_damaged_file_lets_nobody_in(here: Served) -> None:
    _, text = here.service.tokens.create("ada", Role.OPERATOR, None)
    kept = here.service.state.tokens.read_text()
    try:
        for wrong in ("{", "[]", '{"tokens": [{}]}', kept.replace('"operator"', '"god"')):
            here.service.state.tokens.write_text(wrong)
            with pytest.raises(EnvcloneError):
                here.service.tokens.check(text)
            assert here.call(text, "GET", "/whoami").status_code in (401, 409)
    finally:
        here.service.state.tokens.write_text(kept)
    assert here.call(text, "GET", "/whoami").status_code == 200


def test_a_rate_says_when_to_come_back() -> None:
    from envclone.serve.options import Options

    with served(Options(calls_per_minute=3)) as here:
        ada, bob = here.token("ada", Role.ENGINEER), here.token("bob", Role.ENGINEER)
        statuses = [here.call(ada, "GET", "/whoami").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        last = here.call(ada, "GET", "/whoami")
        assert 0 < int(last.headers["retry-after"]) <= 60 and last.json()["error"]["hint"]
        assert here.call(bob, "GET", "/whoami").status_code == 200


def test_a_quota_of_branches_holds_for_a_person_and_not_for_operators() -> None:
    from envclone.serve.options import Options

    with served(Options(branches=2)) as here:
        here.branch("one", "ada")
        here.branch("two", "ada")
        ada, op = here.token("ada", Role.ENGINEER), here.token("ada", Role.OPERATOR)
        full = here.call(ada, "POST", "/branches", json={"environment": "prod"})
        assert full.status_code == 429 and "rm" in full.json()["error"]["hint"] and "retry-after" in full.headers
        assert here.call(op, "POST", "/branches", json={"environment": "prod"}).status_code == 202
