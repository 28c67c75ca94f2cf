"""Hot loops, compiled where numba is installed and interpreted where it is not; the results are the same bytes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

__all__ = ["Loop", "available"]


def available() -> bool:
    """Whether loops are compiled here: numba is installed, and $ENVCLONE_NO_COMPILE is not set."""
    return importlib.util.find_spec("numba") is not None and not os.environ.get("ENVCLONE_NO_COMPILE")


class Loop:
    """A function over numbers and arrays, compiled when it is first called (about a second, then kept on disk).

    Interpreted it is given bytes, bytearrays and lists instead of arrays, whose items Python reads faster.
    """

    def __init__(self, function: Callable[..., int]) -> None:
        self._function = function
        self._compiled: Callable[..., int] | None = None

    def __call__(self, *args: Any) -> int:
        """Run it on arrays when `available()`, else on Python's own sequences; returns its number."""
        if self._compiled is None:
            self._compiled = self._made()
        return int(self._compiled(*args))

    def _made(self) -> Callable[..., int]:
        if not available():
            return self._function
        import numba

        try:
            return numba.njit(cache=True)(self._function)  # type: ignore[no-any-return,unused-ignore]
        except RuntimeError:  # no place for the cache: an installation that may not be written, no home
            return numba.njit(self._function)  # type: ignore[no-any-return,unused-ignore]
