"""The original values of masked fields: what must be gone, and how telling each of them is."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envclone.compiled import available, frozen
from envclone.distinct import Distinct
from envclone.masking.crowd import form_of, loops, odd_of, trimmed
from envclone.masking.keywords import KEY_WORDS
from envclone.masking.letters import MARKS
from envclone.masking.meant import UNSAID, meant
from envclone.masking.names import is_name
from envclone.masking.notations import KINDS_NOTED, LONGEST_NOTED, notations, with_notations
from envclone.masking.transliterated import (
    KINDS_TRANSLITERATED,
    in_lines_too,
    of_lines,
    with_lines,
    with_transliterated,
)
from envclone.masking.words import NAMES_TOO, WORDS_FIRST
from envclone.packed import Packed, having
from envclone.shelf import Column, Shelf
from envclone.verifier.namevariants import ODD_NAME, name_variants, with_variants

__all__ = ["BY_MORE", "PART", "Original", "Originals", "is_word", "spellings", "strong", "telling"]

PART = "part"
"""The kind of a weak identity, which counts as a word only."""
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{MARKS}])*")
"""A word with its marks: the vowels of Indian scripts are marks behind letters, and no gaps between words."""
_DIGIT = re.compile(r"\d")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IBAN = re.compile(r"[A-Za-z]{2}\d{2}[ -]?(?:[A-Za-z0-9][ -]?){12,30}$")
_TAGGED = re.compile(rb"\+[^@\0]*@|@(?i:gmail|googlemail)\.com")
_DOTS_MEAN_NOTHING = frozenset(("gmail.com", "googlemail.com"))
"""Hosts of mail."""
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
"""Names in scripts that put no space between the parts of one."""
_SIGN = re.compile(r"[^\W_]")
BY_MORE = frozenset(("username", "ip")) | UNSAID
"""Kinds whose strength is no matter of form alone."""
_ENTROPIC = frozenset(("national_id", "card", "iban", "uuid", "secret"))
_SHORTEST_USERNAME, _SHORTEST_CODE, _FEWEST_SIGNS, _LONG = 4, 6, 3, 12
_PLACEHOLDERS = frozenset(
    (
        *("password", "passwort", "passwd", "username", "user_name", "secret", "changeme", "change_me", "change-me"),
        *(
            "changethis",
            "example",
            "placeholder",
            "token",
            "api_key",
            "api-key",
            "apikey",
            "your-api-key",
            "your_api_key",
        ),
        *(
            "yourpassword",
            "your-password",
            "your_password",
            "your-secret",
            "your_secret",
            "client_secret",
            "secret_key",
        ),
        *("secretkey", "disabled", "default", "unset", "string", "redacted", "encrypted"),
    )
)
"""What stands where a secret or a login has still to be put: a word of programs, whoever has it."""
_LONGEST_PLACEHOLDER = max(map(len, _PLACEHOLDERS))
_HEX = re.compile(r"([0-9a-f]{2})+")
_UUID_LENGTH, _DASHES = 36, np.array([8, 13, 18, 23])
_NOT_IN_UUID = bytes(byte not in b"0123456789abcdefABCDEF-" for byte in range(256))
_ODD = bytes(byte not in range(0x20, 0x7F) or chr(byte) in "%\\:" for byte in range(256))
"""Per byte whether a value that has it may be spelled otherwise than by case: not ASCII, escapes, addresses."""
_AT_ONCE, _FEWER = 1 << 18, 1 << 14
"""Values, or bytes of them, that are looked through together; and UUIDs."""


@dataclass(frozen=True, slots=True)
class Original:
    """Where an original value stands in production, and whether it is an identity by itself."""

    address: str
    kind: str
    strong: bool


class Originals:
    """Every distinct original value of the masked fields, of all stores.

    Quarantined: it lives in memory, and on the shelf in files that have no name, in quarantine.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self.shelf = shelf or Shelf()
        """Where what is made of them may lie, too."""
        self._values = Distinct(self.shelf)
        self._sources: dict[Original, int] = {}
        self.known: list[Original] = []
        """The different sources."""
        self._source_of = Column(self.shelf, np.uint16)

    def add(self, address: str, kind: str, values: Iterable[str]) -> None:
        """Take in values of one field; the first field that shows a value is the one that a report names."""
        stripped = [text for value in values if (text := value.strip())]
        if kind in KINDS_TRANSLITERATED:
            stripped = list(with_transliterated(stripped))
        if kind == "person":
            stripped = list(with_variants(stripped))
        if kind == "address":
            stripped = list(with_lines(stripped))
        if kind in KINDS_NOTED:
            stripped = list(with_notations(kind, stripped))
        if kind == "email":
            stripped += _mailboxes(stripped)
        if kind == "iban":
            stripped += [_account_of(value) for value in stripped if _IBAN.match(value)]
        self._add(address, kind, stripped)

    def _add(self, address: str, kind: str, texts: list[str]) -> None:
        new = [self._source(Original(address, kind, strong(kind, value))) for value in self._values.add(texts)]
        self._source_of.extend(np.array(new, np.uint16))

    def take(self, address: str, kind: str, values: Packed) -> None:
        """The same of packed values."""
        self.add(address, kind, (text for _, text in odd_of(values)))
        if not available():
            return
        plain = trimmed(values)
        self._take_plain(address, kind, plain)
        if kind == "iban":
            self._add(address, kind, [_account_of(text) for text in plain.texts() if text and _IBAN.match(text)])
        if kind == "person":
            self._add(address, kind, [way for text in having(plain, ODD_NAME) for way in name_variants(text)])
        if kind == "email":
            self._add(address, kind, _mailboxes(having(plain, _TAGGED)))
        if kind == "address":
            self._take_plain(address, kind, in_lines_too(plain))
            self._add(address, kind, of_lines(plain))

    def _take_plain(self, address: str, kind: str, plain: Packed) -> None:
        before = len(self._values)
        numbers = self._values.take(plain)
        new = len(self._values) - before
        if not new:
            return
        places = np.flatnonzero(numbers >= before)
        firsts = places[np.unique(numbers[places], return_index=True)[1]]
        strengths = telling(kind, plain, firsts)
        sources = np.array([self._source(Original(address, kind, one)) for one in (False, True)], np.uint16)
        self._source_of.extend(sources[strengths.astype(np.int64)])
        if kind in KINDS_NOTED:
            self._take_notations(address, kind, plain, firsts, strengths)

    def _take_notations(self, address: str, kind: str, plain: Packed, firsts: Any, strengths: Any) -> None:
        short = plain.stops[firsts] - plain.starts[firsts] <= LONGEST_NOTED
        if kind != "ip":
            self._add(address, kind, [way for at in firsts[short] for way in notations(kind, plain.text(at))])
            return
        for strong_ones in (False, True):  # an address tells as much in each notation
            those = firsts[short & (strengths.astype(bool) == strong_ones)].tolist()
            new = self._values.add([way for at in those for way in notations(kind, plain.text(at))])
            source = self._source(Original(address, kind, strong_ones))
            self._source_of.extend(np.full(len(new), source, np.uint16))

    def _source(self, source: Original) -> int:
        if source not in self._sources:
            self._sources[source] = len(self.known)
            self.known.append(source)
        return self._sources[source]

    @classmethod
    def parts(cls, texts: Distinct) -> Originals:
        """Weak identities, numbered as they are there; sealed."""
        made = cls(texts.shelf)
        made._values = texts
        source = made._source(Original("", PART, False))
        for first in range(0, len(texts), _AT_ONCE):
            made._source_of.extend(np.full(min(_AT_ONCE, len(texts) - first), source, np.uint16))
        made.seal()
        return made

    def packed(self) -> tuple[Any, Any]:
        """The bytes of all values one behind the other, and their bounds: of `n` values `n + 1`."""
        return self._values.packed()

    def seal(self) -> None:
        """Take in no more values."""
        self._values.seal()

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, number: int) -> Original:
        """Where a value stands, by its number."""
        return self.known[int(self._source_of.array[number])]

    def value(self, number: int) -> str:
        """A value, by its number."""
        return self._values[number]

    def held(self) -> tuple[Any, Any]:
        """The bytes of all values one behind the other, and their bounds, as they lie there (`Distinct.held`)."""
        return self._values.held()

    def plain(self, least: int) -> Any:
        """The numbers (uint32) of the values of at least so many bytes whose spellings (`spellings`) are themselves and
        their lower case: for millions of them a value at a time takes too long."""
        block, bounds = self._values.held()
        odd, found = self.having(_ODD), Column(self.shelf, np.uint32)
        for first in range(0, len(odd), _AT_ONCE):
            some = bounds[first : first + _AT_ONCE + 1].astype(np.int64)
            lengths = np.diff(some)
            chosen = (lengths >= least) & ~odd[first : first + _AT_ONCE]
            perhaps = np.flatnonzero(chosen & (lengths == _UUID_LENGTH))
            chosen[perhaps] = (block[some[perhaps, None] + _DASHES] != ord("-")).any(axis=1)
            found.extend(np.flatnonzero(chosen) + first)
            self.shelf.rest()
        return found.array

    def uuids(self) -> Any:
        """The numbers (uint32) of the values that are a UUID with its dashes and count wherever they stand."""
        block, bounds = self._values.held()
        other, found = self.having(_NOT_IN_UUID), Column(self.shelf, np.uint32)
        telling = np.array([one.strong and one.kind != "phone" for one in self.known] or [False])
        for first in range(0, len(other), _AT_ONCE):
            some = bounds[first : first + _AT_ONCE + 1].astype(np.int64)
            perhaps = np.flatnonzero((np.diff(some) == _UUID_LENGTH) & ~other[first : first + _AT_ONCE])
            perhaps = perhaps[telling[self._source_of.array[first : first + _AT_ONCE][perhaps]]]
            for begin in range(0, len(perhaps), _FEWER):
                part = perhaps[begin : begin + _FEWER]
                dashes = block[some[part, None] + np.arange(_UUID_LENGTH)] == ord("-")
                part = part[dashes[:, _DASHES].all(axis=1) & (dashes.sum(axis=1) == len(_DASHES))]
                found.extend(part + first)
                self.shelf.rest()
        return found.array

    def having(self, table: bytes) -> Any:
        """Per value whether one of its bytes is marked in a table of 256."""
        block, bounds = self._values.held()
        found = self.shelf.zeros(np.bool_, len(self._values))
        if available():
            from envclone.verifier import kernels  # late: it waits for the compiler

            marks = np.frombuffer(table, np.uint8)
            for first in range(0, len(found), _AT_ONCE):
                kernels.having(frozen(block), bounds, first, first + _AT_ONCE, marks, found)
                self.shelf.rest()
            return found
        for first in range(0, len(block), _AT_ONCE):
            told = np.frombuffer(block[first : first + _AT_ONCE].tobytes().translate(table), np.bool_)
            places = (np.flatnonzero(told) + first).astype(bounds.dtype)
            found[np.searchsorted(bounds, places, "right") - 1] = True
            self.shelf.rest()
        return found

    def sources(self) -> Any:
        """Per value where among the `known` its source is (uint16)."""
        return self._source_of.array

    def strong_of(self, kinds: Collection[str]) -> Any:
        """The numbers of the strong ones of some kinds (int64), ascending."""
        wanted = [at for at, source in enumerate(self.known) if source.kind in kinds and source.strong]
        return self._numbers_of(wanted)

    def numbers_of(self, kinds: Collection[str]) -> Any:
        """The numbers of those of some kinds (int64), ascending."""
        wanted = [at for at, source in enumerate(self.known) if source.kind in kinds]
        return self._numbers_of(wanted)

    def _numbers_of(self, sources: Sequence[int]) -> Any:
        """The numbers of the values that some sources have."""
        found, every = Column(self.shelf, np.int64), self.sources()
        wanted = np.zeros(len(self.known) + 1, np.bool_)
        wanted[list(sources)] = True
        for first in range(0, len(every), _AT_ONCE):
            found.extend(np.flatnonzero(wanted[every[first : first + _AT_ONCE]]) + first)
        return found.array

    def of_kinds(self, kinds: Collection[str]) -> Iterator[tuple[int, str]]:
        """Those of some kinds: number, value."""
        for number in self.numbers_of(kinds).tolist():
            yield number, self._values[number]

    def items(self) -> Iterator[tuple[int, str, Original]]:
        """All of them: number, value, source."""
        for number, value in enumerate(self._values):
            yield number, value, self[number]


def _mailboxes(addresses: Iterable[str]) -> list[str]:
    """The mailboxes of addresses of mail as others write them: without what stands behind a +, and without dots where
    these mean nothing."""
    found = []
    for address in addresses:
        local, at, host = address.rpartition("@")
        if at and ("+" in local or host.lower() in _DOTS_MEAN_NOTHING):
            mailbox = local.partition("+")[0]
            if host.lower() in _DOTS_MEAN_NOTHING:
                mailbox, host = mailbox.replace(".", ""), "gmail.com"
            if mailbox:
                found.append(f"{mailbox}@{host}")
    return found


def _account_of(iban: str) -> str:
    """The number of the bank and the account, which stand in an IBAN behind country and check digits."""
    return iban.replace(" ", "").replace("-", "")[4:]


def telling(kind: str, values: Packed, places: Any) -> Any:
    """Of the plain values at some places whether each is `strong`."""
    if kind in BY_MORE:
        return np.array([strong(kind, values.text(place)) for place in places.tolist()], np.bool_)
    found = np.zeros(len(places), np.bool_)
    if kind != PART:
        loops().telling(values.block, values.starts[places], values.stops[places], form_of(kind), found)
    if kind == "secret":
        short = values.stops[places] - values.starts[places] <= _LONGEST_PLACEHOLDER
        for at in np.flatnonzero(found & short).tolist():
            found[at] = values.text(places[at]).lower() not in _PLACEHOLDERS
    return found


def strong(kind: str, value: str) -> bool:
    """Whether a value is an identity by its form or its entropy, wherever it stands.

    An e-mail address, a phone number of seven digits, a national id, a card, an IBAN, a user name that is not a word, a
    uuid, a secret or a full name is. A single name ('Mark', 'Paris'), a street or a short code is not: `parts` and the
    row that it stands in decide there. Of a value under `constant`, `redact` or `null` its looks tell
    (`masking.meant`).
    """
    if kind == PART:
        return False
    if kind == "email":
        return "@" in value
    if kind == "phone":
        return len(_DIGIT.findall(value)) >= 7
    if kind == "person":
        return len(_WORD.findall(value)) >= 2 or (len(value) >= 3 and _UNSPACED.fullmatch(value) is not None)
    if kind == "username":
        return len(value) >= _SHORTEST_USERNAME and not is_word(value) and value.lower() not in _PLACEHOLDERS
    if kind == "ip":
        return _public(value)
    if kind in UNSAID:
        return _telling_by_looks(value)
    if kind == "secret" and value.lower() in _PLACEHOLDERS:
        return False
    signs = _SIGN.findall(value)
    if kind in _ENTROPIC:
        return len(signs) >= _SHORTEST_CODE and len(set(signs)) >= _FEWEST_SIGNS
    if kind in ("address", "company"):
        return len(value) >= _LONG and len(value.split()) >= 2
    return len(value) >= _LONG


def _telling_by_looks(value: str) -> bool:
    """Whether a value of which nothing is said is an identity: as strong as one of the kind that it looks like."""
    its = meant(value)
    return its in UNSAID or (its != "" and strong(its, value))


def is_word(value: str) -> bool:
    """Whether a text is a word that means something else too: 'may', 'support', 'grace', 'christopher'."""
    lowered = value.lower()
    return (
        lowered in NAMES_TOO
        or lowered in WORDS_FIRST
        or lowered in KEY_WORDS
        or (lowered.isalpha() and is_name(lowered))
    )


def spellings(value: str) -> Iterator[bytes]:
    """The byte strings that a value may be written as: as it is, in lower case, escaped in JSON, as a type's bytes."""
    seen = {value.encode(), value.lower().encode()}
    if _UUID.fullmatch(value):
        seen.add(bytes.fromhex(value.replace("-", "")))
    elif value.startswith("\\x") and _HEX.fullmatch(value, 2):
        seen.add(bytes.fromhex(value[2:]))
    elif ":" in value and (address := _address(value)) is not None:
        seen.add(address)
    if not value.isascii():
        seen.add(json.dumps(value)[1:-1].encode())
    yield from seen


def _public(value: str) -> bool:
    """Whether an address is one of the internet: 127.0.0.1 and 10.0.0.1 are everybody's."""
    try:
        return ipaddress.ip_interface(value.replace("-", ".")).is_global  # names of hosts have it with dashes
    except ValueError:
        return len(value) >= 12


def _address(value: str) -> bytes | None:
    """The bytes of an IPv6 or MAC address."""
    try:
        return ipaddress.ip_interface(value).packed
    except ValueError:
        digits = value.replace(":", "")
        return bytes.fromhex(digits) if _HEX.fullmatch(digits) and len(digits) in (12, 16) else None
