"""What a value is by its looks alone, where its rule says only what becomes of it: `constant`, `redact`, `null`.

The corpus and the verifier ask the same function, so that what the one accuses the other has made known to free text.
"""

from __future__ import annotations

import re

from envclone.masking.keywords import KEY_WORDS
from envclone.masking.names import given_names, is_name
from envclone.masking.patterns import is_email
from envclone.masking.words import NAMES_TOO, TITLES, WORDS_FIRST

__all__ = ["UNSAID", "meant"]

UNSAID = frozenset(("constant", "redact", "null"))
"""Kinds that say nothing of what their values are."""
_LONG, _PHRASE, _WORD_OF_PHRASE = 12, 8, 16
"""Characters from which on a value tells of somebody; words of a phrase at most, and the letters of each."""
_MOST_NAMES, _SHORTEST_PHONE = 4, 7
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\.?")
_CALLED = re.compile(r"[+(]?[\d ()./\u00a0-]+")
_DIGIT = re.compile(r"\d")
_NO_NAME = WORDS_FIRST | KEY_WORDS


def meant(value: str) -> str:
    """The kind that a value is treated as in free text and by the verifier; '' when it is nobody's.

    An address with @ is an e-mail, digits with their grouping a telephone number. What else tells of somebody does so
    as a whole ('redact'): a given name beside another name, for which a company or a town can be taken, so that its
    words say nothing alone; and twelve characters, unless they are a phrase, a few words in lower case without a
    digit. So 'wrong amount' is nobody, and 'Lindenweg 4, Ulm' is somebody's.
    """
    value = value.strip()
    if "@" in value and is_email(value):
        return "email"
    if _CALLED.fullmatch(value) is not None and value[:1] in "+(0" and _digits(value) >= _SHORTEST_PHONE:
        return "phone"
    words = value.split()
    return "redact" if _is_person(words) or (len(value) >= _LONG and not _is_phrase(words)) else ""


def _digits(value: str) -> int:
    return len(_DIGIT.findall(value))


def _is_person(words: list[str]) -> bool:
    """'Jane Doe', 'Dr. Jane van Doe': a given name that is not an everyday word, and a name behind it."""
    words = [word for word in words if word.lower().rstrip(".") not in TITLES]
    if not 1 < len(words) <= _MOST_NAMES or not all(map(_WORD.fullmatch, words)):
        return False
    lowered = [word.lower().rstrip(".") for word in words]
    first = lowered[0]
    known = first in given_names() or (is_name(first) and is_name(lowered[-1]))
    capitals = words[0][:1].isupper() and words[-1][:1].isupper()
    return known and capitals and first not in NAMES_TOO and not any(word in _NO_NAME for word in lowered)


def _is_phrase(words: list[str]) -> bool:
    """A few everyday words: the first may begin with a capital."""
    plain = [word.rstrip(".,;:!?") for word in words]
    if len(words) > _PHRASE or not all(word.isalpha() and len(word) <= _WORD_OF_PHRASE for word in plain):
        return False
    return all(word.islower() for word in plain[1:]) and (plain[0].islower() or plain[0].istitle())
