"""Search derived values as closely as kept values of rows: what nobody looked at, for its rows are gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations

from envclone.models import APART
from envclone.verifier.beside import Beside, Weak
from envclone.verifier.compounds import Compounds
from envclone.verifier.findings import outline
from envclone.verifier.kept import pairs_of_one_person
from envclone.verifier.loose import Found, LooseSearch, Texts
from envclone.verifier.subjects import Subjects
from envclone.verifier.wordhits import weak_words

__all__ = ["Close"]

_APART = APART.encode()


class Close:
    """Parts of one person's identity, numbers in other groups; without `subjects` there is nothing to find."""

    def __init__(self, subjects: Subjects | None, weak: LooseSearch | None, compounds: Compounds | None) -> None:
        self._subjects, self._weak, self._compounds = subjects, weak, compounds

    def places(self, data: bytes) -> Iterator[int]:
        """Where anything begins in folded bytes."""
        return chain.from_iterable(one.places(data) for one in (self._weak, self._compounds) if one is not None)

    def source(self, number: int) -> tuple[str, str]:
        """The field that showed a weak identity first, and its kind."""
        assert self._subjects is not None
        return self._subjects.source(number)

    def find(self, texts: Texts, told: Mapping[int, list[Found]]) -> Iterator[tuple[int, str, str, bool, str]]:
        """What is found outside of what was `told`: the value's number, its source, kind, whether it is a number of
        a person rather than parts of an identity, and its outline."""
        if self._subjects is None or self._weak is None or self._compounds is None:
            return
        hits = weak_words(self._weak, texts).outside(told)
        for value in hits.near(self._subjects):
            those = hits[value]
            pair = pairs_of_one_person(self._subjects, [one.hit for one in those], those[0].text)
            if pair is not None:
                source, kind = self._subjects.source(pair[0].original)
                yield value, source, kind, False, outline(those[0].text, pair[0].start, pair[1].end)
        for joined in self._compounds.find(texts):
            yield (
                joined.value,
                joined.source,
                joined.kind,
                joined.number,
                outline(joined.text, joined.hit.start, joined.hit.end),
            )

    def count(self, texts: Sequence[str], at: Sequence[str], tally: Beside) -> None:
        """Count entries whose columns, with `APART` between two, hold what one person is called."""
        if self._subjects is None or self._weak is None:
            return
        hits = weak_words(self._weak, Texts(texts, decoded=False))
        for value in hits.many():
            those = hits[value]
            columns: dict[int, dict[int, bool]] = defaultdict(dict)
            for one in those:
                before, behind = one.text[: one.hit.start], one.text[one.hit.end :]
                whole = (not before or before.endswith(_APART)) and (not behind or behind.startswith(_APART))
                of = columns[before.count(_APART)]
                of[one.hit.original] = whole or of.get(one.hit.original, False)
            for left, right in combinations(columns.values(), 2):
                own = tally.add(
                    self._subjects, [Weak(*one) for one in left.items()], [Weak(*one) for one in right.items()]
                )
                if own is not None and tally.example is None:
                    tally.example = own, at[value] if at else ""
