"""What is made ahead is what was asked for, in order, and errors come where they belong."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from envclone.ahead import ahead


def test_items_come_in_order_and_one_ahead() -> None:
    made: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int | None]:
        for number in (1, 0, None, 4):
            made.append(number or 0)
            if len(made) == 2:
                second.set()
            yield number

    found = ahead(items())
    assert next(found) == 1
    assert second.wait(10)
    assert list(found) == [0, None, 4]
    assert made == [1, 0, 0, 4]


def test_an_error_comes_behind_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(KeyError):
        next(found)


def test_nothing_and_stopping_early() -> None:
    assert list(ahead(iter(()))) == []
    found = ahead(iter(range(100)))
    assert next(found) == 0
    found.close()  # type: ignore[attr-defined]
    assert threading.active_count() == 1 or not any(t.name.startswith("ThreadPool") for t in threading.enumerate())
