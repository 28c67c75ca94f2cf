"""Memory is given back: what is free, and pages of libraries that are only read."""

from __future__ import annotations

import mmap
from pathlib import Path

from envclone.memory import give_back


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
        give_back()
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
        give_back()
        assert own[:4] == b"kept"
