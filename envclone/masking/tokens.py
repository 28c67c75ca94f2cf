"""The mask of name tokens, shared by every domain that carries names: person, e-mail, and whatever else does.

A token is a maximal run of letters with their combining marks; hyphens, apostrophes, blanks and digits end it. Its
letters are folded to lower case, replaced, and cased again position by position: a known name by another one (`names`),
any other token by letters of the same alphabets (`letters`, `fpe`). So 'Jane Doe', 'DOE, Jane' and 'jane.doe@corp.com'
carry the same two pseudonyms. A text in NFC or NFD is answered in the same form (UAX #15), and the two forms of one
name get the two forms of one pseudonym.

What is not a letter or a decimal digit stays where it is. That makes the mask of a whole text a bijection: a text and
its pseudonym fall into tokens in the same way. It changes every text with a letter or digit in it, but for eight
letters that have no equal in Unicode (İ, ẞ, ǰ, Ǯ, ǯ, ẛ, U+0374, U+1E94B) when no other letter or digit is there, and
for letters with marks that no other letter can carry in the same normalization form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING
from unicodedata import is_normalized, normalize

from envclone.masking.fpe import Permutation, subkey
from envclone.masking.letters import ANY_ASCII, Alphabet, alphabet, fold, form, is_mark, unstable_alphabet
from envclone.masking.memo import Memo, Remembered
from envclone.masking.names import KnownNames
from envclone.masking.walk import walk
from envclone.packed import TextBlock

if TYPE_CHECKING:
    from envclone.masking.batches import NameBatches

__all__ = ["NameTokens"]

CHUNK = 32
"""Letters or digits permuted together; a longer run is several chunks, so that numbers stay small."""

_ASCII_RUN = re.compile(r"[A-Za-z]+|[0-9]+")
_RUN = re.compile(r"([^\W\d_]+|\d+)")
_CONSONANTS = "bcdfghjklmnpqrstvwxyz"
_CLASSES = str.maketrans({c: "v" if c in "aeiou" else "c" for c in ANY_ASCII.letters})
_INDEX = {c: i for letters in ("aeiou", _CONSONANTS) for i, c in enumerate(letters)}


class NameTokens:
    """The mask of names under one key; `key` is the project's masking key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "names")
        self._tokens = Remembered()
        self._names = KnownNames(self._key, self._ascii_letters)
        self._memo = Memo(self._text, batch=lambda: self.batches.texts)
        self._ascii_shape = lru_cache(maxsize=4096)(self._make_ascii_shape)
        self._shape = lru_cache(maxsize=2048)(self._make_shape)
        self._digit_shape = lru_cache(maxsize=64)(self._make_digit_shape)

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        return self._memo(values)

    def packed(self, block: TextBlock) -> TextBlock:
        """The pseudonyms of a block of texts."""
        return self._memo.packed(block)

    def text(self, value: str) -> str:
        """The value with every token and every run of digits replaced."""
        return self._memo.one(value)

    def _text(self, value: str) -> str:
        if value.isascii():
            return _ASCII_RUN.sub(self._ascii_run, value)
        return self._composed(value) if is_normalized("NFC", value) else self._uncomposed(value)

    @cached_property
    def batches(self) -> NameBatches:
        """The same masks on whole batches."""
        from envclone.masking.batches import NameBatches

        return NameBatches(self._key, self._names, self._token, self.text)

    def digits(self, run: str) -> str:
        """The pseudonym of a run of decimal digits of one script."""
        zero = ord(run[0]) - int(run[0])
        out = []
        for start in range(0, len(run), CHUNK):
            part = run[start : start + CHUNK]
            out += [chr(zero + d) for d in self._digit_shape(len(part))([ord(c) - zero for c in part])]
        return "".join(out)

    # --- of whole persons ---------------------------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        """The key of names, from which others are derived."""
        return self._key

    def tweaked(self, token: str, tweak: bytes) -> str:
        """The pseudonym of a token in NFC under a tweak: a bijection that keeps what `kind` says."""
        if token.isascii():
            lower = token.lower()
            if self._names.known(lower):
                return _cased(self._names.tweaked(lower, tweak), token)
            return _cased(
                walk(lower, lambda t: self._ascii_letters(t, tweak), lambda t: not self._names.known(t)), token
            )
        lower, upper = _folded(token)
        if self._names.known(lower):
            masked = self._names.tweaked(lower, tweak)
            return "".join([c.upper() if up else c for c, up in zip(masked, upper, strict=True)])
        return walk(
            token,
            lambda t: self._step(t, tweak),
            lambda t: is_normalized("NFC", t) and not self._names.known(_folded(t)[0]),
        )

    def kind(self, folded: str) -> str:
        """What a folded token has in common with its pseudonyms: its class, or the alphabets of its letters."""
        if self._names.known(folded):
            return f"={self._names.class_of(folded)}"
        if folded.isascii():
            return folded.translate(_CLASSES) if len(folded) > 2 else "a" * len(folded)
        letters, marks = _split(folded)
        names = (alphabet(c, m, wide=len(letters) <= 2)[0].name for c, m in zip(letters, marks, strict=True))
        return "\n".join(
            "a" if len(letters) <= 2 and "a" <= c <= "z" else name for c, name in zip(letters, names, strict=True)
        )

    # --- ASCII ------------------------------------------------------------------------------------------------

    def _ascii_run(self, match: re.Match[str]) -> str:
        run = match[0]
        known = self._tokens.get(run)
        if known is None:
            known = self._ascii_token(run) if run[0] > "9" else self.digits(run)
            self._tokens.put(run, known)
        return known

    def _ascii_token(self, token: str) -> str:
        lower = token.lower()
        if self._names.known(lower):
            masked = self._names.mask(lower)
        elif self._names.compound(lower):
            masked = self._names.mask_compound(lower)
        else:  # nor does an unknown name ever become a known one
            masked = walk(lower, self._ascii_letters, lambda t: not (self._names.known(t) or self._names.compound(t)))
        return _cased(masked, token)

    def _ascii_letters(self, lower: str, tweak: bytes = b"") -> str:
        """Letters permuted among vowels and consonants."""
        out = []
        for start in range(0, len(lower), CHUNK):
            part = lower[start : start + CHUNK]
            classes, places = (
                ("a" * len(part), ANY_ASCII.places) if len(lower) <= 2 else (part.translate(_CLASSES), _INDEX)
            )
            permutation, letters = self._make_ascii_shape(classes, tweak) if tweak else self._ascii_shape(classes)
            digits = permutation([places[c] for c in part])
            out += [alphabet[d] for alphabet, d in zip(letters, digits, strict=True)]
        return "".join(out)

    def _make_ascii_shape(self, classes: str, tweak: bytes = b"") -> tuple[Permutation, tuple[str, ...]]:
        letters = tuple({"v": "aeiou", "c": _CONSONANTS, "a": ANY_ASCII.letters}[c] for c in classes)
        name = b"ascii:" + classes.encode() + tweak
        return Permutation(self._key, name, [len(a) for a in letters], once=bool(tweak)), letters

    def _make_digit_shape(self, length: int) -> Permutation:
        return Permutation(self._key, b"digits", [10] * length)

    # --- any script ---------------------------------------------------------------------------------------------

    def _composed(self, text: str) -> str:
        """The pseudonym of a text in NFC."""
        pieces = _RUN.split(text)
        if any(not between.isascii() and any(map(is_mark, between)) for between in pieces[::2]):
            return self._by_character(text)
        for i in range(1, len(pieces), 2):
            run = pieces[i]
            masked = self._tokens.get(run)
            if masked is None:
                if run.isascii():
                    masked = self.digits(run) if run[0] <= "9" else self._ascii_token(run)
                elif run.isalpha():
                    masked = self._walk(run)
                else:  # digits of other scripts, and numbers that are neither letters nor digits
                    return self._by_character(text)
                self._tokens.put(run, masked)
            pieces[i] = masked
        return "".join(pieces)

    def _by_character(self, text: str) -> str:
        """The same of a text with marks or odd numbers, character by character: this is what a token is."""
        out = []
        i, n = 0, len(text)
        while i < n:
            char, start = text[i], i
            i += 1
            if char.isalpha():
                while i < n and (text[i].isalpha() or is_mark(text[i])):
                    i += 1
                token = text[start:i]
                out.append(_ASCII_RUN.sub(self._ascii_run, token) if token.isascii() else self._token(token))
            elif char.isdecimal():
                zero = ord(char) - int(char)
                while i < n and zero <= ord(text[i]) <= zero + 9:
                    i += 1
                out.append(self.digits(text[start:i]))
            else:
                out.append(char)
        return "".join(out)

    def _token(self, token: str) -> str:
        known = self._tokens.get(token)
        if known is None:
            known = self._walk(token)
            self._tokens.put(token, known)
        return known

    def _walk(self, token: str) -> str:
        lower, upper = _folded(token)
        if self._names.known(lower):
            masked = self._names.mask(lower)
            return "".join([c.upper() if up else c for c, up in zip(masked, upper, strict=True)])
        # alphabets are chosen so that the first step is in NFC; should new versions of Unicode compose letters in
        # ways not foreseen, walking on to the next text in NFC keeps the map a bijection
        return walk(token, self._step, lambda t: is_normalized("NFC", t) and not self._names.known(_folded(t)[0]))

    def _step(self, token: str, tweak: bytes = b"") -> str:
        letters, marks = _split(token)
        out = []
        for start in range(0, len(letters), CHUNK):
            part = slice(start, start + CHUNK)
            out += self._letters(letters[part], marks[part], short=len(letters) <= 2, tweak=tweak)
        return "".join(letter + mark for letter, mark in zip(out, marks, strict=True))

    def _letters(self, letters: Sequence[str], marks: Sequence[str], *, short: bool, tweak: bytes) -> list[str]:
        folded = [fold(letter) for letter in letters]
        choices = [alphabet(c, m, wide=short) for (c, _), m in zip(folded, marks, strict=True)]
        if short:
            choices = [
                (ANY_ASCII, False) if "a" <= c <= "z" and not m else choice
                for (c, _), m, choice in zip(folded, marks, choices, strict=True)
            ]
        proper = any(not odd and len(a.letters) > 1 for a, odd in choices)
        moving = [
            i
            for i, (a, odd) in enumerate(choices)
            if len(a.letters) > 1 and folded[i][0] in a.places and not (odd and proper)
        ]
        if not moving:
            return list(letters)
        names = "\n".join(choices[i][0].name for i in moving)
        make = partial(self._make_shape, tweak=tweak) if tweak else self._shape
        permutation = make(f"{names}\n{moving}", tuple(len(choices[i][0].letters) for i in moving))
        out = list(letters)
        for i, digit in zip(moving, permutation([choices[i][0].places[folded[i][0]] for i in moving]), strict=True):
            letter = choices[i][0].letters[digit]
            out[i] = letter.upper() if folded[i][1] else letter
        return out

    def _make_shape(self, name: str, radices: tuple[int, ...], tweak: bytes = b"") -> Permutation:
        return Permutation(self._key, name.encode("utf-8") + tweak, radices, once=bool(tweak))

    # --- not in NFC ---------------------------------------------------------------------------------------------

    def _uncomposed(self, text: str) -> str:
        """The pseudonym of a text in NFD, or in neither form: then cluster by cluster, each in its own form."""
        composed = normalize("NFC", text)
        if normalize("NFD", composed) == text:
            return normalize("NFD", self._composed(composed))
        out: list[str] = []
        pending: list[tuple[str, str]] = []
        for cluster in _clusters(text):
            its_form = form(cluster)
            if its_form == "X":
                out += [*self._flush(pending), self._unstable(cluster)]
                pending = []
            else:
                pending.append((cluster, its_form))
        return "".join([*out, *self._flush(pending)])

    def _flush(self, clusters: Sequence[tuple[str, str]]) -> list[str]:
        composed = [normalize("NFC", cluster) for cluster, _ in clusters]
        masked = self._composed("".join(composed))
        out = []
        start = 0
        for (_, its_form), cluster in zip(clusters, composed, strict=True):
            part = masked[start : start + len(cluster)]
            start += len(cluster)
            out.append(normalize("NFD", part) if its_form == "D" else part)
        return out

    def _unstable(self, cluster: str) -> str:
        char, marks = cluster[0], cluster[1:]
        if char.isdecimal():
            return self.digits(char) + marks
        if not char.isalpha():
            return cluster
        folded, upper = fold(char)
        choice: Alphabet = unstable_alphabet(folded, marks)
        if len(choice.letters) < 2 or folded not in choice.places:
            return cluster
        permutation = self._shape(f"X{choice.name}", (len(choice.letters),))
        letter = choice.letters[permutation([choice.places[folded]])[0]]
        return (letter.upper() if upper else letter) + marks


def _cased(masked: str, token: str) -> str:
    """A pseudonym in lower case, cased as an ASCII token is."""
    if token.islower():
        return masked
    if token.isupper():
        return masked.upper()
    if token.istitle():
        return masked.capitalize()
    return "".join(m.upper() if c.isupper() else m for m, c in zip(masked, token, strict=True))


def _folded(token: str) -> tuple[str, list[bool]]:
    """A token in lower case, and which of its letters were in upper case."""
    folded = [fold(c) for c in token]
    return "".join([c for c, _ in folded]), [upper for _, upper in folded]


def _split(token: str) -> tuple[list[str], list[str]]:
    """A token's letters, and the combining marks after each."""
    letters: list[str] = []
    marks: list[str] = []
    for char in token:
        if is_mark(char):
            marks[-1] += char
        else:
            letters.append(char)
            marks.append("")
    return letters, marks


def _clusters(text: str) -> list[str]:
    """The text cut where no normalization form reaches across: before each character that combines with none before."""
    out: list[str] = []
    last = ""
    for char in text:
        if out and (
            is_mark(char)
            or ("\u1160" <= char <= "\u11a7" and "\u1100" <= last <= "\u115f")
            or ("\u11a8" <= char <= "\u11ff" and ("\u1160" <= last <= "\u11a7" or "\uac00" <= last <= "\ud7a3"))
        ):
            out[-1] += char
        else:
            out.append(char)
        last = char
    return out
