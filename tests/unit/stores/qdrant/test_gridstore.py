"""A Gridstore made by hand, byte by byte, read and rewritten: both compressions, several pages, journals, gaps."""

from __future__ import annotations

import json
import multiprocessing
import random
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import lz4.block
import numpy as np
import pytest

from envclone.errors import UnsafeError
from envclone.stores.qdrant.crc32c import crc32c
from envclone.stores.qdrant.gridstore import SLOT, Gridstore
from envclone.stores.qdrant.gridwriter import GridWriter, wipe

BLOCK, REGION, PAGE = 16, 64, 16 * 64 * 2  # two regions a page
BLOCKS = PAGE // BLOCK


def make(path: Path, values: Mapping[int, bytes], *, compression: str = "None", pages: int = 2, gap: int = 0) -> Path:
    """Lay values one after the other, `gap` free blocks between them; free blocks are full of old bytes."""
    path.mkdir()
    sizes = {"page_size_bytes": PAGE, "block_size_bytes": BLOCK, "region_size_blocks": REGION}
    (path / "config.json").write_text(json.dumps(sizes | {"compression": compression}))
    space = bytearray(b"old-raw!" * (pages * PAGE // 8))
    used = np.zeros(pages * BLOCKS, bool)
    slots = np.zeros(max(values) + 1, SLOT)
    block = 0
    for point, value in values.items():
        data = lz4.block.compress(value) if compression == "LZ4" else value
        count = -(-len(data) // BLOCK)
        space[block * BLOCK : block * BLOCK + len(data)] = data
        used[block : block + count] = True
        slots[point] = (1, *divmod(block, BLOCKS), len(data))
        block += count + gap
    for number in range(pages):
        (path / f"page_{number}.dat").write_bytes(space[number * PAGE : (number + 1) * PAGE])
    (path / "tracker.dat").write_bytes((len(slots).to_bytes(4, "little") + slots.tobytes()).ljust(4096, b"\0"))
    (path / "bitmask.dat").write_bytes(np.packbits(used, bitorder="little").tobytes())
    (path / "gaps.dat").write_bytes(b"".join(slow_gaps(used[n : n + REGION]) for n in range(0, len(used), REGION)))
    return path


def slow_gaps(used: np.ndarray) -> bytes:
    """Longest, leading and trailing run of free blocks, counted one by one."""
    runs = "".join("1" if bit else "0" for bit in used).split("1")
    return b"".join(len(run).to_bytes(2, "little") for run in (max(runs, key=len), runs[0], runs[-1]))


def consistent(path: Path) -> None:
    """Bitmask and gaps are what the tracker implies, and nothing overlaps."""
    with Gridstore(path) as store:
        owners = np.zeros(len(store.used), int)
        for slot in store.slots[store.slots["present"] != 0]:
            first = int(slot["page"]) * BLOCKS + int(slot["block"])
            owners[first : first + -(-int(slot["length"]) // BLOCK)] += 1
        assert owners.max() <= 1
        assert (store.used == (owners == 1)).all()
        gaps = b"".join(slow_gaps(store.used[n : n + REGION]) for n in range(0, len(store.used), REGION))
        assert (path / "gaps.dat").read_bytes() == gaps
        assert len(store.used) == store.pages * BLOCKS


def everything(path: Path) -> dict[int, bytes]:
    """All values by point."""
    with Gridstore(path) as store:
        return {
            point: value for points, values in store.batches(3) for point, value in zip(points, values, strict=True)
        }


@pytest.mark.parametrize("compression", ["None", "LZ4"])
@pytest.mark.parametrize("seed", range(12))
def test_random_rewrites(tmp_path: Path, compression: str, seed: int) -> None:
    rng = random.Random(seed)
    values = {n * 2: rng.randbytes(rng.choice([1, 5, 15, 16, 17, 40, 90])) for n in range(20)}
    path = make(tmp_path / "s", values, compression=compression, gap=rng.randrange(3), pages=2)
    assert everything(path) == values
    consistent(path)
    for point in rng.sample(sorted(values), 15):
        values[point] = rng.randbytes(rng.choice([1, 15, 16, 30, 200, 900]))
    with Gridstore(path, writable=True) as store:
        writer = GridWriter(store)
        for point, value in values.items():
            writer.replace(point, value)
        writer.finish()
        wipe(store)
    assert everything(path) == values
    consistent(path)
    with Gridstore(path) as store:
        stored = sum(len(store.stored(point)) for point in values)
        held = b"".join((path / f"page_{n}.dat").read_bytes() for n in range(store.pages))
        assert b"old-raw!" not in held
        assert len(held) - held.count(0) <= stored


def test_same_size_keeps_every_address_and_touches_only_the_pages(tmp_path: Path) -> None:
    values = {n: bytes([65 + n]) * 40 for n in range(5)}
    path = make(tmp_path / "s", values)
    before = {name: (path / name).read_bytes() for name in ("tracker.dat", "bitmask.dat", "gaps.dat")}
    with Gridstore(path, writable=True) as store:
        writer = GridWriter(store)
        for point in values:
            writer.replace(point, values[point].lower())
        writer.finish()
        assert writer.moved == 0
    assert {name: (path / name).read_bytes() for name in before} == before
    assert everything(path) == {point: value.lower() for point, value in values.items()}


def test_a_shorter_value_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    path = make(tmp_path / "s", {0: b"secret" * 10, 1: b"b"})
    with Gridstore(path, writable=True) as store:
        writer = GridWriter(store)
        writer.replace(0, b"x")
        writer.finish()
    assert b"secret" not in (path / "page_0.dat").read_bytes()
    assert everything(path) == {0: b"x", 1: b"b"}
    consistent(path)


def test_a_value_over_the_end_of_a_page(tmp_path: Path) -> None:
    values = {0: b"a" * (PAGE - 2 * BLOCK), 1: b"b" * (6 * BLOCK), 2: b"c"}
    path = make(tmp_path / "s", values)
    assert everything(path) == values
    with Gridstore(path, writable=True) as store:
        writer = GridWriter(store)
        writer.replace(1, b"B" * (5 * BLOCK + 3))
        writer.finish()
        assert wipe(store)
    assert everything(path) == values | {1: b"B" * (5 * BLOCK + 3)}
    consistent(path)


def test_growth_beyond_all_pages_makes_new_ones(tmp_path: Path) -> None:
    path = make(tmp_path / "s", {0: b"a", 1: b"b"}, pages=1)
    with Gridstore(path, writable=True) as store:
        writer = GridWriter(store)
        writer.replace(0, b"x" * (PAGE + 100))
        writer.finish()
        wipe(store)
        assert writer.moved == 1
    assert everything(path) == {0: b"x" * (PAGE + 100), 1: b"b"}
    consistent(path)


def test_harder_compression_saves_a_move(tmp_path: Path) -> None:
    rng = random.Random(1)
    for _ in range(400):
        words = [rng.randbytes(rng.randrange(3, 9)) for _ in range(6)]
        value = b"".join(rng.choice(words) for _ in range(60))
        fast = lz4.block.compress(value)
        hard = lz4.block.compress(value, mode="high_compression", compression=12)
        if -(-len(hard) // BLOCK) < -(-len(fast) // BLOCK):
            break
    else:
        pytest.fail("no such value")
    old = next(
        v
        for v in iter(lambda: rng.randbytes(len(hard) - 5), None)
        if len(lz4.block.compress(v)) <= -(-len(hard) // BLOCK) * BLOCK
    )
    path = make(tmp_path / "s", {0: old}, compression="LZ4")
    with Gridstore(path, writable=True) as store:
        writer = GridWriter(store)
        writer.replace(0, value)
        writer.finish()
        assert writer.moved == 0
    assert everything(path) == {0: value}


def entry(records: list[tuple[int, tuple[int, int, int, int]]]) -> bytes:
    """One journal entry."""
    payload = b"".join(n.to_bytes(4, "little") for point, slot in records for n in (point, *slot))
    return len(payload).to_bytes(4, "little") + crc32c(payload).to_bytes(4, "little") + payload


def test_of_a_point_that_the_journal_has_twice_the_later_slot_counts_and_points_grow(tmp_path: Path) -> None:
    path = make(tmp_path / "s", {0: b"one", 1: b"two", 2: b"six"})
    one, two, six = (1, 0, 0, 3), (1, 0, 1, 3), (1, 0, 2, 3)
    written = [entry([(7, one), (0, two)]), entry([(0, six), (9, two)]), entry([(7, six)])]
    (path / "tracker_journal.dat").write_bytes(b"".join(written))
    with Gridstore(path) as store:
        assert len(store.slots) == 10 and store.journal == sum(map(len, written))
        assert [store.value(point) for point in (0, 1, 7, 9)] == [b"six", b"two", b"six", b"two"]
        assert not store.slots[8]["present"]


def test_a_journal_with_a_point_out_of_all_proportion_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "s", {0: b"one"})
    (path / "tracker_journal.dat").write_bytes(entry([(0xFFFFFFFF, (1, 0, 0, 3))]))
    with pytest.raises(UnsafeError, match="far behind"):
        Gridstore(path)


def test_the_journal_is_applied_up_to_a_torn_entry_and_goes_with_the_rewrite(tmp_path: Path) -> None:
    path = make(tmp_path / "s", {0: b"one", 1: b"two", 2: b"six"})
    journal = path / "tracker_journal.dat"
    torn = entry([(2, (0, 0, 0, 0))])
    journal.write_bytes(
        entry([(0, (1, 0, 1, 3)), (5, (1, 0, 2, 3))]) + entry([(1, (0, 0, 0, 0))]) + torn[:-1] + bytes([torn[-1] ^ 1])
    )
    expected = {0: b"two", 2: b"six", 5: b"six"}
    assert everything(path) == expected
    with Gridstore(path, writable=True) as store:
        assert store.journaled
        GridWriter(store).finish()
    assert not journal.exists()
    assert everything(path) == expected


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        ((1, 9, 0, 4), "outside"),
        ((1, 0, BLOCKS, 4), "outside"),
        ((1, 1, BLOCKS - 1, 17), "outside"),
        ((7, 0, 0, 4), "outside"),
    ],
)
def test_a_tracker_that_points_elsewhere_is_refused(tmp_path: Path, slot: tuple[int, ...], said: str) -> None:
    path = make(tmp_path / "s", {0: b"one"})
    tracker = bytearray((path / "tracker.dat").read_bytes())
    tracker[4:20] = b"".join(n.to_bytes(4, "little") for n in slot)
    (path / "tracker.dat").write_bytes(tracker)
    with pytest.raises(UnsafeError, match=said):
        Gridstore(path)


@pytest.mark.parametrize("name", ["page_1.dat", "tracker.dat", "bitmask.dat", "config.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "s", {0: b"one"})
    (path / name).unlink()
    with pytest.raises(UnsafeError, match=name):
        Gridstore(path)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "s", {3: b"one" * 9}, compression="LZ4")
    page = bytearray((path / "page_0.dat").read_bytes())
    page[:4] = b"\xff\xff\xff\x7f"
    (path / "page_0.dat").write_bytes(page)
    with Gridstore(path) as store, pytest.raises(UnsafeError, match="record of point 3"):
        store.value(3)


def test_crc32c_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C's catalogues


def test_the_holes_of_a_large_tracker_take_no_memory_and_stay(tmp_path: Path) -> None:
    points = [3, 40_000, 20_000_000]
    path = make(tmp_path / "grid", {0: b"one", 1: b"four", 2: b"three"})
    stored = np.frombuffer((path / "tracker.dat").read_bytes(), SLOT, 3, offset=4)
    with (path / "tracker.dat").open("r+b") as tracker:
        tracker.truncate(0)
        tracker.truncate(4 + 16 * (points[-1] + 1) + 4096)
        tracker.write((points[-1] + 1).to_bytes(4, "little"))
        for point, slot in zip(points, stored, strict=True):
            tracker.seek(4 + 16 * point)
            tracker.write(slot.tobytes())
    blocks = (path / "tracker.dat").stat().st_blocks
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:  # a worker's memory is other tests' too
        assert alone.submit(_replaced, path, points).result(60) < 60_000  # kB; the file has 320 MB
    assert (path / "tracker.dat").stat().st_blocks <= blocks + 64
    with Gridstore(path) as store:
        assert [store.value(point) for point in points] == [b"one", b"else" * 9, b"three"]


def _replaced(path: Path, points: list[int]) -> int:
    """Read the store and replace the value of one point; the kB of memory that it took at most."""
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    with Gridstore(path, writable=True) as store:
        assert sorted(store.points().tolist()) == points
        assert store.live_blocks().sum() == 3
        writer = GridWriter(store)
        writer.replace(40_000, b"else" * 9)
        writer.finish()
    return _resident("VmHWM") - before


def _resident(what: str) -> int:
    """kB of memory of this process: `VmRSS` now, `VmHWM` at most since it was told to forget."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
