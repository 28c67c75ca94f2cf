"""An image is what was attested, file by file; anything else is refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from envclone import attestation
from envclone.errors import UnsafeError
from envclone.keys import sign


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder


@pytest.fixture
def image(tmp_path: Path, keys: Path) -> Path:
    place = tmp_path / "img-1"
    (place / "main" / "data").mkdir(parents=True)
    (place / "main" / "data" / "a").write_bytes(b"a" * 10_000)
    (place / "main" / "data" / "b").write_bytes(b"b")
    (place / "main" / "data" / "link").symlink_to("../tablespaces/1")
    attestation.seal(place, {"image": {"id": "img-1"}, "checks": {}}, keys)
    return place


def test_an_untouched_image_passes(image: Path, keys: Path) -> None:
    assert attestation.check(image, keys)["image"] == {"id": "img-1"}
    assert attestation.check(image, keys, content=True)["files"]["count"] >= 3


def _flip(image: Path) -> None:
    path = image / "main" / "data" / "a"
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as somebody would who hides it


def _relink(image: Path) -> None:
    (image / "main" / "data" / "link").unlink()
    (image / "main" / "data" / "link").symlink_to("/etc")


def _statement(image: Path) -> None:
    text = json.loads((image / attestation.ATTESTATION).read_text())
    text["checks"] = {"rows": "all good"}
    (image / attestation.ATTESTATION).write_text(json.dumps(text))


def _manifest(image: Path) -> None:
    (image / attestation.MANIFEST).write_text("{}\n")


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (_flip, "main/data/a was altered"),
        (lambda image: (image / "main" / "data" / "b").unlink(), "main/data/b is missing"),
        (lambda image: (image / "main" / "new").write_text("x"), "main/new was added"),
        (_relink, "link was altered"),
        (_statement, "attestation of image img-1 was altered"),
        (_manifest, "manifest of image img-1 was altered"),
        (lambda image: (image / attestation.SIGNATURE).unlink(), "has no attestation"),
        (lambda image: (image / attestation.SIGNATURE).write_text("zz"), "has no attestation"),
        (lambda image: (image / attestation.ATTESTATION).unlink(), "has no attestation"),
        (lambda image: (image / attestation.MANIFEST).unlink(), "was altered"),
    ],
)
def test_tampering_is_refused(image: Path, keys: Path, tamper: Callable[[Path], None], message: str) -> None:
    tamper(image)
    with pytest.raises(UnsafeError, match=message):
        attestation.check(image, keys)


def test_each_piece_of_a_large_file_counts(image: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attestation, "_PIECE", 999)
    attestation.seal(image, {"image": {"id": "img-1"}, "checks": {}}, keys)
    attestation.check(image, keys, content=True)
    pieces = [hashlib.sha256(b"a" * min(999, 10_000 - at)).digest() for at in range(0, 10_000, 999)]
    manifest = json.loads((image / attestation.MANIFEST).read_text())
    assert manifest["main/data/a"][-1] == "s" + hashlib.sha256(b"".join(pieces)).hexdigest()[:32]
    _flip(image)
    with pytest.raises(UnsafeError, match="main/data/a was altered"):
        attestation.check(image, keys, content=True)


def test_an_image_of_an_earlier_envclone_is_checked_by_its_own_digests(image: Path, keys: Path) -> None:
    manifest = json.loads((image / attestation.MANIFEST).read_text())
    for path, entry in manifest.items():
        if entry[0] != "link":
            entry[-1] = hashlib.blake2b((image / path).read_bytes(), digest_size=16).hexdigest()
    text = json.dumps(manifest).encode()
    (image / attestation.MANIFEST).write_bytes(text)
    statement = json.loads((image / attestation.ATTESTATION).read_text())
    statement["files"]["manifest"] = hashlib.blake2b(text, digest_size=32).hexdigest()
    signed = json.dumps(statement).encode()
    (image / attestation.ATTESTATION).write_bytes(signed)
    (image / attestation.SIGNATURE).write_bytes(sign(keys, signed).hex().encode())
    attestation.check(image, keys, content=True)
    _flip(image)
    with pytest.raises(UnsafeError, match="main/data/a was altered"):
        attestation.check(image, keys, content=True)


def test_another_pool_s_signature_is_refused(image: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(UnsafeError, match="another key"):
        attestation.check(image, other)


def test_touched_files_with_the_same_bytes_pass(image: Path, keys: Path) -> None:
    os.utime(image / "main" / "data" / "a")
    assert attestation.check(image, keys)


@pytest.mark.parametrize("name", [attestation.ATTESTATION, attestation.SIGNATURE, attestation.MANIFEST])
def test_a_pipe_is_not_waited_for(image: Path, keys: Path, name: str) -> None:
    (image / name).unlink()
    os.mkfifo(image / name)
    with pytest.raises(UnsafeError, match="is no ordinary file"):
        attestation.check(image, keys)
