"""Names that are not ASCII, many at once: each run of letters or digits is masked once, those in ASCII by the loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from unicodedata import is_normalized

from envclone.masking.letters import is_mark

__all__ = ["Masked", "masked_addresses", "masked_texts"]

Masked = Callable[[Sequence[str]], list[str]]
_RUN = re.compile(r"([^\W\d_]+|\d+)")
_SEPARATOR = "\0"


def masked_texts(
    values: Sequence[str], plain: Masked, token: Callable[[str], str], one: Callable[[str], str]
) -> list[str]:
    """The pseudonyms of texts without a zero; `plain` masks runs in ASCII, `token` one of other letters.

    `one` masks a whole text, where runs are not all there is to it: in other forms than NFC, with marks or odd numbers.
    """
    composed = [is_normalized("NFC", value) for value in values]
    if not all(composed):
        rest = iter(masked_texts([v for v, good in zip(values, composed, strict=True) if good], plain, token, one))
        return [next(rest) if good else one(value) for value, good in zip(values, composed, strict=True)]
    pieces = _RUN.split(_SEPARATOR.join(values))
    runs = dict.fromkeys(pieces[1::2])
    others = [run for run in runs if not run.isascii()]
    between = "".join(pieces[::2])
    if (not between.isascii() and any(map(is_mark, between))) or not all(map(str.isalpha, others)):
        return [one(value) for value in values]
    known = [run for run in runs if run.isascii()]
    images = dict(zip(known, plain(known), strict=True))
    images.update((run, token(run)) for run in others)
    pieces[1::2] = [images[run] for run in pieces[1::2]]
    return "".join(pieces).split(_SEPARATOR) if values else []


def masked_addresses(values: Sequence[str], names: Masked, hosts: Masked, one: Callable[[str], str]) -> list[str]:
    """The pseudonyms of e-mail addresses of which only what stands before the @ is not ASCII; `one` masks any other.

    `hosts` masks what begins with the @.
    """
    cut = [value.index("@") if value.count("@") == 1 else -1 for value in values]
    those = [i for i, at in enumerate(cut) if at >= 0 and values[i][at:].isascii()]
    before = names([values[i][: cut[i]] for i in those])
    behind = hosts([values[i][cut[i] :] for i in those])
    made = {i: head + tail for i, head, tail in zip(those, before, behind, strict=True)}
    return [made[i] if i in made else one(value) for i, value in enumerate(values)]
