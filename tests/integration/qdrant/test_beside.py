"""The files of a shard are listed while another process loads and closes it, as the proof does both at once."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

from envclone.stores.qdrant import digest, engine
from envclone.stores.qdrant.layout import Shard, collections
from tests.support.qdrant import build


def _load_again_and_again(shard: Path) -> None:
    while True:
        with engine.loaded(Shard(shard)):
            pass


def test_the_digest_of_a_shard_that_another_process_loads_is_the_same_every_time(tmp_path: Path) -> None:
    root = build(tmp_path / "storage", points=120).root
    (collection,) = collections(root)
    (shard,) = collection.shards()
    engine.settle(shard)
    before = digest.of_collection(collection, 120, None, None, set())
    spawn = multiprocessing.get_context("spawn")
    other = spawn.Process(target=_load_again_and_again, args=(shard.path,), daemon=True)
    other.start()
    try:
        written = shard.path / "segments"
        met = 0
        # until the engine was met in the middle of its writing often enough
        while met < 5:
            assert other.is_alive()
            assert digest.of_collection(collection, 120, None, None, set()) == before
            for segment in written.iterdir():
                met += any(name.startswith(".atomicwrite") for name in os.listdir(segment))
    finally:
        other.kill()
        other.join()
