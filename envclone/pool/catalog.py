"""The records of a pool: each with the project it belongs to, and the damaged ones as values, too.

The manifests beside the objects are the catalog. A record that cannot be read, names another object or names no
project stops nobody: it comes as a `Flaw`, and a list of records names it and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from envclone import attestation, records
from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.models import Branch, Image, RawSnapshot
from envclone.pool.layout import Pool, is_id
from envclone.pool.times import counted

__all__ = [
    "BRANCH", "KINDS", "SNAPSHOT", "Flaw", "Record", "base", "bases", "branch", "branches", "flaws", "image", "images",
    "owner", "snapshot", "snapshots",
]  # fmt: skip

SNAPSHOT = "snapshot.json"
BRANCH = "branch.json"
KINDS = {"raw": "raw snapshot", "bases": "base backup", "images": "image", "branches": "branch"}
"""The kinds of objects that have a record, and what a person calls them."""

Record = RawSnapshot | Image | Branch
R = TypeVar("R", bound=RawSnapshot | Image | Branch)


@dataclass(frozen=True, slots=True)
class Flaw:
    """An object without a usable record: `older` when it was written before records named their project."""

    kind: str
    id: str
    path: Path
    reason: str
    older: bool = False

    @property
    def remedy(self) -> str:
        """What to do about it, as a command."""
        if self.kind == "branches":
            return f"envclone rm --force {self.id}"
        if self.older:
            return "envclone gc --older removes it"
        return f"restore its record, or remove it: rm -r {self.path}"


def snapshots(pool: Pool, project: str) -> list[RawSnapshot]:
    """A project's raw snapshots, oldest first."""
    return sorted(_of(pool, "raw", _read_snapshot, project), key=lambda raw: counted(raw.created_at))


def bases(pool: Pool, project: str) -> list[RawSnapshot]:
    """A project's base backups, which moments are recovered from, oldest first."""
    return sorted(_of(pool, "bases", _read_base, project), key=lambda raw: counted(raw.created_at))


def images(pool: Pool, project: str) -> list[Image]:
    """A project's images whose attestation is signed by this pool's key, by the state they hold, oldest first."""
    return sorted(
        _of(pool, "images", _read_image, project),
        key=lambda image: (counted(image.raw.created_at), counted(image.created_at)),
    )


def branches(pool: Pool, project: str) -> list[Branch]:
    """The records of a project's branches, by name."""
    return _of(pool, "branches", _read_branch, project)


def snapshot(pool: Pool, project: str, ident: str) -> RawSnapshot:
    """The raw snapshot of that id. Raises UsageError when there is none or it is another project's, UnsafeError."""
    return _one(pool, "raw", ident, _read_snapshot, project)


def base(pool: Pool, project: str, ident: str) -> RawSnapshot:
    """The base backup of that id. Raises UsageError when there is none or it is another project's, UnsafeError."""
    return _one(pool, "bases", ident, _read_base, project)


def image(pool: Pool, project: str, ident: str) -> Image:
    """The image of that id. Raises UsageError when there is none or it is another project's, UnsafeError."""
    return _one(pool, "images", ident, _read_image, project)


def branch(pool: Pool, project: str, name: str) -> Branch:
    """The record of that branch. Raises UsageError when there is none or it is another project's, UnsafeError."""
    return _one(pool, "branches", name, _read_branch, project)


def owner(pool: Pool, kind: str, ident: str) -> str | None:
    """The project that an object belongs to; '' when its record names none, None when it cannot be read."""
    found = _read(pool, kind, ident, _READERS[kind])
    return found.project if not isinstance(found, Flaw) else "" if found.older else None


def flaws(pool: Pool, kind: str = "") -> Iterator[Flaw]:
    """Every object (of one kind) whose record is missing, damaged, or of before records named their project."""
    for one in [kind] if kind else KINDS:
        for ident in _ids(pool, one):
            found = _read(pool, one, ident, _READERS[one])
            if isinstance(found, Flaw) and not pool.in_hand(one, ident) and found.path.exists():
                yield found  # else somebody is just making or removing it


def _of(pool: Pool, kind: str, reader: Callable[[Pool, str], R], project: str) -> list[R]:
    found = (_read(pool, kind, ident, reader) for ident in _ids(pool, kind))
    return [one for one in found if not isinstance(one, Flaw) and one.project == project]


def _one(pool: Pool, kind: str, ident: str, reader: Callable[[Pool, str], R], project: str) -> R:
    what = KINDS[kind]
    if not pool.path_of(kind, ident).is_dir():
        hint = "envclone images lists those there are" if kind == "images" else "envclone ls lists the branches"
        raise UsageError(f"there is no {what} '{ident}'", hint=hint)
    found = _read(pool, kind, ident, reader)
    if isinstance(found, Flaw):
        if not found.path.is_dir():
            raise UsageError(f"there is no {what} '{ident}': it was just removed")
        raise UnsafeError(f"the {what} '{ident}' cannot be used: {found.reason}", hint=found.remedy)
    if found.project != project:
        raise UsageError(
            f"the {what} '{ident}' belongs to the project '{found.project}', and this is '{project}'",
            hint=f"use the stack file of '{found.project}': envclone --file FILE …",
        )
    return found


def _read(pool: Pool, kind: str, ident: str, reader: Callable[[Pool, str], R]) -> R | Flaw:
    path = pool.path_of(kind, ident)
    try:
        record = reader(pool, ident)
    except EnvcloneError as exc:
        return Flaw(kind, ident, path, exc.message)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as exc:  # a record can be damaged in any way
        return Flaw(kind, ident, path, f"its record is damaged ({type(exc).__name__})")
    named = record.name if isinstance(record, Branch) else record.id
    if named != ident:
        return Flaw(kind, ident, path, f"its record is that of '{named}'")
    if not record.project:
        return Flaw(kind, ident, path, "an older envclone made it, which did not write down whose it is", older=True)
    return record


def _read_snapshot(pool: Pool, ident: str) -> RawSnapshot:
    return records.load(RawSnapshot, pool.read_json(pool.path_of("raw", ident) / SNAPSHOT), what="its record")


def _read_base(pool: Pool, ident: str) -> RawSnapshot:
    return records.load(RawSnapshot, pool.read_json(pool.path_of("bases", ident) / SNAPSHOT), what="its record")


def _read_image(pool: Pool, ident: str) -> Image:
    statement = attestation.read(pool.path_of("images", ident), pool.path_of("keys", ""))
    return records.load(Image, statement["image"], what="its record")


def _read_branch(pool: Pool, ident: str) -> Branch:
    return records.load(Branch, pool.read_json(pool.path_of("branches", ident) / BRANCH), what="its record")


_READERS: dict[str, Callable[[Pool, str], Record]] = {
    "raw": _read_snapshot,
    "bases": _read_base,
    "images": _read_image,
    "branches": _read_branch,
}


def _ids(pool: Pool, kind: str) -> list[str]:
    """The objects of a kind; what is hidden is half made, and what has another name is not ours."""
    return sorted(entry.name for entry in pool.path_of(kind, "").iterdir() if is_id(entry.name))
