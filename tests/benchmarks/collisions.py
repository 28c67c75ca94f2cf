"""Whether different values have different pseudonyms: python -m tests.benchmarks.collisions --values 10000000 --json

For each kind that promises it so many different values are masked, and the different pseudonyms are counted, and the
values that are their own. Values are made, not stored; 64 bits of each pseudonym are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from envclone.masking.masks import MaskSet

KEY = b"benchmark key of thirty-two byte"
BATCH = 100_000
MAKE: dict[str, Callable[[int], str]] = {
    "integer": lambda i: str(i + 1),
    "key": lambda i: f"ORD-{i:09d}",
    "email": lambda i: f"user{i}@corp.example",
    "person": lambda i: f"Zann{_letters(i)} Quimby",
    "uuid": lambda i: f"{i:08x}-1234-4abc-8def-0123456789ab",
    "phone": lambda i: f"+49 30 {10_000_000 + i}",
}


def _letters(number: int) -> str:
    out = ""
    for _ in range(6):
        number, digit = divmod(number, 26)
        out += chr(97 + digit)
    return out


def measure(kind: str, values: int) -> dict[str, Any]:
    """One kind."""
    mask = MaskSet(KEY, {}).mask_for(kind)
    assert mask is not None
    make = MAKE[kind]
    hashes = np.zeros(values, np.uint64)
    same = 0
    begun = time.perf_counter()
    for start in range(0, values, BATCH):
        batch = [make(i) for i in range(start, min(values, start + BATCH))]
        masked = mask.mask(batch)
        same += sum(a == b for a, b in zip(batch, masked, strict=True))
        hashes[start : start + len(batch)] = [
            int.from_bytes(blake2b(m.encode(), digest_size=8).digest(), "little") for m in masked
        ]
    seconds = time.perf_counter() - begun
    return {
        "values": values,
        "collisions": values - len(np.unique(hashes)),
        "own_pseudonym": same,
        "values_per_second": round(values / seconds),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--kind", action="append", choices=sorted(MAKE))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = {kind: measure(kind, options.values) for kind in options.kind or MAKE}
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
