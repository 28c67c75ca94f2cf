"""Cycle walking: a permutation of a set that contains what is wanted, narrowed to what is wanted.

Black, Rogaway: Ciphers with Arbitrary Finite Domains, CT-RSA 2002.
"""

from __future__ import annotations

from collections.abc import Callable

from envclone.errors import EnvcloneError

__all__ = ["walk"]

_STEPS = 100_000


def walk(value: str, step: Callable[[str], str], accept: Callable[[str], bool]) -> str:
    """The first image of a value under a permutation, again and again, that is accepted.

    A bijection on the accepted values when the value itself is one. Raises EnvcloneError when none comes.
    """
    for _ in range(_STEPS):
        value = step(value)
        if accept(value):
            return value
    raise EnvcloneError("a value cannot be masked within its form", hint="report this as a bug")
