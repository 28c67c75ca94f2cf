"""Which texts of a block may be in a short list; the compiled counterpart of `sieve`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from envclone.masking.kernels import shortlist as kernels
from envclone.packed import TextBlock, block_of

__all__ = ["Shortlist"]


class Shortlist:
    """Looks for texts as `sieve.Sieve` does: `words` in any casing and with any blanks, addresses `wild` with `*`.

    Only where loops are compiled. It names too many texts rather than too few.
    """

    def __init__(
        self, words: Iterable[str], wild: Iterable[str], *, numbers: bool, uuids: bool, open_end: bool
    ) -> None:
        told = sorted(word for word in words if word.isascii())
        wild = sorted(wild)
        heads = [word[:-1] for word in wild if word.endswith("@*") and word.count("*") == 1]
        tails = [word[1:] for word in wild if word.startswith("*@") and word.count("*") == 1]
        tails += [word[3:] for word in wild if word.startswith("*@*.") and (word.count("*"), word.count(".")) == (2, 1)]
        self._others = len(heads) + len(tails) < len(wild)
        digits = {"".join(char for char in word if char.isdecimal()) for word in told} - {""}
        self._known = kernels.List(
            *(_table(told), _table(sorted(digits)), _table(heads), _table(tails)),
            *(numbers, uuids, open_end, bool(heads or tails)),
            *(_gate(told, ends=False), _gate(heads, ends=False), _gate(tails, ends=True)),
        )

    def among(self, block: TextBlock) -> list[int]:
        """The places of those that may be in the list, in order."""
        if self._others and b"@" in block.block:
            return list(range(len(block)))
        found = np.zeros(len(block), np.bool_)
        kernels.listed(np.frombuffer(block.block, np.uint8), block.zeros, self._known, block.block.isascii(), found)
        places: list[int] = np.flatnonzero(found).tolist()
        return places


def _table(words: Sequence[str]) -> object:
    """The hashes of words."""
    table = np.zeros(1 << (2 * len(words) + 1).bit_length(), np.uint64)
    if words:
        block = block_of(words)
        kernels.entered(np.frombuffer(block.block, np.uint8), block.zeros, table)
    return table


def _gate(words: Sequence[str], *, ends: bool) -> object:
    """What a gate lets pass."""
    gate = np.zeros(kernels.GATES, np.uint64)
    if words:
        block = block_of(words)
        kernels.opened(np.frombuffer(block.block, np.uint8), block.zeros, ends, gate)
    return gate
