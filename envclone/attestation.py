"""The signed record of an image: what was masked and checked, and the exact files that this is true of."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from envclone import keys
from envclone.errors import UnsafeError

__all__ = [
    "ATTESTATION",
    "ELSEWHERE",
    "MANIFEST",
    "SIGNATURE",
    "check",
    "differing",
    "digest",
    "digest_of",
    "first",
    "parsed",
    "read",
    "seal",
    "seal_said",
    "text_of",
]

ATTESTATION = "attestation.json"
SIGNATURE = "attestation.sig"
MANIFEST = "files.json"
ELSEWHERE = "elsewhere.json"
"""Beside an attestation whose files are not here: where they are."""

Entry = list[Any]
"""A file: [size, mtime ns, ctime ns, digest]; a symbolic link: ['link', target].

The digest is 's' and 16 bytes, in hexadecimal, of the SHA-256 of the SHA-256 of each of its pieces. One without the
letter, in an image of an earlier envclone, is BLAKE2b of the whole, of 16 bytes.
"""
_PIECE, _BLOCK = 16 * 2**20, 2**20
_SHA256 = "s"


def seal(image: Path, statement: Mapping[str, Any], key_folder: Path, *, content: str = "") -> None:
    """Write the image's file manifest and its signed attestation; nothing in it may change afterwards.

    With the digest of another image's `content` every file must be as it is there. Raises UnsafeError when one is not.
    """
    there = dict(_files(image))
    plain = [path for path, entry in there.items() if entry[0] != "link"]
    for path, digested in zip(plain, _digests(image, plain), strict=True):
        there[path] = [*there[path], digested]
    manifest = _canonical(there)
    found = _content(there)
    if content not in ("", found):
        raise UnsafeError("the files of the image before are not those that were attested", hint=_REMAKE)
    _write(image / MANIFEST, manifest)
    text = json.dumps(
        {
            **statement,
            "files": {"manifest": _digest(manifest), "content": found, "count": manifest.count(b"\n")},
        },
        indent=2,
        sort_keys=True,
        default=str,
    ).encode()
    _write(image / ATTESTATION, text)
    _write(image / SIGNATURE, keys.sign(key_folder, text).hex().encode())


def parsed(place: Path) -> dict[str, Any]:
    """What an attestation says, with the manifest that it speaks of; the caller knows who signed it.

    Raises UnsafeError when they do not belong together.
    """
    statement: dict[str, Any] = json.loads(_bytes(place / ATTESTATION))
    if _digest(_bytes(place / MANIFEST)) != statement["files"]["manifest"]:
        raise UnsafeError("the file manifest is not the one that was attested", hint=_REMAKE)
    return statement


def seal_said(image: Path, key_folder: Path) -> None:
    """Sign an attestation that was made where the files are; the caller has checked who made it, and `parsed` it."""
    _write(image / SIGNATURE, keys.sign(key_folder, _bytes(image / ATTESTATION)).hex().encode())


def read(image: Path, key_folder: Path) -> dict[str, Any]:
    """The attestation, its signature verified. Raises UnsafeError when it is missing or altered."""
    name = image.name
    try:
        text = _bytes(image / ATTESTATION)
        signature = bytes.fromhex(_bytes(image / SIGNATURE).decode("ascii"))
    except (FileNotFoundError, ValueError):
        raise UnsafeError(f"the image {name} has no attestation", hint=_REMAKE) from None
    if not keys.verify(key_folder, text, signature):
        raise UnsafeError(f"the attestation of image {name} was altered, or another key signed it", hint=_REMAKE)
    statement: dict[str, Any] = json.loads(text)
    return statement


def _bytes(path: Path) -> bytes:
    """What an ordinary file holds; a pipe that somebody put in its place is not waited for. Raises UnsafeError."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnsafeError(f"{path} is no ordinary file", hint=_REMAKE)
        return file.read()


def digest_of(text: bytes) -> str:
    """The digest of an attestation's or a manifest's text."""
    return _digest(text)


def first(statement: Mapping[str, Any], text: bytes) -> str:
    """The digest of the attestation that an image was published with, in whatever pool that was."""
    origin = statement.get("imported")
    return str(origin["attestation"]) if isinstance(origin, dict) else _digest(text)


def text_of(image: Path) -> bytes:
    """An attestation as it was signed."""
    return _bytes(image / ATTESTATION)


def differing(image: Path, attested: Mapping[str, Entry]) -> str | None:
    """A file whose size or bytes are not those of its entry in a manifest; None when all are. Links are not asked."""
    for path, entry in attested.items():
        if os.lstat(image / path).st_size != entry[0]:
            return path
    old = [path for path, entry in attested.items() if not str(entry[-1]).startswith(_SHA256)]
    new = [path for path, entry in attested.items() if str(entry[-1]).startswith(_SHA256)]
    found = dict(zip(new, _digests(image, new), strict=True)) | {path: _of_old(image / path) for path in old}
    return next((path for path in attested if found[path] != attested[path][-1]), None)


def digest(image: Path) -> str:
    """What tells an image from another one that was made under the same id: the digest of its attestation."""
    return _digest(_bytes(image / ATTESTATION))


def check(image: Path, key_folder: Path, *, content: bool = False) -> dict[str, Any]:
    """Check that an image is what was attested, and return its attestation. Raises UnsafeError naming what is not.

    Of one whose files are elsewhere there are none to be compared, and none may be here.

    Sizes and times of all files are compared; contents too when `content` is true, or for the files whose times
    differ (an image that was moved keeps its bytes, not its times).
    """
    statement = read(image, key_folder)
    manifest = _bytes(image / MANIFEST) if (image / MANIFEST).exists() else b""
    if _digest(manifest) != statement["files"]["manifest"]:
        raise UnsafeError(f"the file manifest of image {image.name} was altered", hint=_REMAKE)
    attested: dict[str, Entry] = json.loads(manifest)
    if (image / ELSEWHERE).is_file():
        own = {ATTESTATION, SIGNATURE, MANIFEST, ELSEWHERE}
        if extra := sorted(entry.name for entry in image.iterdir() if entry.name not in own):
            raise UnsafeError(f"image {image.name} has no files here, and {extra[0]} was added", hint=_REMAKE)
        return statement
    present = dict(_files(image))
    if gone := sorted(attested.keys() - present.keys()):
        raise UnsafeError(f"image {image.name}: the attested file {gone[0]} is missing", hint=_REMAKE)
    if new := sorted(present.keys() - attested.keys()):
        raise UnsafeError(f"image {image.name}: the file {new[0]} was added after the attestation", hint=_REMAKE)
    doubtful = [path for path, entry in attested.items() if content or present[path] != entry[:3]]
    if not doubtful:
        return statement
    plain = [path for path in doubtful if present[path][0] != "link"]
    old = [path for path in plain if not str(attested[path][-1]).startswith(_SHA256)]
    new = [path for path in plain if str(attested[path][-1]).startswith(_SHA256)]
    found = dict(zip(new, _digests(image, new), strict=True)) | {path: _of_old(image / path) for path in old}
    for path in doubtful:
        if (present[path][0], found.get(path, present[path][-1])) != (attested[path][0], attested[path][-1]):
            raise UnsafeError(f"image {image.name}: the file {path} was altered", hint=_REMAKE)
    return statement


_REMAKE = "make the image again: envclone image ENVIRONMENT --again"


def _files(image: Path) -> Iterator[tuple[str, Entry]]:
    """Every file and link below the image but the attestation's own: its path below it, and it without its digest."""
    own = {ATTESTATION, SIGNATURE, MANIFEST}
    top = os.fspath(image)
    stack = [""]
    while stack:
        folder = stack.pop()
        with os.scandir(f"{top}/{folder}") as entries:
            for entry in entries:
                path = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    stack.append(f"{path}/")
                elif path not in own:
                    yield path, _described(entry.path, path, entry.stat(follow_symlinks=False))


def _described(file: str, path: str, status: os.stat_result) -> Entry:
    if stat.S_ISLNK(status.st_mode):
        return ["link", str(Path(file).readlink())]
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeError(f"the file {path} of an image is neither a file nor a link")
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _digests(image: Path, paths: Sequence[str]) -> Iterator[str]:
    """The digest of each file, all of them by all processors: hashing releases the interpreter's lock."""
    if not paths:
        return
    from concurrent.futures import ThreadPoolExecutor  # a branch's start does without it

    sizes = [os.lstat(image / path).st_size for path in paths]
    pieces = [(i, at) for i, size in enumerate(sizes) for at in range(0, max(size, 1), _PIECE)]
    whole = [hashlib.sha256() for _ in paths]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for (i, _), digested in zip(
            pieces, pool.map(lambda one: _piece(image / paths[one[0]], one[1]), pieces), strict=True
        ):
            whole[i].update(digested)
    yield from (_SHA256 + one.hexdigest()[:32] for one in whole)


def _piece(file: Path, offset: int) -> bytes:
    state, left = hashlib.sha256(), _PIECE
    with file.open("rb", buffering=0) as handle:
        handle.seek(offset)
        while left and (block := handle.read(min(left, _BLOCK))):
            state.update(block)
            left -= len(block)
    return state.digest()


def _of_old(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _content(entries: Mapping[str, Entry]) -> str:
    """The digest of what the files hold and are called: the same for every clone of an image."""
    return _digest(_canonical({path: [entry[0], entry[-1]] for path, entry in entries.items()}))


def _canonical(entries: Mapping[str, Entry]) -> bytes:
    lines = (f"{json.dumps(path)}: {json.dumps(entry)}" for path, entry in sorted(entries.items()))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8", "surrogateescape")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)
