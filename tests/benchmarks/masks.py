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
from envclone.masking.finance import luhn_valid
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
    others = [name for group in classes() for name in group if not name.isascii()]
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
        "iban": lambda: _iban(f"{draw.randrange(10**18):018d}"),
        "card": lambda: _card(f"4{draw.randrange(10**14):014d}"),
        "national_id": lambda: (
            f"{draw.randrange(1, 899):03d}-{draw.randrange(1, 99):02d}-{draw.randrange(1, 9999):04d}"
        ),
        "mac": lambda: ":".join(f"{draw.randrange(256):02x}" for _ in range(6)),
        "ip": lambda: ".".join(str(draw.randrange(1, 255)) for _ in range(4)),
        "company": lambda: f"{draw.choice(names)} {draw.choice(names)} {draw.choice(('GmbH', 'Inc', 'Ltd'))}".title(),
        "address": lambda: f"{draw.choice(names)} Street {draw.randrange(1, 999)}, {draw.choice(names)}".title(),
        "url": lambda: f"https://www.{draw.choice(names)}.com/{draw.choice(names)}?id={draw.randrange(10**6)}",
        "secret": lambda: f"sk-live-{draw.getrandbits(120):030x}",
        "person, whole": lambda: f"{draw.choice(names)} {draw.choice(names)}".title(),
        "person, not ASCII": lambda: f"{draw.choice(others)} {draw.choice(others)}".title(),
    }
    found: dict[str, None] = {}
    while len(found) < count:
        found[ways[kind]()] = None
    return list(found)


KINDS = (
    *("person", "person, not ASCII", "person, whole", "email", "username", "phone", "uuid", "integer", "date"),
    *("key", "iban", "card", "national_id", "mac", "ip", "company", "address", "url", "secret"),
)


def _mask(kind: str) -> Mask:
    """A fresh mask; what stands behind the kind's name says of which values, or how."""
    its, _, how = kind.partition(", ")
    return Makers(KEY, whole=how == "whole").mask(its)


def _iban(account: str) -> str:
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


def _card(body: str) -> str:
    return next(body + str(digit) for digit in range(10) if luhn_valid(f"{body}{digit}"))


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
    _mask(kind).mask(values[:50])
    fresh = _mask(kind)
    begun = time.process_time()
    images = [fresh.mask([value])[0] for value in values]
    return {"rate": len(values) / (time.process_time() - begun), "images": images}


def measure(kind: str, count: int, rounds: int) -> dict[str, Any]:
    values = made(kind, count)
    batches = [values[i : i + BATCH] for i in range(0, count, BATCH)]
    slow = reference(kind, count)
    begun = time.process_time()
    images = _mask(kind).mask(values[:REFERENCE])
    first = time.process_time() - begun
    same = sum(a == b for a, b in zip(images, slow["images"], strict=True))
    repeated = [[value for value in batch[: BATCH // 10] for _ in range(10)] for batch in batches]
    warmth = made(kind, count + BATCH)[count:]
    fast, again = [], []
    for _ in range(rounds):
        mask = _mask(kind)
        mask.mask(warmth)  # tables are made once per image
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
    parser.add_argument("--kind", action="append", choices=KINDS, help="only these")
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reference:
        print(json.dumps(reference_here(options.reference, options.values)))
        return 0
    compiled.prepare(lambda text: print(text, file=sys.stderr))
    print(json.dumps({kind: measure(kind, options.values, options.rounds) for kind in options.kind or KINDS}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
