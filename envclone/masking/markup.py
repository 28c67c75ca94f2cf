"""Texts in which markup and blanks are all that is spelled, as answers of a model in Markdown: read as a whole.

They are read as `escapes` reads them, in two substitutions instead of piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from envclone.masking.beginnings import WIDE_SPACES, codes_of, places
from envclone.masking.escapes import spells

__all__ = ["readings"]

_SEPARATOR = "\x00"
_BLANK = rf"[ \t\r\n{WIDE_SPACES}\u3000]"
_PIECE = rf"\n[>|]{{1,3}}[ \t]?|[{WIDE_SPACES}]{_BLANK}*|{_BLANK}{{2,}}|[\t\r\n]"
_BLANKS = re.compile(rf"{_BLANK}(?:(?<=\n)[>|]{{1,3}}[ \t]?|{_BLANK}+|(?<=[\t\r\n{WIDE_SPACES}]))(?:{_PIECE})*")
"""One such piece and those behind it. It begins with a class of characters, so that few places are tried."""
_MARKS = re.compile(r"`|\*(?:\*{1,2}|(?=\w))|~~")
_TELLING = re.compile(rf"`|\*(?:\*|(?=\w))|~~|\n(?<!{_BLANK}\n)[>|]")
_SIMPLE, _WHITE = (np.zeros(0x110000, np.bool_) for _ in range(2))
"""With what such a piece begins, and blanks of any kind."""
_WHITE[[*map(ord, re.findall(_BLANK, "".join(map(chr, range(0x10000)))))]] = True
_SIMPLE |= _WHITE
_SIMPLE[[*map(ord, "`*~")]], _SIMPLE[0x3000] = True, False


def readings(texts: Sequence[str]) -> Iterator[tuple[int, str | None]]:
    """The number of each text in which anything is spelled, and how it is read; None where more than markup is."""
    joined = _SEPARATOR.join(texts)
    begins = places(joined)
    starts = np.fromiter(accumulate((len(text) + 1 for text in texts), initial=0), np.int64)
    codes = np.append(codes_of(joined), 0)
    its, behind = codes[begins], codes[begins + 1]
    others = begins[~_SIMPLE[its] | ((its == ord(" ")) & ~_WHITE[behind])]
    told = {int(np.searchsorted(starts, at, "right")) - 1 for at in others.tolist() if spells(joined, at)}
    for number, text in enumerate(texts):
        if number in told:
            yield number, None
        elif _TELLING.search(text) is not None:
            yield number, _MARKS.sub("", _BLANKS.sub(" ", text))
