"""The ring on disk: files of fixed total size in a private directory, the oldest removed first.

`recent-*` holds every request, `kept-*` those that failed or were flagged; each has a budget of its own. A process
writes files of its own, so that several share a directory. Nothing here raises: what cannot be written is counted.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator

from envclone.record.frames import HEADER, head

__all__ = ["KEPT", "RECENT", "Ring"]

RECENT, KEPT = "recent", "kept"
_PARTS = 8
"""Files of a budget: what is dropped at once is one of them."""
_SMALLEST = 64 << 10
_PATIENCE = 1.0
"""Seconds until a directory that could not be written is tried again."""
_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)

Place = tuple[str, int, int]
"""A record's file, offset and length."""


class _File:
    """The file that one kind of records goes to now."""

    def __init__(self, kind: str, budget: int) -> None:
        self.kind = kind
        self.budget = budget
        self.part = max(_SMALLEST, budget // _PARTS)
        self.descriptor: int | None = None
        self.name = ""
        self.size = 0

    def close(self) -> None:
        if self.descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
        self.descriptor = None


class Ring:
    """Appends records of one process. Used by one thread alone."""

    def __init__(self, directory: str, *, recent: int, kept: int) -> None:
        self.directory = directory
        self.lost = 0
        self.why = ""
        self._files = {RECENT: _File(RECENT, recent), KEPT: _File(KEPT, kept)}
        self._open: dict[bytes, list[Place]] = {}
        self._again = 0.0

    def begin(self, request: bytes) -> None:
        """From here on it is remembered where the request's records lie, until `end`."""
        self._open[request] = []

    def end(self, request: bytes) -> None:
        """The request is over."""
        self._open.pop(request, None)

    def prepare(self, about: bytes) -> None:
        """Open the first file."""
        try:
            self._ready(self._files[RECENT], 0, about)
        except OSError as exc:
            self._failed(exc)

    def append(self, frames: list[tuple[bytes, bytes]], about: bytes, kind: str = RECENT) -> int:
        """Write records (each with its request) behind the others; how many of them are on disk now.

        `about` is the record that every file begins with.
        """
        done = 0
        try:
            if time.monotonic() < self._again:
                raise OSError(0, self.why)
            while done < len(frames):
                file = self._ready(self._files[kind], len(frames[done][1]), about)
                room = file.part - file.size
                batch = [frames[done]]
                room -= len(frames[done][1])
                for one in frames[done + 1 :]:
                    room -= len(one[1])
                    if room < 0:
                        break
                    batch.append(one)
                written = self._write(file, batch)
                done += written
                if written < len(batch):
                    break
        except OSError as exc:
            self._failed(exc)
        self.lost += len(frames) - done
        return done

    def keep(self, request: bytes, about: bytes) -> None:
        """Copy what a request wrote so far to where the ring of the others does not take it."""
        places = self._open.get(request)
        frames = [
            (request, data) for data in (self._found(request) if places is None else map(self._read, places)) if data
        ]
        if frames:
            self.append(frames, about, KEPT)

    def reset(self) -> None:
        """In the child of a fork: files of its own."""
        for file in self._files.values():
            file.close()
        self._open = {}

    def _ready(self, file: _File, size: int, about: bytes) -> _File:
        """The file with room for a record. Raises OSError."""
        if file.descriptor is not None:
            if os.fstat(file.descriptor).st_nlink and (file.size + size <= file.part or file.size <= len(about)):
                return file
            file.close()
        if size > file.budget // 2:
            raise OSError(0, "a record is larger than half of the ring")
        self._private()
        self._trim(file, max(file.part, size + len(about)))
        file.name = f"{file.kind}-{time.time_ns():016x}-{os.getpid()}.ring"
        file.descriptor = os.open(os.path.join(self.directory, file.name), _NEW, 0o600)  # noqa: PTH118
        file.size = 0
        self._write(file, [(b"", about)])
        return file

    def _private(self) -> None:
        """The directory, made where it is not there. Raises OSError for one that others may look into."""
        with contextlib.suppress(FileExistsError):
            os.makedirs(self.directory, mode=0o700)  # noqa: PTH103
        found = os.lstat(self.directory)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise PermissionError(0, f"{self.directory} must be a directory of this user's, of mode 0700")

    def _trim(self, file: _File, more: int) -> None:
        """Remove the oldest files of a kind until there is room for `more` bytes in its budget."""
        names = sorted(name for name in os.listdir(self.directory) if _is(name, file.kind))  # noqa: PTH208
        sizes = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                sizes[name] = os.lstat(os.path.join(self.directory, name)).st_size  # noqa: PTH118
        total = sum(sizes.values())
        for name, size in sizes.items():
            if total + more <= file.budget:
                return
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.directory, name))  # noqa: PTH108, PTH118
            total -= size

    def _write(self, file: _File, frames: list[tuple[bytes, bytes]]) -> int:
        """How many records were written whole; what a full disk took of the next one is cut off again."""
        assert file.descriptor is not None
        data = b"".join(frame for _, frame in frames)
        written = 0
        failed: OSError | None = None
        while written < len(data):
            try:
                written += os.write(file.descriptor, memoryview(data)[written:])
            except OSError as exc:
                failed = exc
                break
        end = 0
        done = 0
        for request, frame in frames:
            if end + len(frame) > written:
                break
            if request in self._open and file.kind == RECENT:
                self._open[request].append((file.name, file.size + end, len(frame)))
            end += len(frame)
            done += 1
        file.size += end
        if failed is not None:
            self._failed(failed)
            try:
                os.ftruncate(file.descriptor, file.size)
            except OSError:
                file.close()
        return done

    def _failed(self, exc: OSError) -> None:
        self.why = exc.strerror or str(exc)
        self._again = time.monotonic() + _PATIENCE
        for file in self._files.values():
            if file.descriptor is not None and not os.fstat(file.descriptor).st_nlink:
                file.close()

    def _read(self, place: Place) -> bytes:
        name, offset, length = place
        try:
            descriptor = os.open(os.path.join(self.directory, name), os.O_RDONLY | os.O_CLOEXEC)  # noqa: PTH118
        except OSError:
            return b""
        try:
            return os.pread(descriptor, length, offset)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def _found(self, request: bytes) -> Iterator[bytes]:
        """The records of a request that is over, or another process's: out of all files."""
        try:
            names = sorted(name for name in os.listdir(self.directory) if _is(name, RECENT))  # noqa: PTH208
        except OSError:
            return
        for name in names:
            try:
                with open(os.path.join(self.directory, name), "rb") as file:  # noqa: PTH118, PTH123
                    while (one := head(start := file.read(HEADER.size))) is not None:
                        if one.request == request:
                            yield start + file.read(one.length)
                        else:
                            file.seek(one.length, os.SEEK_CUR)
            except OSError:
                continue


def _is(name: str, kind: str) -> bool:
    return name.startswith(f"{kind}-") and name.endswith(".ring")
