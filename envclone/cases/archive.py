"""A case in one file: a signed table of contents, then the data of the image's files, at offsets that can be shared.

    ENVCLONE-CASE 1\\n · length of the table (8 bytes) · public key (32) · signature (64) · the table (JSON)
    zeros to 4096 · for each extent of each file its bytes, then zeros to 4096

Holes of sparse files are left out. Every extent begins at a multiple of 4096, so that on one file system with reflinks
neither writing nor reading an archive copies data. The table is signed, and checked before anything is written.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from envclone.errors import ResourceError, UnsafeError, UsageError

__all__ = ["Archive", "FileEntry", "Table", "opened", "pack", "unpack"]

MAGIC = b"ENVCLONE-CASE 1\n"
BLOCK = 4096
PURPOSE = b"envclone case\n"
"""What a signature is for: one over a table says nothing else."""
MOST_TABLE = 128 << 20
MOST_FILES = 500_000
_KEY, _SIGNATURE = 32, 64
_PIECE = 64 << 20
_NO_SHARING = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)

Size = Annotated[int, Field(ge=0, lt=1 << 50)]
Mode = Annotated[int, Field(ge=0, le=0o777)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class FileEntry(_Model):
    """A file: its bytes, and where in it they are; the rest of it is a hole."""

    path: str
    mode: Mode
    size: Size
    extents: list[tuple[Size, Size]]


class Table(_Model):
    """What an archive holds. `texts` are its small files by name, `links` the targets of symbolic links."""

    version: Literal[1] = 1
    envclone: str
    image: str
    texts: dict[str, str]
    directories: dict[str, Mode]
    files: list[FileEntry]
    links: dict[str, str]

    @property
    def data(self) -> int:
        """Bytes of all extents."""
        return sum(length for one in self.files for _, length in one.extents)

    @property
    def apparent(self) -> int:
        """Bytes of all files, holes included."""
        return sum(one.size for one in self.files)


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive whose signer is trusted and whose form is right."""

    file: BinaryIO
    table: Table
    public: str
    begins: int


def pack(target: Path, image: Path, name: str, texts: dict[str, str], version: str, skip: frozenset[str],
         sign: Callable[[bytes], bytes], public: str) -> int:  # fmt: skip
    """Write an archive of an image's files, less those that `skip` names at its top; returns its size in bytes.

    Raises UsageError when the file is there, ResourceError when the disk is full.
    """
    directories, files, links = _look(image, skip)
    table = Table(envclone=version, image=name, texts=texts, directories=directories, files=files, links=links)
    text = table.model_dump_json().encode()
    head = MAGIC + len(text).to_bytes(8) + bytes.fromhex(public) + sign(PURPOSE + text)
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{target} is there already", hint="choose another name, or remove it") from None
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(head + text)
            at = _aligned(len(head) + len(text))
            out.truncate(at)
            out.flush()
            for one in files:
                with (image / one.path).open("rb") as source:
                    for offset, length in one.extents:
                        _copy(source.fileno(), offset, out.fileno(), at, length)
                        at = _aligned(at + length)
            out.truncate(at)
            os.fsync(out.fileno())
    except BaseException as exc:
        target.unlink(missing_ok=True)
        if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
            raise ResourceError(f"there is no room for {target}") from exc
        raise
    return at


@contextmanager
def opened(path: Path, trusted: Callable[[str, bytes, bytes], None]) -> Iterator[Archive]:
    """An archive, open, its table read and everything that it says found possible. Raises UnsafeError, UsageError.

    `trusted` is asked before anything is parsed: it gets public key, signed text and signature, raises for a stranger.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeError(f"{path} is no ordinary file")
        head = file.read(len(MAGIC) + 8 + _KEY + _SIGNATURE)
        if not head.startswith(MAGIC) or len(head) < len(MAGIC) + 8 + _KEY + _SIGNATURE:
            raise UnsafeError(f"{path} is no archive of a case", hint="envclone case export writes one")
        length = int.from_bytes(head[len(MAGIC) : len(MAGIC) + 8])
        if length > min(MOST_TABLE, status.st_size):
            raise UnsafeError(f"{path}: its table is said to have {length} bytes")
        text = file.read(length)
        public = head[len(MAGIC) + 8 : -_SIGNATURE].hex()
        trusted(public, PURPOSE + text, head[-_SIGNATURE:])
        table = _table(path, text)
        begins = _aligned(len(head) + length)
        _require(path, table, begins, status.st_size)
        yield Archive(file, table, public, begins)


def unpack(archive: Archive, directory: Path) -> None:
    """Write an archive's files into an empty directory: no name leaves it, links come last, nothing is followed."""
    modes: list[tuple[Path, int]] = []
    for path, mode in sorted(archive.table.directories.items()):
        (directory / path).mkdir(mode=0o700)
        modes.append((directory / path, mode))
    at = archive.begins
    for one in archive.table.files:
        place = directory / one.path
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(descriptor, one.size)
            for offset, length in one.extents:
                _copy(archive.file.fileno(), at, descriptor, offset, length)
                at = _aligned(at + length)
            os.fchmod(descriptor, one.mode)
        finally:
            os.close(descriptor)
    for path, target in archive.table.links.items():
        (directory / path).symlink_to(target)
    for place, mode in reversed(modes):
        place.chmod(mode)


def _look(image: Path, skip: frozenset[str]) -> tuple[dict[str, int], list[FileEntry], dict[str, str]]:
    """Everything in an image: directories with their modes, files with their extents, links."""
    directories: dict[str, int] = {}
    files: list[FileEntry] = []
    links: dict[str, str] = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(image / folder) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                path, status = f"{folder}{entry.name}", entry.stat(follow_symlinks=False)
                if path in skip:
                    continue
                _named(path)
                if stat.S_ISDIR(status.st_mode):
                    directories[path] = status.st_mode & 0o777
                    pending.append(f"{path}/")
                elif stat.S_ISLNK(status.st_mode):
                    links[path] = _named(str(Path(entry.path).readlink()))
                elif stat.S_ISREG(status.st_mode):
                    extents = list(_extents(Path(entry.path), status.st_size))
                    files.append(
                        FileEntry(path=path, mode=status.st_mode & 0o777, size=status.st_size, extents=extents)
                    )
                else:
                    raise UnsafeError(f"the file {path} of an image is neither a file nor a link")
    return directories, files, links


def _named(path: str) -> str:
    """A name that the table of an archive can hold. Raises UnsafeError."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        raise UnsafeError(
            f"the file {shown} of an image has a name that is not UTF-8: no archive can hold it"
        ) from None
    return path


def _extents(path: Path, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data, as offsets and lengths; the offsets are multiples of a block."""
    with path.open("rb") as file:
        at = 0
        while at < size:
            try:
                begin = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError as exc:
                if exc.errno == errno.ENXIO:  # a hole up to the end
                    return
                raise
            begin -= begin % BLOCK
            at = min(size, _aligned(os.lseek(file.fileno(), begin, os.SEEK_HOLE)))
            yield begin, at - begin


def _table(path: Path, text: bytes) -> Table:
    try:
        return Table.model_validate_json(text)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UnsafeError(f"{path}: its table is not of the form of one: {place}: {first['msg']}") from None


def _require(path: Path, table: Table, begins: int, size: int) -> None:
    """Refuse what a table may not say: names that lead elsewhere or come twice, extents that overlap, other sizes."""

    def refuse(why: str) -> UnsafeError:
        return UnsafeError(f"{path} is refused, and nothing was unpacked: {why}")

    if len(table.files) + len(table.links) + len(table.directories) > MOST_FILES:
        raise refuse(f"it holds more than {MOST_FILES} files")
    leaves = [*(one.path for one in table.files), *table.links]
    names = [*table.directories, *leaves]
    for name in names:
        if not _plain(name):
            raise refuse(f"the name {name[:200]!r} leads elsewhere")
    if len(set(names)) != len(names):
        raise refuse("a name is there twice")
    for name in names:
        above = name.rpartition("/")[0]
        if above and above not in table.directories:
            raise refuse(f"the directory of {name[:200]!r} is not in it, or is no directory")
    for name in leaves:
        if "/" not in name:
            raise refuse(f"{name[:200]!r} is in no store")
    for name, target in table.links.items():
        if not _inside(name, target):
            raise refuse(f"the link {name[:200]!r} leads out of its store")
    end = begins
    for one in table.files:
        last = 0
        for offset, length in one.extents:
            if offset % BLOCK or offset < last or not length or offset + length > one.size:
                raise refuse(f"the extents of {one.path[:200]!r} overlap, or lie outside of it")
            last = offset + length
            end = _aligned(end + length)
    if end != size:
        raise refuse(f"it has {size} bytes, and its table speaks of {end}")


_BAD = re.compile(r"[\x00-\x1f\x7f\\]")


def _plain(name: str) -> bool:
    """Whether a name is a path below, spelled in its only way."""
    parts = name.split("/")
    return (
        0 < len(name) <= 1024
        and not _BAD.search(name)
        and all(0 < len(part.encode("utf-8", "replace")) <= 255 and part not in (".", "..") for part in parts)
    )


def _inside(name: str, target: str) -> bool:
    """Whether a link's target stays in the link's store: so many steps up as it is deep, then only down."""
    parts = PurePosixPath(target).parts
    if not target or target.startswith("/") or _BAD.search(target) or len(target) > 1024:
        return False
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    depth = name.count("/") - 1  # directories between the store's own and the link
    return up <= depth and ".." not in parts[up:] and len(parts) > up


def _aligned(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _copy(source: int, offset: int, target: int, at: int, length: int) -> None:
    """Copy a piece of a file, sharing its blocks where the file system can. Raises UnsafeError when it ends early."""
    done, shares = 0, True
    while done < length:
        size = min(_PIECE, length - done)
        if shares:
            try:
                moved = os.copy_file_range(source, target, size, offset + done, at + done)
            except OSError as exc:
                if exc.errno not in _NO_SHARING:
                    raise
                shares = False
                continue
        else:
            moved = os.pwrite(target, os.pread(source, min(size, 1 << 20), offset + done), at + done)
        if moved == 0:
            raise UnsafeError("the archive, or a file of the image, ends early")
        done += moved
