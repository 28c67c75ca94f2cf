"""Whether a storage directory that was made a second time is the same: file by file, byte by byte.

The engine builds the indexes of masked payload fields again, and writes their values in the order of a hash table whose
seed is another each time. Its log is closed again each time it is opened.
"""

from __future__ import annotations

import re
from pathlib import Path

from envclone.protocols import Alike
from envclone.stores.remade import compared, shown

__all__ = ["alike"]

_OWN = re.compile(r"(.*/)?wal/[^/]*")
_INDEX = re.compile(r"(.*/)?segments/[^/]+/payload_index/.*")


def alike(one: Path, other: Path) -> Alike:
    """Compare two stores' directories."""
    files = compared(one, other)
    own = tuple(sorted(name for name in (*files.unlike, *files.lacking) if _OWN.fullmatch(name)))
    indexes = [name for name in files.unlike if _INDEX.fullmatch(name)]
    different = [line for name, line in files.lacking.items() if not _OWN.fullmatch(name)]
    for name in files.unlike:
        if name in own:
            continue
        if name not in indexes or (one / name).stat().st_size != (other / name).stat().st_size:
            different.append(f"{name}: other bytes")
    built = sum((one / name).stat().st_size for name in indexes)
    return Alike(files.same, built=built, own=own, different=shown(different))
