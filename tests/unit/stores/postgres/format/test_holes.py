"""What nobody owns: pages with a byte of it are told, and bytes are counted by owner."""

from __future__ import annotations

import random

import numpy as np

from envclone.stores.postgres.format import claims, holes


def test_a_page_with_a_byte_of_nobody_is_told() -> None:
    rng, size, told = random.Random(4), 256, [0, 0]
    for _ in range(200):
        pages = np.zeros((3, size), np.uint8)
        owned = np.zeros((3, size), np.bool_)
        low, high = rng.randrange(30), size - rng.randrange(20)
        owned[:, :low] = owned[:, high:] = True
        items = []
        for page in range(3):
            for _ in range(rng.randrange(4)):
                start = rng.randrange(low, high)
                length = rng.randrange(high - start + 1)
                items.append((page, start, length))
                owned[page, start : start + length] = True
        pages[owned] = 7
        for _ in range(rng.randrange(3)):
            pages[rng.randrange(3), rng.randrange(size)] = 9
        bounds = np.full(3, low, np.int64), np.full(3, high, np.int64)
        places = np.array(items, np.int64).reshape(-1, 3).T.copy()
        dirty = np.zeros(3, np.bool_)
        pages.flags.writeable = False
        assert holes.soiled(pages.reshape(-1), size, *bounds, *places, np.zeros(size, np.uint8), dirty) == -1
        expected = ((pages != 0) & ~owned).any(axis=1)
        assert (dirty == expected).all()
        told[0] += int((~expected).sum())
        told[1] += int(expected.sum())
    assert min(told) > 50


def test_an_item_or_a_bound_beyond_the_page_is_refused() -> None:
    flat, one, dirty = np.zeros(64, np.uint8), np.zeros(1, np.int64), np.zeros(1, np.bool_)
    flat.flags.writeable = False
    room = np.zeros(64, np.uint8)
    assert holes.soiled(flat, 64, one + 24, one + 64, one, one + 60, one + 5, room, dirty) == 0
    assert holes.soiled(flat, 64, one + 24, one + 65, one, one, one, room, dirty) == -2
    assert holes.soiled(flat, 128, one + 24, one + 64, one, one, one, room, dirty) == -2


def test_bytes_are_counted_by_owner() -> None:
    rng, left = np.random.default_rng(2), 0
    for most in (1, 3, 40):
        owner = np.repeat(rng.integers(0, 6, 3000, np.uint8), rng.integers(1, most + 1, 3000))[:2000]
        owner = np.concatenate((owner, np.zeros(-len(owner) % 8, np.uint8)))
        flat = rng.integers(0, 3, len(owner), np.uint8)
        flat.flags.writeable = False
        counts = np.zeros(6, np.int64)
        left = int(claims.tally(flat.view(np.uint64), owner.view(np.uint64), counts))
        assert counts.tolist() == np.bincount(owner, minlength=6).tolist()
        assert left == int(((owner == 0) & (flat != 0)).sum()) > 0
    owner[5] = 6
    assert claims.tally(flat.view(np.uint64), owner.view(np.uint64), counts) == -1
