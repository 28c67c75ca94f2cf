"""What comes next is made while this is worked on: by a server, or by loops that let other threads run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

_T = TypeVar("_T")


def ahead(items: Iterator[_T]) -> Iterator[_T]:
    """The same items in their order, each made by a thread of its own while the one before is worked on.

    A person who stops early waits for the one that is being made. No process may be forked meanwhile.
    """
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(_next, items)
        while one := following.result():
            following = pool.submit(_next, items)
            yield one[0]


def _next(items: Iterator[_T]) -> tuple[_T] | None:
    for item in items:
        return (item,)
    return None
