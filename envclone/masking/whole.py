"""Names as functions of the whole person: each Christopher has another pseudonym, which frequencies do not tell.

A person is the set of the name tokens of a value, whatever their order, casing and punctuation, without titles, which
stay: 'Christopher Miller', 'MILLER, Christopher' and christopher.miller of an e-mail address are one. Tokens are
replaced one after another, each by a keyed permutation of its class whose tweak is all the others, those before already
replaced: a bijection on persons in which every token depends on every other. A token alone is a person of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from unicodedata import is_normalized, normalize

from envclone.masking.email import EmailMask
from envclone.masking.letters import fold, is_mark
from envclone.masking.memo import Memo
from envclone.masking.tokens import NameTokens
from envclone.masking.words import TITLES

__all__ = ["WholeEmailMask", "WholeNames", "person_of"]

_ASCII_LETTERS = re.compile(r"[A-Za-z]+")
_LOCAL = re.compile(r"[^\s<>,;:\"()\[\]]*\Z")
_STEPS = 10_000


class WholeNames:
    """The masks of persons' names and of user names: one value is one person."""

    def __init__(self, names: NameTokens) -> None:
        self._names = names
        self._of_value = Memo(lambda value: self._masked(value, ()))

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        return self._of_value(values)

    def text(self, value: str) -> str:
        """The pseudonym of one value."""
        return self._of_value.one(value)

    def part(self, value: str, rest: Sequence[str]) -> str:
        """The pseudonym of a part of a person's name; `rest` are the other tokens, folded."""
        return self._masked(value, rest)

    def _masked(self, value: str, rest: Sequence[str]) -> str:
        if not is_normalized("NFC", value):
            composed = normalize("NFC", value)
            if normalize("NFD", composed) == value:
                return normalize("NFD", self._masked(composed, rest))
            return self._names.text(value)
        spans = list(_spans(value))
        tokens = [_folded(value[start:end]) for start, end in spans]
        whole = [i for i, token in enumerate(tokens) if token not in TITLES]
        images = self._images([tokens[i] for i in whole], rest)
        fresh = dict(zip(whole, images, strict=True))
        out, position = [], 0
        for i, (start, end) in enumerate(spans):
            out.append(self._between(value[position:start]))
            out.append(_like(fresh[i], value[start:end]) if i in fresh else value[start:end])
            position = end
        return "".join([*out, self._between(value[position:])])

    def _between(self, text: str) -> str:
        """What stands between tokens: its digits are masked as everywhere."""
        return self._names.text(text) if text and any(map(str.isdecimal, text)) else text

    def _images(self, tokens: Sequence[str], rest: Sequence[str]) -> list[str]:
        """The pseudonyms of folded tokens of one person whose other tokens are `rest`."""
        everything = [*tokens, *rest]
        kinds = [self._names.kind(token) for token in everything]
        order = sorted(range(len(everything)), key=lambda i: (kinds[i], everything[i]))
        ranked, state = [kinds[i] for i in order], [everything[i] for i in order]
        for _ in range(_STEPS):
            state = self._round(state)
            # tokens of one kind have no order of their own: walk on to the pseudonyms that are in order too
            if all(a <= b or k != n for a, b, k, n in zip(state, state[1:], ranked, ranked[1:], strict=False)):
                break
        placed = dict(zip(order, state, strict=True))
        return [placed[i] for i in range(len(tokens))]

    def _round(self, tokens: Sequence[str]) -> list[str]:
        state = list(tokens)
        for i, token in enumerate(state):
            others = "\x00".join([*state[:i], "\x01", *state[i + 1 :]])
            tweak = blake2b(others.encode(), digest_size=16, person=b"whole person").digest()
            image = self._names.tweaked(token, tweak)
            while image in TITLES:
                image = self._names.tweaked(image, tweak)
            state[i] = image
        return state


class WholeEmailMask(EmailMask):
    """E-mail addresses whose local part, and any name beside them, is a person; hosts are masked name by name."""

    def __init__(self, names: NameTokens, whole: WholeNames) -> None:
        super().__init__(names)
        self._whole = whole
        self._before_host = self._persons
        self.mask = Memo(self._address)
        self.packed = self.mask.packed  # not the loops of the base class, which know no persons

    def _persons(self, text: str) -> str:
        """What stands before an '@' or behind the last host: a local part, and a person's name before it."""
        match = _LOCAL.search(text)
        assert match is not None
        return self._whole.text(text[: match.start()]) + self._whole.text(match[0])


def person_of(name: str) -> tuple[str, ...]:
    """Who a name is of: its folded tokens without titles, sorted."""
    composed = normalize("NFC", name)
    tokens = (_folded(composed[start:end]) for start, end in _spans(composed))
    return tuple(sorted(token for token in tokens if token not in TITLES))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the runs of letters with their marks stand in a text in NFC."""
    if text.isascii():
        yield from (match.span() for match in _ASCII_LETTERS.finditer(text))
        return
    i, size = 0, len(text)
    while i < size:
        start = i
        i += 1
        if text[start].isalpha():
            while i < size and (text[i].isalpha() or is_mark(text[i])):
                i += 1
            yield start, i


def _folded(token: str) -> str:
    return token.lower() if token.isascii() else "".join([fold(char)[0] for char in token])


def _like(image: str, token: str) -> str:
    """A folded pseudonym, cased as the token is."""
    return "".join([new.upper() if fold(old)[1] else new for new, old in zip(image, token, strict=True)])
