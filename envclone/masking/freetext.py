"""The mask of free text: every known identity in it, and everything that looks like one.

A text is cut into words and numbers once (`runs`). Words of known names are looked up and judged by their surroundings
(`judge`); longer spellings are looked up by their rarest word (`lexicon`); names inside longer runs of letters, in
scripts without spaces, are found by an Aho–Corasick automaton (CACM 18/6, 1975); RE2 finds what tells by its form
(`patterns`). The longest span wins and is masked by the mask of its column: an identity has one pseudonym everywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby

import numpy as np

from envclone.compiled import available
from envclone.masking import longtexts
from envclone.masking.corpus import Corpus
from envclone.masking.decoders import Edit, View, views
from envclone.masking.edits import apart, applied
from envclone.masking.finder import Finder
from envclone.masking.makers import Makers
from envclone.masking.nobody import Nobody, NobodyMask, usual
from envclone.masking.packing import by_text, masked_block
from envclone.masking.parts import canonical
from envclone.masking.patterns import Span
from envclone.masking.persons import Persons
from envclone.masking.spelled import marked, spelled
from envclone.masking.whole import WholeNames
from envclone.packed import TextBlock, block_of

__all__ = ["FreeText", "Span"]

BATCH, PACKED = 1 << 17, 1 << 18
"""Characters searched at once, and bytes of a block."""

_SEPARATOR = "\x00"
_GROUPED = frozenset(("iban", "card"))
_NUMBERS = _GROUPED | {"national_id"}
_MEMORY = 1 << 16
"""Identities of one kind whose pseudonyms are remembered."""
_ODD = re.compile(r"[^\w \-]|_|\s\s")
_PARTED = re.compile(r"[,;|\n]")
"""What parts telephone numbers, where it stands within one that is known."""
_PARTED_BYTES = re.compile(_PARTED.pattern.encode())


class FreeText:
    """Masks identities inside texts; `makers` give the mask of a kind, `net` finds more in one text. With `whole`
    names are functions of the whole person (`persons`).

    Texts keep their length in characters and bytes, but for IP addresses. The lexicon is made at the first text.
    """

    def __init__(
        self,
        corpus: Corpus,
        makers: Makers,
        net: Callable[[str], Iterator[Span]] | None = None,
        *,
        whole: bool = False,
        nobody: Nobody | None = None,
        tagger: bool = True,
    ) -> None:
        self._corpus = corpus
        self._makers = makers
        self._nobody = nobody or usual()
        self.finder = Finder(corpus, self._nobody, net, tagger=tagger)
        """Finds what is masked."""
        self._whole = whole
        self._known: dict[str, dict[str, str]] = {}

    def mask(self, values: Sequence[str]) -> list[str]:
        """The texts with every identity in them replaced, in order."""
        if self._whole or not available() or any(_SEPARATOR in value for value in values):
            return self._of_texts(values)
        out: list[str] = []
        for long, some in groupby(values, lambda value: len(value) > longtexts.LONG):
            # a long one is not packed: it would be held five times
            its = list(some)
            out += self._of_texts(its) if long else [one for one in self.packed(block_of(its)) if one is not None]
        return out

    def _of_texts(self, values: Sequence[str]) -> list[str]:
        out: list[str] = []
        batch: list[str] = []
        size = 0
        for value in values:
            if _SEPARATOR in value:
                out += self._batch(batch)
                out += self._apart(value)
                batch, size = [], 0
                continue
            if len(value) > longtexts.LONG:
                out += [*self._batch(batch), longtexts.in_pieces(value, self._of_part)]
                batch, size = [], 0
                continue
            batch.append(value)
            size += len(value)
            if size >= BATCH:
                out += self._batch(batch)
                batch, size = [], 0
        return out + self._batch(batch)

    def packed(self, block: TextBlock) -> TextBlock:
        """The texts of a block with every identity in them replaced."""
        if self._whole or not available():
            return by_text(self._of_texts, block)
        zeros = block.zeros
        out: list[bytes] = []
        first = 0
        while first < len(block):
            last = max(first + 1, int(np.searchsorted(zeros, zeros[first] + PACKED, "right")) - 1)
            out.append(self._part(block.block[zeros[first] + 1 : zeros[last]], last - first))
            first = last
        return TextBlock(b"\0".join(out), block.absent)

    def _part(self, data: bytes, count: int) -> bytes:
        """Some texts with a zero between two; those that have other readings go the way of texts."""
        text = data.decode("utf-8", "surrogatepass")
        told = [True] * count if len(text) > longtexts.LONG else marked(np.frombuffer(data, np.uint8), count)
        if not any(told):
            return self._plain_part(data, text)
        texts = text.split(_SEPARATOR)
        plain = _SEPARATOR.join([one for one, odd in zip(texts, told, strict=True) if not odd])
        masked = iter(self._of_texts([one for one, odd in zip(texts, told, strict=True) if odd]))
        if all(told):
            return _SEPARATOR.join(masked).encode("utf-8", "surrogatepass")
        rest = iter(self._plain_part(plain.encode("utf-8", "surrogatepass"), plain).split(b"\0"))
        return b"\0".join([next(masked).encode("utf-8", "surrogatepass") if odd else next(rest) for odd in told])

    def _plain_part(self, data: bytes, text: str) -> bytes:
        """Texts that are read as they are written, as bytes and as what these mean."""
        marks = self.finder.marks(text)
        if marks is None:
            return self._odd_part(text)
        from envclone.masking.pieces import replaced

        return replaced(data, *marks, self._packed_pseudonyms)

    def _odd_part(self, text: str) -> bytes:
        """The same of texts of which only Python reads some right: the others go through the loop without them."""
        texts = text.split(_SEPARATOR)
        odd = self.finder.odd(texts)
        if not odd or len(odd) == len(texts):
            return applied(text, self._plain_edits(text)).encode("utf-8", "surrogatepass")
        one_by_one = set(odd)
        alone = _SEPARATOR.join([texts[i] for i in odd])
        rest = _SEPARATOR.join([one for i, one in enumerate(texts) if i not in one_by_one])
        slow = iter(applied(alone, self._plain_edits(alone)).encode("utf-8", "surrogatepass").split(b"\0"))
        fast = iter(self._plain_part(rest.encode("utf-8", "surrogatepass"), rest).split(b"\0"))
        return b"\0".join([next(slow if i in one_by_one else fast) for i in range(len(texts))])

    def _packed_pseudonyms(self, kind: str, block: TextBlock) -> TextBlock:
        """What `_pseudonyms` says, for every identity of a block."""
        if kind in _NUMBERS or (kind == "phone" and _PARTED_BYTES.search(block.block)):
            values = block.texts()
            known = self._pseudonyms(kind, [value for value in values if value is not None])
            return block_of([known[value] for value in values if value is not None])
        mask = self._makers.mask(kind)
        # a part of somebody's name, though alone it would be nobody's: 'Test Quimby'
        return mask.parts(block) if kind == "person" and isinstance(mask, NobodyMask) else masked_block(mask, block)

    def _of_part(self, text: str) -> list[Edit]:
        return self._edits(text) if spelled([text])[0] else self._plain_edits(text)

    def _apart(self, value: str) -> list[str]:
        return [_SEPARATOR.join(self._batch(value.split(_SEPARATOR)))]

    def _batch(self, values: Sequence[str]) -> list[str]:
        if not values:
            return []
        told = spelled(values)
        if all(told) or not any(told):
            return self._masked(values, read=told[0])
        plain = iter(self._masked([value for value, odd in zip(values, told, strict=True) if not odd], read=False))
        odd = iter(self._masked([value for value, odd in zip(values, told, strict=True) if odd], read=True))
        return [next(odd if may else plain) for may in told]

    def _masked(self, values: Sequence[str], *, read: bool) -> list[str]:
        """Texts of a batch; `read` says that they are read in every way, not only as they are written."""
        text = _SEPARATOR.join(values)
        edits = self._edits(text) if read else self._plain_edits(text)
        return applied(text, edits).split(_SEPARATOR)

    def _edits(self, text: str) -> list[Edit]:
        """What is to be replaced in a text: as it is written, and in every way that it can be read."""
        found: dict[View | None, list[Edit]] = {None: self._plain_edits(text)}
        seen = list(views(text))
        if seen:
            ends: list[int] = []
            texts = [view.text for view in seen]
            for one in texts:
                ends.append((ends[-1] if ends else -1) + len(one) + 1)
            found.update({view: [] for view in seen})
            for start, end, new in self._plain_edits(_SEPARATOR.join(texts)):
                i = bisect_left(ends, end)
                begin = ends[i] - len(texts[i])
                found[seen[i]].append((start - begin, end - begin, new))
        for view in reversed(seen):  # children before their parents
            if own := apart(view.text, found[view]):
                found[view.parent] += view.edits(own)
        return apart(text, found[None])

    def _plain_edits(self, text: str) -> list[Edit]:
        spans = self.finder.spans(text)
        persons: Mapping[tuple[int, int], str] = {}
        if self._whole:
            spans, persons = self._persons.told(text, spans)
        kinds: dict[str, list[Span]] = defaultdict(list)
        for span in spans:
            kinds[span[2]].append(span)
        out = [(start, -end, persons[start, end]) for start, end, _ in spans if (start, end) in persons]
        for kind, those in kinds.items():
            alone = [span for span in those if span[:2] not in persons] if persons else those
            values = [text[start:-end] for start, end, _ in alone]
            fresh = self._pseudonyms(kind, values)
            out += [(start, -end, fresh[value]) for (start, end, _), value in zip(alone, values, strict=True)]
        out.sort()
        return out  # in order and apart

    def _pseudonyms(self, kind: str, values: Sequence[str]) -> Mapping[str, str]:
        """The pseudonyms of one kind of identities; remembered until there are too many."""
        known = self._known.setdefault(kind, {})
        if len(known) > _MEMORY:
            known.clear()
        if new := list(set(values).difference(known)):
            plain = [_ungrouped(value, kind) for value in new] if kind in _NUMBERS or kind == "phone" else new
            masked = self._makers.mask(kind).mask(plain)
            known.update(zip(new, map(_regrouped, new, plain, masked) if plain is not new else masked, strict=True))
            if kind == "person":  # a part of somebody's name, though alone it would be nobody's: 'Test Quimby'
                parts = [new[i] for i in self._nobody.suspects(kind, new) if self._nobody.holds(kind, new[i])]
                known.update(zip(parts, self._makers.plain(kind).mask(parts), strict=True))
        return known

    @cached_property
    def _persons(self) -> Persons:
        mask = self._makers.plain("person")
        assert isinstance(mask, WholeNames)
        return Persons(self._corpus, mask)


def _ungrouped(value: str, kind: str) -> str:
    """A number without a grouping that its mask does not know."""
    if kind == "phone":
        return canonical(value) if _PARTED.search(value) is not None else value
    if kind in _GROUPED:
        return canonical(value)
    return canonical(value) if kind == "national_id" and _ODD.search(value) is not None else value


def _regrouped(value: str, plain: str, masked: str) -> str:
    """The pseudonym of a number with the original's grouping."""
    if plain is value or plain == value:
        return masked
    fresh = iter(masked)
    return "".join([_cased(next(fresh), char) if char.isalnum() else char for char in value])


def _cased(new: str, old: str) -> str:
    return new.lower() if old.islower() else new
