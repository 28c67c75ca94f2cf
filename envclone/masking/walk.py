"""Cycle walking: a permutation of a set that contains what is wanted, narrowed to what is wanted.

Black, Rogaway: Ciphers with Arbitrary Finite Domains, CT-RSA 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from envclone.errors import EnvcloneError

__all__ = ["walk", "walk_all"]

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


def walk_all(
    values: Sequence[str], step: Callable[[Sequence[str]], list[str]], accept: Callable[[int, str], bool]
) -> list[str]:
    """The same of many values, those together that are not there yet; `accept` is told the place of a value as well.

    Raises EnvcloneError as `walk` does.
    """
    out = list(values)
    left = list(range(len(out)))
    for _ in range(_STEPS):
        if not left:
            return out
        for i, image in zip(left, step([out[i] for i in left]), strict=True):
            out[i] = image
        left = [i for i in left if not accept(i, out[i])]
    raise EnvcloneError("a value cannot be masked within its form", hint="report this as a bug")
