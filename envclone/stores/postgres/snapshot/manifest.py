"""A backup manifest: whether it is as PostgreSQL wrote it, and whether the files of a backup are those it names."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envclone.errors import UnsafeError
from envclone.stores.intake import printable
from envclone.stores.postgres.format.crcs import of_files

__all__ = ["NAME", "Manifest", "place_of", "read", "require_as_sent"]

NAME = "backup_manifest"
_LAST = b'"Manifest-Checksum": "'
_NOT_NAMED = ("pg_wal/",)
"""What a manifest does not name: the log, whose records have checksums of their own, comes in a stream beside."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says: the cluster, and of each file its size and CRC-32C."""

    system_identifier: str
    files: Mapping[str, tuple[int, int]]


def place_of(store: Path) -> Path:
    """Where the manifest of a raw snapshot's store is kept: beside its directory, for no clone is to have it."""
    return store.with_name(f"{store.name}.manifest")


def read(path: Path) -> Manifest:
    """A manifest, its own checksum verified. Raises UnsafeError for one that is damaged, OSError without one."""
    data = path.read_bytes()
    body, found, rest = data.rpartition(_LAST)
    try:
        if not found or hashlib.sha256(body).hexdigest().encode() != rest[:64]:
            raise ValueError
        said = json.loads(data)
        files = {
            os.fsdecode(bytes.fromhex(one["Encoded-Path"])) if "Encoded-Path" in one else str(one["Path"]): (
                int(one["Size"]),
                int.from_bytes(bytes.fromhex(one["Checksum"]), "little"),
            )
            for one in said["Files"]
            if one["Checksum-Algorithm"] == "CRC32C"
        }
        whole = len(files) == len(said["Files"])
        identifier = str(said.get("System-Identifier", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        whole, files, identifier = False, {}, ""
    if not whole:
        raise UnsafeError("the backup manifest is damaged", hint="take the snapshot again")
    return Manifest(identifier, files)


def require_as_sent(data: Path, manifest: Manifest) -> None:
    """Every file of a backup must be named by its manifest, with its size and checksum, and the other way round.

    Raises UnsafeError naming the first that is not.
    """
    present = set(_files(data)) - {NAME}
    if other := sorted(present ^ manifest.files.keys()):
        what = "is not named by its manifest" if other[0] in present else "is missing"
        raise UnsafeError(f"a file of the backup {what}: {printable(other[0])}", hint=_AGAIN)
    for path, size, checksum in of_files(data / name for name in sorted(present)):
        name = str(path.relative_to(data))
        if (size, checksum) != manifest.files[name]:
            raise UnsafeError(f"a file of the backup is not as it was sent: {printable(name)}", hint=_AGAIN)


_AGAIN = "take the snapshot again; if this recurs, check the memory and the disk of this machine"


def _files(data: Path) -> list[str]:
    """Every file below a data directory, its tablespaces included, but for the log."""
    found, folders = [], [""]
    while folders:
        folder = folders.pop()
        with os.scandir(f"{data}/{folder}") as entries:
            for entry in entries:
                name = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=folder == "pg_tblspc/"):
                    folders.append(f"{name}/")
                elif not name.startswith(_NOT_NAMED):
                    found.append(name)
    return found
