"""Giving memory back to the system between two large steps."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import os
import re
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["forget", "give_back", "keep"]

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ +(/.*)")
_OWN = re.compile(r"Anonymous: +(\d+) kB")
_USUAL = gc.get_threshold()
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""Of mallopt(3). A thread does not get a heap of its own, which would stay as large as it once was."""
_LARGE = 4 * 2**20
"""Bytes from which an array is mapped, and goes back when it is freed: else glibc learns to keep up to 32 MB."""
_SELDOM = (50_000, 20, 10)
"""Objects from which the collector looks through the youngest, and how often through older ones: values of production
come by the ten thousand, hold no cycles, and would be looked through again and again."""


def give_back(little: int = 16 * 2**20) -> None:
    """Return what is free; where the C library is not glibc there is nothing to do.

    glibc keeps freed blocks of up to 32 MB for itself (`mallopt(3)`, M_MMAP_THRESHOLD): after a step that made large
    arrays, the next one would come on top of them. Where fewer bytes than `little` came since the last time it is not
    looked for: to look takes as long as a step over a small table.
    """
    if not _LOWEST.near(little):
        _give_back()


def _give_back() -> None:
    _shrink_loops()
    gc.collect()
    try:
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        _put_down(library)
    except (AttributeError, OSError):
        return
    finally:
        _LOWEST.note()


class _Lowest:
    """How much of this process was in memory when some was given back last; a copy of it is another process."""

    def __init__(self) -> None:
        self._pid = self._pages = 0

    def note(self) -> None:
        self._pid, self._pages = os.getpid(), _resident()

    def near(self, little: int) -> bool:
        return self._pid == os.getpid() and max(0, _resident() - self._pages) * mmap.PAGESIZE < little


_LOWEST = _Lowest()


def _resident() -> int:
    """Pages of this process that are in memory; 0 where the system does not say it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0


def forget(error: BaseException | None = None) -> None:
    """Let go of what a long work held, and of what it `keep`t, also of the files that it had open.

    The frames that an error went through are emptied: who keeps it keeps no value of production with it.
    """
    seen: set[int] = set()
    one = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__
    gc.set_threshold(*_USUAL)
    gc.unfreeze()
    gc.collect()


def keep() -> None:
    """Take all that is loaded now as what stays: later collections do not look through a million objects of libraries,
    nor copy their pages in a copy of the process.
    """
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
    _give_back()
    gc.freeze()
    gc.set_threshold(*_SELDOM)


def _shrink_loops() -> None:
    """Hold what the compiler could put into other loops as bytes, not as objects of the compiler: these take 30 MB, and
    are only looked at when a loop is compiled late."""
    for name, room in list(sys.modules.items()):
        if name.startswith("envclone.") and hasattr(room, "warm"):
            for loop in vars(room).values():
                for form in getattr(loop, "overloads", {}).values():
                    _shrink(getattr(form, "library", None))


def _shrink(library: Any) -> None:
    module = getattr(library, "_shared_module", None)
    if module is None or not hasattr(library, "_get_module_for_linking"):
        return
    held = module.as_bitcode()

    def again() -> Any:
        return import_module("llvmlite.binding").parse_bitcode(held)

    library._get_module_for_linking = again
    library._shared_module = None


def _put_down(library: ctypes.CDLL) -> None:
    """Take the pages of programs and libraries that are only read out of this process: who needs one again finds it
    in the system's cache. A compiler that made loops ready holds 70 MB of them, and nobody calls it any more.
    """
    for start, end in _only_read():
        library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED)


def _only_read() -> Iterator[tuple[int, int]]:
    """Where files are mapped that this process cannot write to, and of which it has no page of its own: what is read
    there again is the same."""
    place: tuple[int, int] | None = None
    for line in Path("/proc/self/smaps").read_text(errors="replace").splitlines():
        if found := _MAPPING.fullmatch(line):
            place = (int(found[1], 16), int(found[2], 16)) if found[3] in ("r-xp", "r--p") else None
        elif place is not None and (own := _OWN.match(line)):
            if own[1] == "0":
                yield place
            place = None
