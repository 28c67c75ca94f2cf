"""An image's record on a cluster: a writer of the record can put nothing else in the image's place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from envclone import attestation
from envclone.errors import UnsafeError
from envclone.runtimes.kubernetes import images
from envclone.runtimes.kubernetes.objects import Volume
from tests.unit.runtimes.kubernetes.conftest import altered, signed

VOLUME = Volume("data", "csi.example", "snap-1", 1 << 30, {"main": "main"})


@pytest.fixture
def made(tmp_path: Path) -> tuple[dict[str, Any], str, Path]:
    """A record, the digest of its attestation, and the keys."""
    image, folder = tmp_path / "img-1", tmp_path / "keys"
    image.mkdir()
    folder.mkdir(mode=0o700)
    (image / "file").write_text("x")
    attestation.seal(image, {"image": "img-1"}, folder)
    return images.described("img-1", "ns", image, folder, [VOLUME]), attestation.digest(image), folder


def test_a_record_that_is_whole(made: tuple[dict[str, Any], str, Path]) -> None:
    record, digest, folder = made
    assert images.checked(record, "img-1", digest, folder) == [VOLUME] and record["immutable"] is True


def test_every_way_to_put_another_in_its_place_is_refused(made: tuple[dict[str, Any], str, Path]) -> None:
    record, digest, folder = made
    raw = {"name": "data", "driver": "csi.example", "handle": "snap-raw", "bytes": 1 << 30, "stores": {"main": "main"}}
    ways: list[tuple[dict[str, Any], str, str]] = [
        (altered(record, "snapshots.json", volumes=[raw]), "img-1", "which snapshots it is in is not signed"),
        (altered(record, "attestation.json", image="img-2"), "img-1", "its attestation is not signed"),
        (record, "img-2", "its snapshots are another image's"),
    ]
    for key in record["data"]:
        lacking = copy.deepcopy(record)
        del lacking["data"][key]
        ways.append((lacking, "img-1", "its record is not whole"))
    # both are of this pool, and of two images
    other = {**json.loads(record["data"]["snapshots.json"]), "attestation": "0" * 64}
    text = json.dumps(other)
    mixed = copy.deepcopy(record)
    mixed["data"] |= {"snapshots.json": text, "snapshots.sig": signed(folder, text)}
    ways.append((mixed, "img-1", "its snapshots were attested otherwise"))
    for each, image, words in ways:
        with pytest.raises(UnsafeError, match=words):
            images.checked(each, image, digest, folder)
    with pytest.raises(UnsafeError, match="another one than this pool's"):
        images.checked(record, "img-1", "0" * 64, folder)


def test_another_pools_signature_is_none(made: tuple[dict[str, Any], str, Path], tmp_path: Path) -> None:
    record, digest, _ = made
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    signed(other, "makes the key")
    with pytest.raises(UnsafeError, match="not signed by this pool"):
        images.checked(record, "img-1", digest, other)
