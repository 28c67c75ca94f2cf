"""Memory is given back: what is free, and pages of libraries that are only read."""

from __future__ import annotations

import mmap
import weakref
from pathlib import Path

import pytest

from envclone.compiled import available
from envclone.memory import forget, give_back


def _resident(path: Path) -> int:
    """kB of a file that this process has in memory."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text(errors="replace").splitlines():
        if "-" in line.split(" ")[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def test_what_is_only_read_is_put_down_and_still_there(tmp_path: Path) -> None:
    path = tmp_path / "library"
    path.write_bytes(b"x" * 4_000_000)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as mapped:
        assert mapped[:].count(b"x") == 4_000_000
        assert _resident(path) >= 3900
        give_back(0)
        assert _resident(path) < 100
        assert mapped[:].count(b"x") == 4_000_000


def test_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(1_000_000))
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as own,
    ):
        own[:4] = b"kept"
        give_back(0)
        assert own[:4] == b"kept"


@pytest.mark.skipif(not available(), reason="without compiled loops there is no compiler")
def test_what_the_compiler_needs_of_a_loop_is_made_again_when_it_asks() -> None:
    from envclone.masking.kernels import sets

    sets.warm()
    library = next(iter(sets.hashes.overloads.values())).library
    before = sorted(one.name for one in library._get_module_for_linking().functions)
    give_back(0)
    assert library._shared_module is None
    assert sorted(one.name for one in library._get_module_for_linking().functions) == before


class _Held:
    """Something that a frame can hold."""


def test_it_is_looked_for_when_enough_came() -> None:
    give_back(0)
    held = _Held()
    held.itself = held  # type: ignore[attr-defined]
    seen = weakref.ref(held)
    del held
    give_back()
    assert seen() is not None
    came = bytearray(b"x") * 32_000_000
    give_back()
    assert seen() is None and came


def test_who_keeps_an_error_keeps_nothing_of_its_frames() -> None:
    seen: list[weakref.ref[_Held]] = []

    def inner() -> None:
        held = _Held()
        seen.append(weakref.ref(held))
        raise ValueError

    def outer() -> None:
        held = _Held()
        seen.append(weakref.ref(held))
        try:
            inner()
        except ValueError as exc:
            raise RuntimeError from exc

    with pytest.raises(RuntimeError) as kept:
        outer()
    assert all(one() is not None for one in seen)
    forget(kept.value)
    assert [one() for one in seen] == [None, None]
