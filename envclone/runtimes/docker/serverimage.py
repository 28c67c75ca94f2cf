"""An image made of a server that is installed here, for a store that names none: no registry is asked."""

from __future__ import annotations

import io
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import process
from envclone.models import ProgressEvent, ServerFiles
from envclone.protocols import Progress
from envclone.runtimes.docker.engine import explained

if TYPE_CHECKING:
    import docker

__all__ = ["ensure"]

_LIBRARY = re.compile(r"(?:=>\s*)?(/[^\s(]+)\s*\(0x")
_SHELL = Path("/bin/sh")


def ensure(client: docker.DockerClient, files: ServerFiles, progress: Progress) -> str:
    """The image of a server's files, made when it is not there yet; its name."""
    from docker.errors import ImageNotFound

    with explained(f"the image {files.name} cannot be made"):
        try:
            client.images.get(files.name)
            return files.name
        except ImageNotFound:
            pass
        progress(ProgressEvent(f"making the image {files.name}", 0))
        repository, _, tag = files.name.rpartition(":")
        with tempfile.NamedTemporaryFile(prefix="envclone-image-", suffix=".tar") as archive:
            _pack(files, Path(archive.name))
            client.api.import_image_from_file(
                archive.name,
                repository=repository,
                tag=tag,
                changes=['ENV PATH="/usr/local/bin:/usr/bin:/bin"', 'LABEL io.envclone.part="server"'],
            )
    return files.name


def _pack(files: ServerFiles, archive: Path) -> None:
    """All files, what their programs load, and a shell; links are followed."""
    known: set[str] = set()
    binaries = [path for tree in files.paths for path in _files(tree) if _is_binary(path)]
    with tarfile.open(archive, "w", dereference=True) as tar:
        for path in [*files.paths, *_loaded(list(dict.fromkeys([*files.programs, *binaries, _SHELL]))), _SHELL]:
            for file in _files(path):
                _add(tar, file, str(files.inside(file)).lstrip("/"), known)
        for program in files.programs:
            info = tarfile.TarInfo(f"usr/local/bin/{program.name}")
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(files.inside(program)), 0o777
            tar.addfile(info)
        for name in ("tmp", "run", "var/tmp"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(info)
        passwd = b"root:x:0:0::/:/bin/sh\n"
        info = tarfile.TarInfo("etc/passwd")
        info.size, info.mode = len(passwd), 0o644
        tar.addfile(info, io.BytesIO(passwd))


def _files(tree: Path) -> Iterator[Path]:
    if tree.is_dir():
        for entry in sorted(tree.iterdir()):
            if entry.name != "__pycache__":
                yield from _files(entry)
    elif tree.is_file():
        yield tree


def _is_binary(path: Path) -> bool:
    if ".so" not in path.name and not path.stat().st_mode & 0o100:
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _add(tar: tarfile.TarFile, path: Path, name: str, known: set[str]) -> None:
    if name not in known:
        known.add(name)
        info = tar.gettarinfo(path, arcname=name)
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        info.mode |= 0o444 | (0o111 if info.mode & 0o100 else 0)
        with path.open("rb") as file:
            tar.addfile(info, file)


def _loaded(programs: list[Path]) -> list[Path]:
    """The libraries that programs load, the loader itself included, as ldd names them."""
    text = process.run(["ldd", *programs], check=False).stdout  # its code says whether each of them could be read
    found = dict.fromkeys(Path(os.path.normpath(match[1])) for match in _LIBRARY.finditer(text))
    loaders = [loader for program in programs if (loader := _interpreter(program)) is not None]
    return list(found | dict.fromkeys(loaders))


def _interpreter(program: Path) -> Path | None:
    """The loader that an ELF file asks for."""
    with program.open("rb") as file:
        head = file.read(65536)
    match = re.search(rb"(/[\w./-]+/ld-linux[\w.-]*|/lib/ld-musl[\w.-]*)\0", head)
    return Path(match[1].decode()) if match else None
