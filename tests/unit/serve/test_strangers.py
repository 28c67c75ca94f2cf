"""What an address may ask that is not known, and which address that is."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from envclone.serve.strangers import Strangers, address_of


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_gets_its_calls_back_over_a_minute() -> None:
    clock = _Clock()
    strangers = Strangers(6, clock=clock)
    assert [strangers.take("a") is not None for _ in range(7)] == [True] * 6 + [False]
    assert strangers.take("b"), "another address has its own"
    refusal, first = strangers.refusal("a")
    assert refusal.retry_after == 10 and first
    assert not strangers.refusal("a")[1], "that is told once"
    clock.now = 10.0
    assert strangers.take("a") and not strangers.take("a")
    assert strangers.refusal("a")[1], "it had some back in between"
    clock.now = 1000.0
    assert sum(strangers.take("a") is not None for _ in range(20)) == 6, "a minute's calls at most"


def test_what_is_given_back_is_not_counted() -> None:
    strangers = Strangers(2, clock=lambda: 0.0)
    for _ in range(50):
        row = strangers.take("a")
        assert row is not None
        strangers.give_back(row)
    for _ in range(50):
        strangers.give_back("a")
    assert sum(strangers.take("a") is not None for _ in range(20)) == 2


def test_the_table_does_not_grow_and_nobody_is_pushed_out() -> None:
    """Who has many addresses gets neither a fresh start nor anybody else's row."""
    clock = _Clock()
    strangers = Strangers(2, most=3, clock=clock)
    assert strangers.take("first") and strangers.take("first") and not strangers.take("first")
    taken = sum(strangers.take(f"more-{one}") is not None for one in range(1000))
    assert len(strangers) <= 4 and taken == 2 + 2, "two rows more, and one that the others share"
    assert not strangers.take("first")
    clock.now = 61.0
    assert sum(strangers.take(f"later-{one}") is not None for one in range(2)) == 2
    assert len(strangers) <= 4


def test_a_clock_that_goes_back_gives_nothing() -> None:
    clock = _Clock()
    clock.now = 100.0
    strangers = Strangers(1, clock=clock)
    assert strangers.take("a")
    clock.now = 0.0
    assert not strangers.take("a")


@pytest.mark.parametrize(
    ("peer", "said", "behind", "counted"),
    [
        ("192.0.2.1", [], False, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], False, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], True, "198.51.100.7"),
        ("192.0.2.1", ["203.0.113.9, 198.51.100.7"], True, "198.51.100.7"),
        ("192.0.2.1", ["203.0.113.9", "198.51.100.7"], True, "198.51.100.7"),
        ("192.0.2.1", ["198.51.100.7:4711"], True, "198.51.100.7"),
        ("192.0.2.1", ["[2001:db8::1]:443"], True, "2001-0db8-0000-0000-0000-0000-0000-0000"),
        ("192.0.2.1", ["unknown"], True, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7,"], True, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", [], False, "2001-0db8-0001-0002-0000-0000-0000-0000"),
        ("::ffff:192.0.2.1", [], False, "192.0.2.1"),
        ("fe80::1%eth0", [], False, "fe80-0000-0000-0000-0000-0000-0000-0000"),
        ("", [], False, "unknown"),
        ("testclient", ["x" * 10000], True, "unknown"),
    ],
)
def test_which_address_is_counted(peer: str, said: list[str], behind: bool, counted: str) -> None:
    headers = [(b"x-forwarded-for", one.encode()) for one in said]
    scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer else None}
    assert address_of(Request(scope), behind_proxy=behind) == counted
