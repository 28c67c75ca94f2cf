"""How a language model's tokenizer sees pseudonyms: python -m tests.benchmarks.natural --json

Sentences about persons in several languages (Faker, seeded) are tokenized as they are, with the masks of this project,
and, side by side, with the letters of each name permuted but not looked up in the dictionary. `drift` is the change of
the number of tokens, over all sentences and for the median sentence. The tokenizer is Mistral's Tekken, from
the package `mistral-common`; without it the benchmark says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

from envclone.masking.person import PersonMask
from envclone.masking.tokens import NameTokens

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "ru_RU", "ja_JP")
SENTENCES = (
    "{} wrote to us on Monday about the invoice.",
    "Please call {} back; the refund went to the wrong card.",
    "{} and the technician agreed to meet at noon.",
)


def tokenizer() -> Callable[[str], int] | None:
    """Counts the tokens of a text; None when no tokenizer is installed."""
    try:
        from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
    except ImportError:
        return None
    tekken = MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer
    return lambda text: len(tekken.encode(text, bos=False, eos=False))


def measure(count: int) -> dict[str, Any]:
    """Token counts per locale and over all."""
    from faker import Faker

    counted = tokenizer()
    if counted is None:
        return {"tokenizer": None, "hint": "pip install mistral-common"}
    key = b"benchmark key of thirty-two byte"
    names = NameTokens(key)
    person = PersonMask(names)
    letters = NameTokens(key)
    letters._names.known = lambda _: False  # type: ignore[method-assign]
    letters._names.compound = lambda _: False  # type: ignore[method-assign]
    out: dict[str, Any] = {}
    totals = {"raw": 0, "envclone": 0, "letters": 0}
    drifts: dict[str, list[float]] = {"envclone": [], "letters": []}
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(7)
        sums = dict.fromkeys(totals, 0)
        for i in range(count):
            name = f"{fake.first_name()} {fake.last_name()}"
            sentence = SENTENCES[i % len(SENTENCES)]
            raw = counted(sentence.format(name))
            masked = counted(sentence.format(person.mask([name])[0]))
            scrambled = counted(sentence.format(letters.text(name)))
            for key_, value in (("raw", raw), ("envclone", masked), ("letters", scrambled)):
                sums[key_] += value
                totals[key_] += value
            drifts["envclone"].append(masked / raw - 1)
            drifts["letters"].append(scrambled / raw - 1)
        out[locale] = {mode: round(sums[mode] / sums["raw"] - 1, 4) for mode in ("envclone", "letters")}
    return {
        "tokenizer": "tekken (mistral-common)",
        "sentences": count * len(LOCALES),
        "drift": {mode: round(totals[mode] / totals["raw"] - 1, 4) for mode in ("envclone", "letters")},
        "median_drift": {mode: round(statistics.median(values), 4) for mode, values in drifts.items()},
        "by_locale": out,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=500, help="names per locale")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print(json.dumps(measure(options.names), indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
