"""How many persons of no column are found in free text: python -m tests.benchmarks.strangers --json

`strangers.txt` holds labelled sentences in ten languages and several registers, with towns, firms, products, months and
German nouns that are nobody. Every second one was learned from (`tagger_train`); figures are given for both halves.
A person counts as found when every letter but those of titles and initials is covered; a span is right when it
touches a person.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from envclone.masking.masks import MaskSet
from envclone.masking.words import TITLES

KEY = b"benchmark key of thirty-two byte"
_FILE = Path(__file__).parent / "strangers.txt"
_TITLES = TITLES | {"monsieur", "madame", "señora", "la", "frau", "herrn", "mevrouw"}


class Labelled(NamedTuple):
    """A text and where its persons stand."""

    text: str
    persons: Sequence[tuple[int, int]]


def sentences() -> list[str]:
    """The lines of the file, marks and all."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return [line.replace("|", "\n") for line in lines if line and not line.startswith("#")]


def labelled(text: str) -> Labelled:
    """A line without its marks."""
    plain: list[str] = []
    persons = []
    start = 0
    for char in text:
        if char == "[":
            start = len(plain)
        elif char == "]":
            persons.append((start, len(plain)))
        elif char not in "{}":
            plain.append(char)
    return Labelled("".join(plain), persons)


def measure(those: Iterable[Labelled], find: Callable[[str], Iterable[tuple[int, int]]]) -> dict[str, Any]:
    """Recall and precision, and what was missed or taken wrongly."""
    found = persons = right = wrong = 0
    missed, taken = [], []
    for one in those:
        spans = list(find(one.text))
        covered = {i for start, end in spans for i in range(start, end)}
        named = {i for start, end in one.persons for i in range(start, end)}
        for start, end in one.persons:
            persons += 1
            if _telling(one.text, start, end) <= covered:
                found += 1
            else:
                missed.append(one.text[start:end])
        for start, end in spans:
            if named & set(range(start, end)):
                right += 1
            else:
                wrong += 1
                taken.append(one.text[start:end])
    return {
        "persons": persons,
        "recall": round(found / max(1, persons), 3),
        "precision": round(right / max(1, right + wrong), 3),
        "missed": missed,
        "wrong": taken,
    }


def _telling(text: str, start: int, end: int) -> set[int]:
    out: set[int] = set()
    position = start
    for word in text[start:end].split(" "):
        if word.strip(".,").lower() not in _TITLES and len(word.strip(".")) > 1:
            out.update(i for i in range(position, position + len(word)) if text[i].isalnum())
        position += len(word) + 1
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    finder = MaskSet(KEY, {})._free_text.finder
    those = [labelled(line) for line in sentences()]

    def find(text: str) -> Iterable[tuple[int, int]]:
        return [(start, -end) for start, end, kind in finder.spans(text) if kind == "person"]

    result = {"learned_from": measure(those[0::2], find), "others": measure(those[1::2], find), "speed": _speed()}
    print(json.dumps(result, indent=None if options.json else 2, ensure_ascii=False))
    return 0


def _speed() -> float:
    """MB of text a second that the tagger alone looks at, once the words are cut; the best of five."""
    from envclone.masking import tagger
    from envclone.masking.runs import cut, lower

    text = "\x00".join(labelled(line).text for line in sentences() * 40)
    runs = cut(text, lower(text))
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        list(tagger.tagged(text, runs))
        best = max(best, len(text.encode()) / 1e6 / (time.process_time() - start))
    return round(best, 1)


if __name__ == "__main__":
    sys.exit(main())
