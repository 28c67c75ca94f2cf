"""Erasing from a stopped clone's files what the server no longer shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from envclone.errors import BusyError
from envclone.models import Change, Cleaned, StorePlan, StoreSnapshot
from envclone.stores.postgres.catalog import layout
from envclone.stores.postgres.scrub import blanks, emptylog
from envclone.stores.postgres.scrub.tidy import tidy
from envclone.stores.postgres.server import control, engine

__all__ = ["scrub"]

_RELATION_FILE = re.compile(r"^(\d+)(?:_(?:fsm|vm|init))?(?:\.\d+)?$")
_DATABASE_FILES = {"PG_VERSION", "pg_filenode.map", "pg_internal.init"}
_GLOBAL_FILES = {"pg_control", "pg_filenode.map", "pg_internal.init"}


def scrub(directory: Path, snapshot: StoreSnapshot, plan: StorePlan, earlier: Path | None = None) -> list[Cleaned]:
    """Erase dead rows, free space, dropped columns, files of nothing, logs, statistics files and old WAL.

    `directory` holds `data/`, cleanly stopped, and the layout that its private session left. Every heap and every index
    of every database is gone through, catalogs too. Of an index the entries stay; those of masked columns were rebuilt.
    Pages that become what an image has whose data directory is `earlier` share its blocks.
    Raises UnsafeError when a page cannot be understood, BusyError when a server runs.
    """
    data = directory / "data"
    if (data / "postmaster.pid").exists():
        raise BusyError(f"a server still runs on {data}", hint="stop it, then scrub")
    known = layout.load(directory)
    left_out = snapshot.details.get("left_out") or {}
    cleaned = [
        Cleaned(
            "left out of the snapshot, for PostgreSQL did not make it", sum(left_out.values()), ", ".join(left_out)
        ),
        *_files(data, known),
        *_heaps(data, known, earlier),
    ]
    cleaned.append(_wal(data, snapshot))
    return [item for item in cleaned if item.count]


def _heaps(data: Path, known: layout.Layout, earlier: Path | None) -> list[Cleaned]:
    checksums, transactions = bool(control.read(data).checksums), control.transactions(data)
    done: list[blanks.Erased] = []
    referenced: dict[tuple[int, int], list[npt.NDArray[np.int64]]] = {}
    # TOAST tables last: only then it is known which of their values somebody refers to
    eraser = blanks.Eraser(
        data,
        page_size=known.page_size,
        segment_pages=known.segment_pages,
        checksums=checksums,
        transactions=transactions,
        earlier=earlier,
    )
    for toast in (False, True):
        heaps = [pair for pair in known.heaps() if (pair[1].kind == "t") is toast]
        jobs = [
            blanks.Heap(relation, _together(referenced.get((database.oid, relation.oid), [])) if toast else None)
            for database, relation in heaps
        ]
        for number, erased in eraser.erase(jobs):
            database, relation = heaps[number]
            if len(erased.referenced):
                referenced.setdefault((database.oid, relation.toast), []).append(erased.referenced)
            done.append(erased)
    done += blanks.erase_holes(
        data,
        [relation for _, relation in known.indexes()],
        page_size=known.page_size,
        segment_pages=known.segment_pages,
        checksums=checksums,
        earlier=earlier,
    )
    written, total = sum(e.written for e in done), sum(e.pages for e in done)
    return [
        Cleaned("row versions that nobody sees, erased", sum(e.dead for e in done)),
        Cleaned("bytes of dead rows and free space zeroed", sum(e.bytes for e in done), f"{written} of {total} pages"),
        Cleaned("values of dropped columns zeroed", sum(e.dropped_values for e in done)),
        Cleaned("pieces of large values that nobody refers to, zeroed", sum(e.orphaned for e in done)),
    ]


def _together(parts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return blanks.distinct(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def _files(data: Path, known: layout.Layout) -> Iterator[Cleaned]:
    removed = tidy(data)
    yield Cleaned("logs, keys, slots, statistics files and strangers removed", len(removed), _names(removed))
    prepared = sorted((data / "pg_twophase").iterdir())
    for path in prepared:
        _remove(path)
    yield Cleaned("prepared transactions' files removed", len(prepared))
    orphans = list(_storage(data, known))
    for path in orphans:
        _remove(path)
    yield Cleaned("files of no known relation removed", len(orphans))


def _storage(data: Path, known: layout.Layout) -> Iterator[Path]:
    """What lies among the relations' files and is none."""
    owned: dict[Path, set[str]] = {data / "global": set()}
    for database in known.databases:
        owned.setdefault(data / "base" / str(database.oid), set())
        for relation in database.relations:
            path = data / relation.path
            owned.setdefault(path.parent, set()).add(path.name)
    for folder, names in owned.items():
        extra = _GLOBAL_FILES if folder.name == "global" else _DATABASE_FILES
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            match = _RELATION_FILE.match(path.name)
            if path.name not in extra and not (match and match.group(1) in names):
                yield path
    for path in (data / "base").iterdir():
        if path not in owned:
            yield path  # a database that was dropped, or pgsql_tmp
    for space in (data / "pg_tblspc").iterdir():
        for version in space.iterdir():
            for path in version.iterdir() if version.is_dir() else ():
                if path not in owned:
                    yield path


def _wal(data: Path, snapshot: StoreSnapshot) -> Cleaned:
    """New, empty WAL; the control file says cleanly stopped, so nothing of the old one is needed."""
    folder = data / "pg_wal"
    before = sum(path.is_file() for path in folder.rglob("*"))
    emptylog.renew(data, engine.for_snapshot(snapshot))
    for name in ("archive_status", "summaries"):
        for path in (folder / name).iterdir() if (folder / name).is_dir() else ():
            _remove(path)
    # a server that was promoted once keeps when, and the name of the point that it was restored to
    for path in sorted(folder.glob("*.history")):
        _remove(path)
    return Cleaned("WAL files replaced by an empty one", before)


def _names(removed: tuple[Change, ...]) -> str:
    return ", ".join(change.name.removeprefix("file:") for change in removed)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
