from __future__ import annotations

import ctypes
import threading

from envclone.stores.qdrant import engine


def test_a_process_with_threads_of_the_engine_is_not_copied_for_it() -> None:
    named, end = threading.Event(), threading.Event()

    def like_the_engine() -> None:
        ctypes.CDLL(None).prctl(15, b"edge-search-0")  # PR_SET_NAME
        named.set()
        end.wait(60)

    thread = threading.Thread(target=like_the_engine)
    assert engine.forkable()
    thread.start()
    try:
        assert named.wait(60)
        assert not engine.forkable(wait=0)
    finally:
        end.set()
    assert engine.forkable(wait=60)
    thread.join()
