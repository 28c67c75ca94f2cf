"""Some of a stream's things, from all over it, without knowing how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["Thinned"]

Thing = TypeVar("Thing")


class Thinned(Generic[Thing]):
    """At most `most` things of a stream, at equal distances; `size` says how large each is, `most_size` all together.

    While it goes on every second, then every fourth and so on is kept.
    """

    def __init__(self, most: int, *, size: Callable[[Thing], int] = lambda thing: 0, most_size: int = 1) -> None:
        self._most, self._size, self._most_size = max(1, most), size, most_size
        self._kept: list[Thing] = []
        self._held = self._seen = 0
        self._step = 1

    def add(self, things: Iterable[Thing]) -> None:
        """Go on with these."""
        for thing in things:
            if self._seen % self._step == 0:
                self._kept.append(thing)
                self._held += self._size(thing)
                while len(self._kept) > 1 and (len(self._kept) > 2 * self._most or self._held > 2 * self._most_size):
                    self._halve()
            self._seen += 1

    def __iter__(self) -> Iterator[Thing]:
        while len(self._kept) > self._most or (self._held > self._most_size and len(self._kept) > 1):
            self._halve()
        return iter(self._kept)

    def _halve(self) -> None:
        self._kept = self._kept[::2]
        self._held = sum(map(self._size, self._kept))
        self._step *= 2
