"""How fast values are masked, kind by kind: python -m tests.benchmarks.masks [--values 100000] [--rounds 5]

For each kind are measured in one process, in turn, as medians of values a second of CPU time:
- `reference`: the mask in Python, value by value, which defines the pseudonyms (for fewer values: it is slow);
- `batch`: the same mask on a batch of 8192 distinct values, through the compiled loops, as image making calls it;
- `repeated`: batches in which each value occurs ten times.
The pseudonyms of both ways are compared. `first` is the time of the first batch of a process, when tables are made.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from envclone import compiled
from envclone.masking.makers import Makers
from envclone.masking.names import classes
from envclone.protocols import Mask

KEY = bytes(range(32))
BATCH = 8192
REFERENCE = 1000


def made(kind: str, count: int) -> list[str]:
    """Distinct values of a kind."""
    draw = random.Random(kind)
    names = [name for group in classes() for name in group if name.isascii()]
    first = date(1930, 1, 1)
    ways: dict[str, Callable[[], str]] = {
        "person": lambda: f"{draw.choice(names)} {draw.choice(names)}".title(),
        "email": lambda: (
            f"{draw.choice(names)}.{draw.choice(names)}@{draw.choice(names)}{draw.choice(('.com', '.co.uk'))}"
        ),
        "username": lambda: f"{draw.choice(names)}{draw.randrange(10_000)}",
        "phone": lambda: f"+49 {draw.randrange(30, 999)} {draw.randrange(10**6, 10**8)}",
        "uuid": lambda: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        "integer": lambda: str(draw.randrange(1, 10**10)),
        "date": lambda: (
            f"{first + timedelta(draw.randrange(36_000))} {draw.randrange(24):02d}:{draw.randrange(60):02d}:07"
        ),
        "key": lambda: f"ORD-{draw.randrange(10**8):08d}",
        "iban": lambda: f"DE{draw.randrange(10**20):020d}",
    }
    found: dict[str, None] = {}
    while len(found) < count:
        found[ways[kind]()] = None
    return list(found)


KINDS = ("person", "email", "username", "phone", "uuid", "integer", "date", "key", "iban")


def rate(mask: Callable[[Sequence[str]], object], batches: Sequence[Sequence[str]]) -> float:
    """Values a second of CPU time."""
    begun = time.process_time()
    for batch in batches:
        mask(batch)
    return sum(map(len, batches)) / (time.process_time() - begun)


def reference(kind: str, count: int) -> dict[str, Any]:
    """The mask in Python alone, in a process that compiles nothing."""
    environment = {**os.environ, "ENVCLONE_NO_COMPILE": "1"}
    command = [sys.executable, "-m", "tests.benchmarks.masks", "--reference", kind, "--values", str(count)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def reference_here(kind: str, count: int) -> dict[str, Any]:
    values = made(kind, count)[:REFERENCE]
    mask = Makers(KEY).mask(kind)
    mask.mask(values[:50])
    fresh: Mask = Makers(KEY).mask(kind)
    begun = time.process_time()
    images = [fresh.mask([value])[0] for value in values]
    return {"rate": len(values) / (time.process_time() - begun), "images": images}


def measure(kind: str, count: int, rounds: int) -> dict[str, Any]:
    values = made(kind, count)
    batches = [values[i : i + BATCH] for i in range(0, count, BATCH)]
    slow = reference(kind, count)
    begun = time.process_time()
    makers = Makers(KEY)
    images = makers.mask(kind).mask(values[:REFERENCE])
    first = time.process_time() - begun
    same = sum(a == b for a, b in zip(images, slow["images"], strict=True))
    repeated = [[value for value in batch[: BATCH // 10] for _ in range(10)] for batch in batches]
    fast, again = [], []
    for _ in range(rounds):
        mask = Makers(KEY).mask(kind)
        mask.mask(values[:BATCH])  # tables and the memory of a few: once per image
        fast.append(rate(mask.mask, batches))
        again.append(rate(mask.mask, repeated))
    batch = statistics.median(fast)
    return {
        "reference_per_second": round(slow["rate"]),
        "batch_per_second": round(batch),
        "repeated_per_second": round(statistics.median(again)),
        "times_faster": round(batch / slow["rate"], 1),
        "first_seconds": round(first, 3),
        "equal": f"{same} of {len(images)}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reference:
        print(json.dumps(reference_here(options.reference, options.values)))
        return 0
    compiled.prepare(lambda text: print(text, file=sys.stderr))
    print(json.dumps({kind: measure(kind, options.values, options.rounds) for kind in KINDS}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
