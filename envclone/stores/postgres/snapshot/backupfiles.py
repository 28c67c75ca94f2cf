"""The files of a base backup: what it may be told by production's tablespaces, and what of it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from envclone.errors import UnsafeError
from envclone.stores.intake import keep_only, printable
from envclone.stores.postgres.snapshot import enginefiles

__all__ = ["require_inside", "require_plain", "weed"]


def require_plain(tablespaces: Mapping[int, str]) -> None:
    """pg_basebackup maps a tablespace by its exact path; one that it spells otherwise would be written to that path.

    Raises UnsafeError naming the tablespace.
    """
    for oid, location in tablespaces.items():
        if os.path.normpath(location) != location or not location.isprintable():
            raise UnsafeError(
                f"the tablespace {oid} of production lies at {printable(location)!r}, which is not a plain path",
                hint="correct its link in pg_tblspc there",
            )


def require_inside(into: Path) -> None:
    """Every tablespace of a backup must lie below `into`: one that production made meanwhile has no mapping.

    Raises UnsafeError naming where it was written.
    """
    folder = into / "data" / "pg_tblspc"
    for link in sorted(folder.iterdir()) if folder.is_dir() else ():
        if link.is_symlink() and not link.resolve().is_relative_to(into.resolve()):
            raise UnsafeError(
                f"a tablespace was made in production while its base backup ran: it was written to "
                f"{printable(str(link.readlink()))} on this machine",
                hint="remove that directory here, and take the snapshot again",
            )


def weed(into: Path, major: int, tablespaces: Iterable[int]) -> dict[str, int]:
    """Remove what PostgreSQL did not make, and link the tablespaces so that a clone of `into` points into itself.

    Returns the names of what was removed. Raises UnsafeError for a file of a kind that no engine makes.
    """
    left_out = keep_only(into / "data", enginefiles.judge_backup(major))
    for oid in tablespaces:
        strays = keep_only(into / "tablespaces" / str(oid), enginefiles.judge_space(major))
        left_out |= {f"pg_tblspc/{oid}/{name}": count for name, count in strays.items()}
        (into / "data" / "pg_tblspc" / str(oid)).symlink_to(Path("../../tablespaces") / str(oid))
    return left_out
