"""Learns the tagger's weights from labelled sentences: python -m tests.benchmarks.tagger_train OUT

Every second sentence of `strangers.txt` is learned from, with its people, towns and firms drawn anew many times, some
words made unknown, some sentences in small letters or capitals; `tests.benchmarks.strangers` measures the others.
A logistic regression over the features of every part of every run of capitalised words; only numpy is used.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from envclone.masking import tagger
from envclone.masking.closed import CLOSED
from envclone.masking.kernels import tagger as kernels
from envclone.masking.names import DICTIONARY
from envclone.masking.runs import cut, lower
from tests.benchmarks.strangers import Labelled, labelled, sentences

_DRAWS = 80
_SCALE = 64
_NAME_BITS = 8 | 16
_ROUNDS = 700


def main() -> int:
    draw = random.Random(7)
    names = _Names(draw)
    rows: list[list[int]] = []
    truths: list[bool] = []
    importance: list[float] = []
    for text in sentences()[0::2]:
        for _ in range(_DRAWS):
            _take(_redrawn(text, names, draw), draw, rows, truths, importance)
    for text in _prose():
        for _ in range(3):
            _take(Labelled(text, ()), draw, rows, truths, importance)
    found = _learned(rows, np.array(truths), np.array(importance))
    whole = np.rint(found * _SCALE).astype(int)
    lines = [f"{i} {weight}\n" for i, weight in enumerate(whole.tolist()) if weight]
    Path(sys.argv[1]).write_text("".join(lines))
    print(len(rows), "parts,", sum(truths), "persons,", len(lines), "weights")
    return 0


class _Names:
    """Names, towns and firms to draw from."""

    def __init__(self, draw: random.Random) -> None:
        lines = DICTIONARY.read_text(encoding="utf-8").splitlines()
        roles = {role: those for role, *those in map(str.split, lines)}
        self.draw = draw
        self.given = [roles["female"] + roles["male"], roles["female-english"] + roles["male-english"]]
        self.family = [roles["family"], roles["family-english"]]
        known = tagger.told().words
        self.places = [w for w, bits in known.items() if bits & kernels.PLACE and not bits & _NAME_BITS]
        self.places += [w for w, bits in known.items() if bits & kernels.PLACE and bits & _NAME_BITS] * 3
        self.firms = [w for w, bits in known.items() if bits & kernels.ORG]
        self.suffixes = ["Inc", "Ltd", "GmbH", "Group", "Corporation", "AG", "LLC"]

    def person(self, old: str) -> str:
        """Another name of the form of an old one."""
        words = old.split()
        head = [word for word in words[:-1] if lower(word).strip(".") in CLOSED[0]]
        rest = words[len(head) :]
        if len(rest) == 1 or "-" in rest[0]:
            family = head or self.draw.random() < 0.3
            return " ".join([*head, self._one(self.family if family else self.given)])
        middle = [word for word in rest[1:-1] if word.islower()]
        if self.draw.random() < 0.06:
            middle = [f"{self.draw.choice('ABCDEFGHJKLMNPRST')}."]
        elif self.draw.random() < 0.05:
            middle = [self.draw.choice(["van der", "de la", "von", "de", "bin", "van"])]
        return " ".join([*head, self._one(self.given), *middle, self._one(self.family)])

    def thing(self, old: str) -> str:
        """Another town or firm, where the old one is known as one."""
        bits = tagger.told().words.get(lower(old), 0)
        if bits & kernels.PLACE:
            return _titled(self.draw.choice(self.places))
        if bits & kernels.ORG:
            if self.draw.random() < 0.3:
                kinds = [self.family[0], self.firms, self.places, ["acme", "global", "northern"]]
                word = self.draw.choice(self.draw.choice(kinds))
                return f"{_titled(word)} {self.draw.choice(self.suffixes)}"
            return _titled(self.draw.choice(self.firms))
        return old

    def _one(self, kinds: list[list[str]]) -> str:
        return _titled(self.draw.choice(kinds[self.draw.random() < 0.4]))


def _titled(word: str) -> str:
    return word[:1].upper() + word[1:]


def _redrawn(text: str, names: _Names, draw: random.Random) -> Labelled:
    new = re.sub(r"\[([^]]*)\]", lambda found: f"[{names.person(found[1])}]", text)
    new = re.sub(r"\{([^}]*)\}", lambda found: f"{{{names.thing(found[1])}}}", new)
    one = labelled(new)
    chance = draw.random()
    if chance < 0.12 and len(lower(one.text)) == len(one.text):
        one = Labelled(lower(one.text), one.persons)
    elif chance < 0.15 and len(one.text.upper()) == len(one.text):
        one = Labelled(one.text.upper(), one.persons)
    return one


def _take(
    one: Labelled, draw: random.Random, rows: list[list[int]], truths: list[bool], importance: list[float]
) -> None:
    """Every part of every run of a sentence, and whether it is a person."""
    runs = cut(one.text, lower(one.text))
    what, shape, gap = tagger.seen(one.text, runs)
    if not len(what):
        return
    endings = tagger.told().endings
    wanted = set()
    inside = np.zeros(len(what), bool)
    for start, end in one.persons:
        those = [i for i in range(len(what)) if start <= runs.starts[i] < end]
        while those and (runs.words[those[0]] in CLOSED[0] or runs.words[those[0]] in ("la", "il", "el")):
            those.pop(0)
        if those:
            wanted.add((those[0], those[-1]))
            inside[those] = True
    for i in range(len(what)):
        if draw.random() < (0.25 if inside[i] else 0.04) and not (what[i] >> 8) & 31:
            word = runs.words[i]
            ends = (endings.get(word[-size:]) for size in (4, 3, 2) if len(word) > size)
            what[i] = kernels.UNKNOWN | next((end for end in ends if end is not None), 0)
    room = np.zeros(kernels.ROOM, np.int32)
    for i, j in _parts(what, shape, gap):
        count = kernels.features(what, shape, gap, i, j, room)
        rows.append(room[:count].tolist())
        truths.append((i, j) in wanted)
        importance.append(1.0)


def _parts(what: Any, shape: Any, gap: Any) -> Iterator[tuple[int, int]]:
    """The parts that the kernel would score."""
    count = len(what)
    for i in range(count):
        if not kernels.may(what[i], shape[i]) or (what[i] >> 8) & 31 == kernels.TITLE:
            continue
        words = 0
        j = i
        while j < count:
            if kernels.may(what[j], shape[j]):
                if (what[j] >> 8) & 31 == kernels.TITLE:
                    break
                words += 1
                if words > kernels.MOST:
                    break
                yield i, j
            elif (what[j] >> 8) & 31 != kernels.PARTICLE:
                break
            if gap[j] not in (1, 2, 3):
                break
            j += 1


def _prose() -> list[str]:
    """Paragraphs of this project's documentation, in which nobody is named."""
    root = Path(__file__).parents[2]
    texts = [path.read_text() for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]]
    known = ("Jane", "Doe", "Alice", "Bob", "Smith", "Quimby", "Anna", "Erika", "Mustermann", "Ada", "Levenshtein")
    paragraphs = [part for text in texts for part in re.sub(r"```.*?```", "", text, flags=re.S).split("\n\n")]
    return [part for part in paragraphs if not any(name in part for name in known)]


def _learned(rows: list[list[int]], truths: Any, importance: Any) -> Any:
    """Weights by gradient descent (Adam) on the logistic loss with a penalty on their squares."""
    distinct: dict[tuple[tuple[int, ...], bool], float] = {}
    for row, truth, much in zip(rows, truths.tolist(), importance.tolist(), strict=True):
        key = (tuple(row), truth)
        distinct[key] = distinct.get(key, 0.0) + much
    keys = list(distinct)
    much = np.array([distinct[key] for key in keys])
    truth = np.array([key[1] for key in keys])
    table = np.full((len(keys), kernels.ROOM), kernels.FEATURES)
    for i, (row, _) in enumerate(keys):
        table[i, : len(row)] = row
    weights = np.zeros(kernels.FEATURES + 1)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    total = much.sum()
    for step in range(1, _ROUNDS + 1):
        scores = weights[table].sum(axis=1)
        error = (1 / (1 + np.exp(-scores)) - truth) * much
        slope = np.bincount(table.ravel(), np.repeat(error, kernels.ROOM), len(weights)) / total + 2e-5 * weights
        slope[-1] = 0
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights -= 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights[:-1]


if __name__ == "__main__":
    sys.exit(main())
