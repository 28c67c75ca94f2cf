"""Values that are nobody's: `N/A`, `unknown`, `Deleted User`, `noreply@…`, 0000000000, the UUIDs of sentinels.

The list is shipped (`data/nobody.txt`), and the stack file adds to it. Such a value stays as it is wherever its kind is
masked, is not searched for, and is counted by field for the attestation.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from envclone.compiled import available
from envclone.masking.nobodylist import WORDED, every, known, listed, shipped, told_of
from envclone.masking.outline import shape
from envclone.masking.packing import by_text, masked_block
from envclone.masking.sieve import Sieve
from envclone.masking.walk import walk
from envclone.packed import Packed, Pairs, TextBlock, block_of
from envclone.protocols import Mask

if TYPE_CHECKING:
    from envclone.masking.shortlist import Shortlist

__all__ = ["KINDS_OF_NOBODY", "Nobody", "NobodyMask", "nobodys", "spared", "usual"]

_S = TypeVar("_S")
KINDS_OF_NOBODY = WORDED | {"secret", "key"}
"""The kinds whose values can be nobody's."""

_CALLED_BY_ADDRESS = frozenset(("person", "username"))
"""Kinds whose values are an address of e-mail where nothing else is known: `noreply@…` as a name is nobody's either."""
_NUMBERS = frozenset(("phone", "iban", "card", "national_id"))
_BY_FORM = _NUMBERS | {"uuid"}
"""The kinds of which some values are nobody's without standing in a list."""
_NOT_DIGIT = re.compile("[^0-9]")
_ZONE = r"(?: ?(?:z|utc|[+-]00(?::?00)?))?"
_NO_TIME = re.compile(
    rf"[ t]00:00(?::00(?:\.0+)?)?{_ZONE}\Z|(?<=-12-31)[ t]23:59(?::59(?:\.9+)?)?{_ZONE}\Z", re.IGNORECASE
)
"""Midnight, and the end of a year's last day: times that whoever wrote such a day did not mean."""
_DIALLED = "0123456789(+"
_BATCH = 32
"""Values that are worth a search for all of the list at once."""
_LONGEST = 64
"""Characters; what is longer is no such value."""
_UUID_DIGITS = 32
_CALLED = re.compile(r"\b(?:tel|phone|mobile|ext|x|fax)\b[.:]?|(?<=[0-9])x(?=[0-9])")
"""Words beside a number that is dialled."""
_MOST_SHOWN = 20
_COUNTRIES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 54 55 56 57 60 61 62 63 64 65 66 81 82 84 86 90"
    " 91 92 98 351 352 353 354 356 357 358 359 370 371 372 380 381 385 386 420 421 852 886 966 971 972"
)
_UNDIALLED = frozenset(f"{code}{'0' * zeros}" for code in _COUNTRIES.split() for zeros in range(6, 12))
"""Digits of +1 000 000 0000: a country's code and nothing behind it."""
_SMALL = 30
"""Zeros before the number of a sentinel: 00000000-0000-0000-0000-000000000001."""


def _either(words: Iterable[str]) -> re.Pattern[str]:
    either = "|".join(re.escape(word).replace(r"\*", "[^@]*") for word in sorted(words))
    return re.compile(f"(?:{either})\\Z" if either else r"(?!)")


_OF_NO_HOST = frozenset(word for word in shipped()["email"] if word.startswith("*@"))
"""What is shipped of hosts that are none, such as `*@localhost`."""
_NO_HOST = _either(_OF_NO_HOST)
_INITIALS = 2
"""Letters of a name that tell nobody: `x@y.invalid`."""


class Nobody:
    """The values that are nobody's, by kind; `more` are those of the stack file."""

    def __init__(self, more: Mapping[str, Sequence[str]] | None = None) -> None:
        self._more = {kind: frozenset(map(told_of, values)) for kind, values in (more or {}).items()}
        self._plain: dict[str, frozenset[str]] = {}
        self._words: dict[str, frozenset[str]] = {}
        """The same in the ways in which words are written."""
        self._hosts: dict[str, re.Pattern[str]] = {}
        self._sieves: dict[str, Sieve] = {}
        self._lists: dict[str, Shortlist] = {}
        addresses = {word for word in listed("email") | self._more.get("email", frozenset()) if "@" in word}
        for kind in KINDS_OF_NOBODY:
            words = listed(kind) | self._more.get(kind, frozenset())
            if kind in _CALLED_BY_ADDRESS:
                words |= addresses
            own = self._more.get("email", frozenset()) | self._more.get(kind, frozenset())
            self._hosts[kind] = _either(word for word in _wild(words) if word in own or word not in _OF_NO_HOST)
            self._plain[kind] = words
            self._words[kind] = every(kind, words)

    @property
    def digest(self) -> str:
        """32 hex digits that change with every value of the lists."""
        words = {kind: sorted(words) for kind, words in sorted(self._plain.items())}
        return blake2b(json.dumps(words).encode(), digest_size=16).hexdigest()

    def holds(self, kind: str, value: str) -> bool:
        """Whether a value is nobody's under a kind."""
        if kind not in self._words or len(value) > _LONGEST:
            return False
        told = told_of(value)
        if told in self._words[kind] or not told:
            return bool(told)
        if kind == "phone" and told[0] == "+" and _NOT_DIGIT.sub("", told) in _UNDIALLED:
            return True
        if kind in _NUMBERS:
            return _same_digits(told.lstrip(string.ascii_lowercase) if kind == "iban" else told) or (
                told[0] in _DIALLED and _NOT_DIGIT.sub("", told) in self._words[kind]
            )
        if kind == "email" or kind in _CALLED_BY_ADDRESS:
            return "@" in told and (self._hosts[kind].match(told) is not None or self._of_no_host(kind, told))
        if kind == "uuid":
            return _low(told)
        return kind == "date" and _NO_TIME.sub("", told) in self._words[kind]

    def _of_no_host(self, kind: str, told: str) -> bool:
        """Whether an address of a host that is none says nobody before it: a person may well have one there."""
        local = told.removeprefix("mailto:").partition("@")[0]
        return (len(local) <= _INITIALS or local in self._words["username"] or local in self._words["person"]) and (
            _NO_HOST.match(told) is not None
        )

    def suspects(self, kind: str, values: Sequence[str]) -> Sequence[int]:
        """The places of all values that are nobody's, and of a few others."""
        if not self._words.get(kind) and kind not in _BY_FORM:
            return ()
        return range(len(values)) if len(values) < _BATCH else self._sieve(kind).through(values)

    def _sieve(self, kind: str) -> Sieve:
        if kind not in self._sieves:
            self._sieves[kind] = self._made(Sieve, kind, self._plain[kind])
        return self._sieves[kind]

    def _made(self, sieve: Callable[..., _S], kind: str, words: frozenset[str]) -> _S:
        wild = _wild(self._words[kind])
        return sieve(
            words,
            wild if kind == "email" or kind in _CALLED_BY_ADDRESS else (),
            numbers=kind in _NUMBERS,
            uuids=kind == "uuid",
            open_end=kind == "date",
        )

    def within(self, kind: str, block: TextBlock) -> list[int]:
        """The places of a block's texts that are nobody's; only where loops are compiled."""
        return [place for place in self._perhaps(kind, block) if self.holds(kind, block.text(place))]

    def _perhaps(self, kind: str, block: TextBlock) -> list[int]:
        """The places of those that may be."""
        if not self._words.get(kind) and kind not in _BY_FORM:
            return []
        if kind not in self._lists:
            from envclone.masking.shortlist import Shortlist

            words = self._words[kind] | (_UNDIALLED if kind == "phone" else frozenset())
            self._lists[kind] = self._made(Shortlist, kind, words)
        return self._lists[kind].among(block)

    def among(self, kind: str, values: Packed) -> list[int]:
        """The places of packed values that are nobody's."""
        if not self._words.get(kind) and kind not in _BY_FORM:
            return []
        if available() and (block := _as_block(values)) is not None:
            there = [place for place in self._perhaps(kind, block) if values.starts[place] >= 0]
            return [place for place in there if self.holds(kind, values.text(place))]
        return [place for place in self._sieve(kind).among(values) if self.holds(kind, values.text(place))]

    def told(self, found: Mapping[tuple[str, str], int]) -> list[tuple[str, int, list[str]]]:
        """Of counts by kind and value: per kind how many, and which, the commonest first.

        A value of the shipped list is shown without regard to case, any other one as its shape.
        """
        out: list[tuple[str, int, list[str]]] = []
        for kind in sorted({kind for kind, _ in found}):
            counts: dict[str, int] = {}
            for (its_kind, value), count in found.items():
                if its_kind == kind:
                    shown = self._shown(kind, value)
                    counts[shown] = counts.get(shown, 0) + count
            ranked = sorted(counts, key=lambda shown: (-counts[shown], shown))
            out.append((kind, sum(counts.values()), ranked[:_MOST_SHOWN]))
        return out

    def _shown(self, kind: str, value: str) -> str:
        told = told_of(value)
        if told in known(kind):
            return told
        if "@" in told and (kind == "email" or kind in _CALLED_BY_ADDRESS):
            local = told.partition("@")[0] + "@*"
            return local if local in shipped()["email"] else shape(told)
        return told if kind == "uuid" or (kind in _NUMBERS and _same_digits(told)) else shape(told)


@cache
def usual() -> Nobody:
    """The values of the shipped list alone; what finds them among many is made once for all that ask."""
    return Nobody()


def _as_block(values: Packed) -> TextBlock | None:
    """Packed values as one block, where they lie in it one by one; for one that is not there a mark may lie in it."""
    if not len(values):
        return None
    gone = values.starts < 0
    try:
        block = TextBlock(values.block[1:-1].tobytes(), gone)
    except ValueError:
        return None
    lie = ((values.starts == block.zeros[:-1] + 2) & (values.stops == block.zeros[1:] + 1)) | gone
    return block if lie.all() else None


class NobodyMask:
    """A mask that leaves what is nobody's, and makes nobody of nobody else: a bijection where the mask is one."""

    def __init__(self, kind: str, mask: Mask, nobody: Nobody) -> None:
        self._kind = kind
        self._mask = mask
        self._nobody = nobody
        self._strict = kind == "date"  # refuses what has not its form, which a value that is nobody's need not have

    def mask(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of `values`, in order."""
        return self._spared(values, self._mask.mask, packed=True)

    def packed(self, block: TextBlock) -> TextBlock:
        """The pseudonyms of a block of texts."""
        if not available():
            return by_text(lambda values: self._one_by_one(values, self._mask.mask), block)
        kept = self._nobody.within(self._kind, block)
        asked = block.replaced(kept, [""] * len(kept)) if kept and self._strict else block
        out = masked_block(self._mask, asked)
        return self._apart(out.replaced(kept, [block.text(place) for place in kept]), kept)

    def parts(self, block: TextBlock) -> TextBlock:
        """The pseudonyms of parts of somebody's values, which alone would be nobody's: 'Test Quimby'.

        Only where loops are compiled.
        """
        return self._apart(masked_block(self._mask, block), self._nobody.within(self._kind, block))

    def _apart(self, out: TextBlock, done: Sequence[int]) -> TextBlock:
        """Pseudonyms without those that are nobody's; the places `done` stay as they are."""
        mask, kind, holds = self._mask.mask, self._kind, self._nobody.holds
        late = sorted(set(self._nobody.within(kind, out)).difference(done))
        fresh = [walk(out.text(i), lambda value: mask([value])[0], lambda image: not holds(kind, image)) for i in late]
        return out.replaced(late, fresh)

    def _spared(
        self, values: Sequence[str], mask: Callable[[Sequence[str]], list[str]], *, packed: bool = False
    ) -> list[str]:
        if len(values) >= _BATCH:
            distinct = list(set(values))
            if 2 * len(distinct) <= len(values):
                images = dict(zip(distinct, self._spared(distinct, mask, packed=packed), strict=True))
                return [images[value] for value in values]
            if packed and available() and not any("\0" in value for value in values):
                return [text for text in self.packed(block_of(values)) if text is not None]
        return self._one_by_one(values, mask)

    def _one_by_one(self, values: Sequence[str], mask: Callable[[Sequence[str]], list[str]]) -> list[str]:
        holds, kind = self._nobody.holds, self._kind
        kept = {i for i in self._nobody.suspects(kind, values) if holds(kind, values[i])}
        strict = kept and self._strict
        out = mask(["" if i in kept else value for i, value in enumerate(values)] if strict else values)
        for i in kept:
            out[i] = values[i]
        for i in self._nobody.suspects(kind, out):
            if i not in kept and holds(kind, out[i]):
                out[i] = walk(out[i], lambda value: mask([value])[0], lambda image: not holds(kind, image))
        return out


class _Numbers(NobodyMask):
    def mask_numbers(self, values: Sequence[str]) -> list[str]:
        """The pseudonyms of JSON numbers."""
        numbers: Callable[[Sequence[str]], list[str]] = self._mask.mask_numbers  # type: ignore[attr-defined]
        return self._spared(values, numbers)


class _Subjects(_Numbers):
    def mask_by(self, values: Sequence[str], subjects: Sequence[str | None]) -> list[str]:
        """The pseudonyms of `values`, each under its subject."""
        holds, kind = self._nobody.holds, self._kind
        kept = {i for i in self._nobody.suspects(kind, values) if holds(kind, values[i])}
        asked = ["" if i in kept else value for i, value in enumerate(values)] if kept else values
        masked: list[str] = self._mask.mask_by(asked, subjects)  # type: ignore[attr-defined]
        for i in kept:
            masked[i] = values[i]
        return masked

    def packed_by(self, pairs: Pairs) -> TextBlock:
        """The same of blocks; only where loops are compiled."""
        kept = self._nobody.within(self._kind, pairs.values)
        asked = Pairs(pairs.values.replaced(kept, [""] * len(kept)), pairs.subjects) if kept else pairs
        masked: TextBlock = self._mask.packed_by(asked)  # type: ignore[attr-defined]
        return masked.replaced(kept, [pairs.values.text(i) for i in kept])


def spared(kind: str, mask: Mask, nobody: Nobody) -> Mask:
    """The mask of a kind, as it spares what is nobody's."""
    if kind not in KINDS_OF_NOBODY:
        return mask
    if hasattr(mask, "mask_by"):
        return _Subjects(kind, mask, nobody)
    return _Numbers(kind, mask, nobody) if hasattr(mask, "mask_numbers") else NobodyMask(kind, mask, nobody)


def _wild(words: Iterable[str]) -> list[str]:
    """The words that stand for many addresses, as addresses and as links to them."""
    wild = [word for word in words if "*" in word and "@" in word]
    return [*wild, *(f"mailto:{word}" for word in wild if not word.startswith("*"))]


def _same_digits(told: str) -> bool:
    """0, 000-000-0000, (999) 999-9999."""
    told = _CALLED.sub("", told)
    digits = _NOT_DIGIT.sub("", told)
    return bool(digits) and digits == digits[0] * len(digits) and not any(map(str.isalpha, told))


def _low(told: str) -> bool:
    """Whether a UUID was made by hand: one digit all over, or a small number behind zeros, whatever its version."""
    digits = told.removeprefix("urn:uuid:").strip("{}").replace("-", "")
    if len(digits) != _UUID_DIGITS:
        return False
    plain = digits[:12] + digits[13:16] + digits[17:]
    return len(set(plain)) == 1 or plain.startswith("0" * (_SMALL - 2))


def nobodys(nobody: Nobody, kind: str, values: Iterable[str]) -> set[str]:
    """The values that are nobody's, each once."""
    if kind not in KINDS_OF_NOBODY:
        return set()
    return {value for value in set(values) if nobody.holds(kind, value)}
