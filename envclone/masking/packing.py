"""Masks on blocks of texts: those that know blocks get them as they are, all others the texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from envclone.packed import TextBlock, block_of
from envclone.protocols import Mask

__all__ = ["BlockMask", "by_text", "masked_block"]


@runtime_checkable
class BlockMask(Protocol):
    """A mask of whole blocks."""

    def packed(self, block: TextBlock) -> TextBlock:
        """The pseudonyms of a block of texts, as a block; what is None stays None."""
        ...


def masked_block(mask: Mask, block: TextBlock) -> TextBlock:
    """The pseudonyms of a block of texts, under any mask."""
    return mask.packed(block) if isinstance(mask, BlockMask) else by_text(mask.mask, block)


def by_text(mask: Callable[[Sequence[str]], list[str]], block: TextBlock) -> TextBlock:
    """The same by the texts themselves."""
    masked = iter(mask([text for text in block if text is not None]))
    return block_of([None if text is None else next(masked) for text in block])
