"""How many full names an attacker reads back who matches names and pseudonyms by how often they occur.

    python -m tests.benchmarks.frequency [--people 500000] [--seed 1]

People are drawn with a given and a family name of the shipped dictionary, each by Zipf's law (exponent 1 for given, 0.9
for family names). The attacker has the masked table without the key, knows the dictionary and its classes, and has a
list of how often each name occurs: the table's own counts, or those of another public whose frequencies differ by a
factor that is log-normal with sigma 0.5. Inside each class the n-th most frequent pseudonym is taken for the n-th most
frequent name. `full_names` does the same with whole names. Fractions are of people whose full name is told.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from envclone.masking.kinds import DomainSpec
from envclone.masking.masks import MaskSet
from envclone.masking.name_classes import shape
from envclone.masking.names import DICTIONARY, classes

Person = tuple[str, str]
KEY = bytes(range(32))


def people(count: int, seed: int) -> list[Person]:
    """Full names by Zipf's law over the names in use where English is spoken."""
    rng = np.random.default_rng(seed)
    roles = {role: names for role, *names in map(str.split, DICTIONARY.read_text(encoding="utf-8").splitlines())}
    known = {name for names in classes() for name in names}
    given = [n for role in ("female-english", "male-english", "given-english") for n in roles[role] if n in known]
    family = [n for n in roles["family-english"] if n in known]
    columns = []
    for names, exponent in ((given, 1.0), (family, 0.9)):
        weights = 1.0 / np.arange(1, len(names) + 1) ** exponent
        order = rng.permutation(len(names))
        columns.append([names[order[i]] for i in rng.choice(len(names), count, p=weights / weights.sum())])
    return list(zip(*columns, strict=True))


def matched(
    names: Mapping[Any, float], seen: Mapping[Any, int], kind: Callable[[Any], object], seed: int
) -> dict[Any, Any]:
    """What each pseudonym is taken for: the name of its class with the same rank; ties fall as a seeded draw says."""
    rng = np.random.default_rng(seed)
    guesses: dict[Any, Any] = {}
    by_kind: dict[object, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for place, counts in enumerate((seen, names)):
        for one in counts:
            by_kind[kind(one)][place].append(one)
    for pseudonyms, candidates in by_kind.values():
        draws = rng.random(len(pseudonyms)), rng.random(len(candidates))
        ranked = [
            [those[i] for i in sorted(range(len(those)), key=lambda i: (-counts[those[i]], draw[i]))]
            for those, counts, draw in ((pseudonyms, seen, draws[0]), (candidates, names, draws[1]))
        ]
        guesses.update(zip(*ranked, strict=False))
    return guesses


def attack(true: Sequence[Person], masked: Sequence[Person], seed: int, sigma: float) -> dict[str, float]:
    """The fraction of people whose full name is told by the frequencies of single names, and of whole names."""
    rng = np.random.default_rng(seed)
    kinds = {name: number for number, names in enumerate(classes()) for name in names}

    def single(name: str) -> object:
        return kinds.get(name, shape(name))

    def noisy(counts: Iterable[tuple[Any, int]]) -> dict[Any, float]:
        return {name: count * float(np.exp(sigma * rng.standard_normal())) for name, count in counts}

    guesses = []
    for place in (0, 1):
        known = noisy(sorted(Counter(person[place] for person in true).items()))
        guesses.append(matched(known, Counter(person[place] for person in masked), single, seed))
    told = sum(
        guesses[0].get(new[0]) == old[0] and guesses[1].get(new[1]) == old[1]
        for old, new in zip(true, masked, strict=True)
    )
    whole = matched(noisy(sorted(Counter(true).items())), Counter(masked), lambda p: (single(p[0]), single(p[1])), seed)
    told_whole = sum(whole.get(new) == old for old, new in zip(true, masked, strict=True))
    return {"single_names": round(told / len(true), 4), "full_names": round(told_whole / len(true), 4)}


def measure(true: Sequence[Person], consistency: str, seed: int) -> dict[str, Any]:
    """Both attacks on a table masked with one consistency; what a query by one name still answers."""
    mask = MaskSet(KEY, {"person": DomainSpec("person", consistency=consistency)}).mask_for("person")
    assert mask is not None
    distinct = sorted({f"{given} {family}" for given, family in true})
    started = time.process_time()
    new = dict(zip(distinct, mask.mask([name.title() for name in distinct]), strict=True))
    seconds = time.process_time() - started
    masked = [tuple(new[f"{given} {family}"].lower().split(" ")) for given, family in true]
    return {
        "own_frequencies": attack(true, masked, seed, 0.0),
        "noisy_public_frequencies": attack(true, masked, seed, 0.5),
        "distinct_full_names_lost": len(distinct) - len(set(new.values())),
        "same_answers": same_answers(true, masked),
        "names_per_second": round(len(distinct) / seconds),
    }


def same_answers(true: Sequence[Person], masked: Sequence[Person]) -> dict[str, float]:
    """Of the queries by each distinct value, the fraction whose masked query finds the same rows.

    The query is masked as a replay masks it: by the pseudonym of the value alone.
    """
    out = {}
    for name, place in (("given_name", 0), ("family_name", 1)):
        rows: dict[str, set[int]] = defaultdict(set)
        found: dict[str, set[int]] = defaultdict(set)
        for number, (old, new) in enumerate(zip(true, masked, strict=True)):
            rows[old[place]].add(number)
            found[new[place]].add(number)
        pseudonyms = {old: masked[next(iter(those))][place] for old, those in rows.items()}
        same = sum(found[pseudonyms[old]] == those for old, those in rows.items())
        out[name] = round(same / len(rows), 4)
    full: dict[Person, set[int]] = defaultdict(set)
    after: dict[Person, set[int]] = defaultdict(set)
    for number, (person, pseudonym) in enumerate(zip(true, masked, strict=True)):
        full[person].add(number)
        after[pseudonym].add(number)
    kept = sum(after[masked[next(iter(those))]] == those for those in full.values())
    out["full_name"] = round(kept / len(full), 4)
    return out


def main() -> int:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    true = people(given.people, given.seed)
    found = {mode: measure(true, mode, given.seed) for mode in ("name", "person")}
    sys.stdout.write(json.dumps({"people": given.people, "full_names": len(set(true)), **found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
