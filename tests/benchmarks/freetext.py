"""How fast free text is masked, beside Presidio: python -m tests.benchmarks.freetext --identities 100000 --json

Support tickets in English, German and French (Faker, seeded) in which persons of the corpus are named, about one
identity in 400 characters. Measured are, as the median of several rounds of MB of text a second:
- `envclone`: known identities, patterns and strangers, found and replaced, in one process;
- `envclone_on_all_processors`: the same as an image does it, by as many copies of the process as there are processors
  (`processors`), which mask blocks of texts; `mb_per_cpu_second` is what one processor does of it;
- `searched`: as kept texts the verifier searches them, of which the masks have taken what is known, in one process;
- `presidio_patterns`: Presidio's analyzer with its recognizers that need no model, found and replaced;
- `by_script`: the same in one script alone, with 2,000 persons: English, German and French, Russian, Japanese;
- `presidio_deny_list`: Presidio with a recognizer for as many of the known names as `--deny` says, found only.
Presidio gets a sample of the texts, for it is slower by orders of magnitude. `ambiguous` are labelled sentences with
names that are words too: how many of the names were found, and how many words were taken for one.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from envclone.forked import fork_map, processors
from envclone.masking.corpus import Corpus
from envclone.masking.masks import MaskSet
from envclone.models import FieldKind, FieldRule, Rows, StorePlan
from envclone.packed import block_of
from envclone.verifier.compounds import Compounds
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.looker import Looker
from envclone.verifier.loose import LooseSearch
from envclone.verifier.originals import Originals
from envclone.verifier.subjects import Subjects

KEY = b"benchmark key of thirty-two byte"
PREPARING = ["Anna went home. " * 200]
NOTE = FieldRule("tickets.note", FieldKind.TEXT, "text")
KEPT = FieldRule("tickets.note", FieldKind.TEXT, "keep")
AT_ONCE = 256
"""Texts of a block."""
LABELLED = Path(__file__).parent / "ambiguous.yaml"
TEMPLATES = (
    "Our customer {person} wrote that the parcel has not arrived although the tracking page says it was delivered. ",
    "Please have somebody look at this today, the account of {person} is locked and the usual reset does not help. ",
    "Ich habe mit {person} gesprochen; die Rechnung war doppelt gestellt und wird in dieser Woche gutgeschrieben. ",
    "Le technicien passera demain matin chez {person}, merci de confirmer le rendez-vous par retour de courrier. ",
    "They asked to be called back under {phone}, in the afternoon if possible, because mornings are always busy. ",
    "The contract was sent to {email} last week and signed on the same day, so the second reminder was our mistake. ",
)
FILLER = (
    "The import failed again at the same row, which suggests that the file is encoded in another way than before. ",
    "Nothing was changed on our side since the last release and the logs show only the usual warnings about quotas. ",
    "We refunded the difference of 24.90 EUR and closed the first ticket; the second one stays open until Friday. ",
    "Die Lieferung kam vollständig an, aber zwei der Kartons waren beschädigt und wurden sofort zurückgeschickt. ",
)


def people(count: int) -> Corpus:
    """Half of them names, the rest e-mail addresses and telephone numbers."""
    from faker import Faker

    Faker.seed(11)
    fakes = [Faker(locale) for locale in ("en_US", "de_DE", "fr_FR")]
    names: set[str] = set()
    while len(names) < count // 2:
        fake = fakes[len(names) % 3]
        names.add(f"{fake.first_name()} {fake.last_name()}" if len(names) % 5 else f"{fake.name()}")
    ordered = sorted(names)
    mails = [f"{name.lower().replace(' ', '.')}@corp.example" for name in ordered[: count // 4]]
    phones = [f"+49 30 {number}" for number in range(5_000_000, 5_000_000 + count // 4)]
    return Corpus({"person": ordered, "email": mails, "phone": phones})


def texts(corpus: Corpus, size: int) -> list[str]:
    """About `size` bytes of tickets of 200 to 4000 characters."""
    draw = random.Random(5)
    persons, mails, phones = (corpus.values(kind) for kind in ("person", "email", "phone"))
    out: list[str] = []
    total = 0
    while total < size:
        parts = []
        for _ in range(draw.randint(2, 36)):
            template = draw.choice(TEMPLATES) if draw.random() < 0.27 else draw.choice(FILLER)
            parts.append(
                template.format(person=draw.choice(persons), email=draw.choice(mails), phone=draw.choice(phones))
            )
        out.append("".join(parts))
        total += len(out[-1].encode())
    return out


def speed(identities: int, size: int, rounds: int, deny: int) -> dict[str, Any]:
    """MB/s of each way, and how often envclone is faster."""
    corpus = people(identities)
    tickets = texts(corpus, size)
    sample = tickets[:40]
    begun = time.perf_counter()
    MaskSet(KEY, {}, corpus).text(PREPARING)
    prepared = time.perf_counter() - begun
    ways = ("envclone", "envclone_on_all_processors", "searched", "presidio_patterns", "presidio_deny_list")
    measured: dict[str, list[float]] = {way: [] for way in ways}
    per_cpu: list[float] = []
    blocks = [block_of(tickets[at : at + AT_ONCE]) for at in range(0, len(tickets), AT_ONCE)]
    patterns, listed = _presidio([]), _presidio(list(corpus.values("person")[:deny]))
    search = _searcher(corpus)
    for _ in range(rounds):
        masks = MaskSet(KEY, {}, corpus)
        masks.text(PREPARING)  # the lexicon is made once per image
        used = time.process_time()
        measured["envclone"].append(_rate(lambda m=masks: m.text(tickets), tickets))
        per_cpu.append(sum(len(text.encode()) for text in tickets) / 1e6 / (time.process_time() - used))
        field = masks.field(NOTE)
        measured["envclone_on_all_processors"].append(
            _rate(lambda f=field: list(fork_map(lambda block: len(f(block)), blocks, processors())), tickets)
        )
        kept = [field(part) for part in blocks]
        measured["searched"].append(_rate(lambda k=kept: [search(part) for part in k], tickets))
        measured["presidio_patterns"].append(_rate(lambda: [patterns(text) for text in sample], sample))
        measured["presidio_deny_list"].append(_rate(lambda: [listed(text) for text in sample[:10]], sample[:10]))
    medians = {name: round(statistics.median(values), 3) for name, values in measured.items()}
    return {
        "identities": identities,
        "megabytes": round(sum(len(t.encode()) for t in tickets) / 1e6, 1),
        "seconds_to_prepare": round(prepared, 2),
        "mb_per_second": medians,
        "mb_per_cpu_second": round(statistics.median(per_cpu), 3),
        "processors": processors(),
        "times_faster_than_presidio_patterns": round(medians["envclone"] / medians["presidio_patterns"]),
        "deny_list": deny,
    }


SCRIPTS = {
    "english": (("en_US",), [*TEMPLATES[:2], *TEMPLATES[4:]], FILLER[:3]),
    "german and french": (("de_DE", "fr_FR"), TEMPLATES[2:], (FILLER[3], FILLER[3].replace("Kartons", "Schachteln"))),
    "russian": (
        ("ru_RU",),
        ["Заказчик {person} сообщил, что посылка не пришла, хотя на сайте написано, что она доставлена. "],
        ["Импорт снова остановился на той же строке, значит, файл записан в другой кодировке, чем раньше. "],
    ),
    "japanese": (
        ("ja_JP",),
        ["お客様の{person}さんから、荷物がまだ届いていないという連絡がありました。"],
        ["取り込みは同じ行で再び失敗しました。ファイルの文字コードが以前と違うようです。"],
    ),
}


def by_script(size: int = 2_000_000) -> dict[str, float]:
    """MB/s in one script alone."""
    from faker import Faker

    draw = random.Random(7)
    measured: dict[str, float] = {}
    for name, (locales, templates, filler) in SCRIPTS.items():
        Faker.seed(12)
        fakes = [Faker(locale) for locale in locales]
        persons = sorted({f"{fake.last_name()} {fake.first_name()}" for fake in fakes for _ in range(2000)})
        tickets: list[str] = []
        total = 0
        while total < size:
            chosen = [draw.choice(templates if draw.random() < 0.27 else filler) for _ in range(draw.randint(2, 36))]
            filled = (
                one.format(
                    person=draw.choice(persons), phone=f"+49 30 {draw.randint(5_000_000, 6_000_000)}", email="a@b.de"
                )
                for one in chosen
            )
            tickets.append("".join(filled))
            total += len(tickets[-1].encode())
        masks = MaskSet(KEY, {}, Corpus({"person": persons}))
        masks.text([*PREPARING, *tickets[:20]])
        measured[name] = round(_rate(lambda m=masks, t=tickets: m.text(t), tickets), 1)
    return measured


def _rate(work: Any, over: list[str]) -> float:
    begun = time.perf_counter()
    work()
    return float(sum(len(text.encode()) for text in over) / 1e6 / (time.perf_counter() - begun))


def _searcher(corpus: Corpus) -> Any:
    """What looks for everybody of a corpus in a block of kept texts."""
    subjects, originals = Subjects(), Originals()
    subjects.begin("main.public.people")
    for kind in ("person", "email", "phone"):
        values = list(corpus.values(kind))
        subjects.count = max(subjects.count, len(values))
        subjects.add(list(range(len(values))), kind, values, kind)
        originals.add(f"main.public.people.{kind}", kind, values)
    originals.seal()
    parts = Originals.parts(subjects.seal())
    people: Any = SimpleNamespace(
        subjects=subjects, names=lambda store, table: [], of_rows=lambda store, rows, some: [()] * len(some)
    )
    plan = StorePlan("main", {KEPT.address: KEPT})
    search = LooseSearch(originals), LooseSearch(parts), Compounds(subjects, parts, originals)
    looker = Looker("main", plan, *search, people, FieldFindings(originals=originals))
    return lambda block: looker.rows(Rows("tickets", {KEPT.address: block}, {}, [""] * len(block)), {})


def _presidio(names: list[str]) -> Any:
    from presidio_analyzer import PatternRecognizer

    from envclone.masking.presidio import patterns_only

    analyzer = patterns_only()
    if names:
        analyzer.registry.add_recognizer(PatternRecognizer("PERSON", deny_list=names))
    return lambda text: analyzer.analyze(text, language="en")


def ambiguous() -> dict[str, Any]:
    """Names in square brackets are persons; every other word is none."""
    document = yaml.safe_load(LABELLED.read_text())
    masks = MaskSet(KEY, {}, Corpus({"person": document["persons"]}))
    found = missed = wrong = right = 0
    mistakes: list[str] = []
    for line in document["sentences"]:
        plain = line.replace("[", "").replace("]", "")
        names = _marked(line)
        spans = {(start, -end) for start, end, _ in masks._free_text.finder.spans(plain)}
        covered = {i for start, end in spans for i in range(start, end)}
        for start, end in names:
            hit = set(range(start, end)) - {i for i in range(start, end) if plain[i] == " "} <= covered
            found, missed = found + hit, missed + (not hit)
            if not hit:
                mistakes.append(f"missed: {line}")
        inside = {i for start, end in names for i in range(start, end)}
        for start, end in spans:
            bad = not set(range(start, end)) & inside
            wrong, right = wrong + bad, right + (not bad)
            if bad:
                mistakes.append(f"wrong: {line}")
    return {
        "sentences": len(document["sentences"]),
        "recall": round(found / (found + missed), 3),
        "precision": round(right / (right + wrong), 3),
        "mistakes": mistakes,
    }


def _marked(line: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = shift = 0
    for i, char in enumerate(line):
        if char == "[":
            start, shift = i - shift, shift + 1
        elif char == "]":
            spans.append((start, i - shift))
            shift += 1
    return spans


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=100_000)
    parser.add_argument("--megabytes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deny", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = speed(options.identities, options.megabytes * 1_000_000, options.rounds, options.deny)
    result["by_script"] = by_script()
    result["ambiguous"] = ambiguous()
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
