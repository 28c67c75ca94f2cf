"""An image on a cluster: which snapshots hold it, in a ConfigMap beside its attestation, under the pool's signature.

The attestation is of the files and is made before the snapshot is; so a second statement, signed by the same key, names
the snapshots' handles and the attestation that is true of them. A writer of the ConfigMap can put neither a raw
snapshot nor another image in the place of one that was verified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envclone import attestation, keys
from envclone.errors import UnsafeError, UsageError
from envclone.runtimes.kubernetes.client import Cluster
from envclone.runtimes.kubernetes.names import IMAGE, Place, label
from envclone.runtimes.kubernetes.objects import Object, Volume, config_map

__all__ = ["checked", "described", "described_whole", "name_of_record", "volumes_of", "whole"]

_VERSION = 1
_MOST = 900_000
"""Bytes of an attestation in one ConfigMap, of which the API takes 1 MiB."""
_PIECES = 1000
_REMEDY = "envclone image ENV makes another; nothing is started of this one"


def name_of_record(image: str) -> str:
    """The name of an image's ConfigMap."""
    return f"image-{image}"


def described(
    image: str, namespace: str, place: Path, key_folder: Path, volumes: Sequence[Volume], project: str = ""
) -> Object:
    """The ConfigMap of an image in `place`, whose snapshots are `volumes`; signed with the pool's key."""
    text = (place / attestation.ATTESTATION).read_bytes()
    statement = json.dumps(
        {
            "version": _VERSION,
            "image": image,
            "attestation": hashlib.sha256(text).hexdigest(),
            "volumes": [
                {
                    "name": one.name,
                    "driver": one.driver,
                    "handle": one.handle,
                    "bytes": one.bytes,
                    "stores": dict(one.stores),
                }
                for one in volumes
            ],
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    values = {
        "attestation.json": text.decode(),
        "attestation.sig": (place / attestation.SIGNATURE).read_text(),
        "snapshots.json": statement,
        "snapshots.sig": keys.sign(key_folder, statement.encode()).hex(),
    }
    labels = {IMAGE: image, **({"envclone.io/project": label(project)} if project else {})}
    return config_map(namespace, name_of_record(image), values, labels, fixed=True)


def described_whole(image: str, own: Place, place: Path, key_folder: Path, volumes: Sequence[Volume]) -> list[Object]:
    """The ConfigMaps of an image in its own namespace: one, and more for an attestation that is longer than it takes.

    The record comes last: what it leads to is there.
    """
    record = described(image, own.namespace, place, key_folder, volumes, own.project)
    text = record["data"]["attestation.json"]
    pieces = _pieces(text)
    labels = {**own.labels, **record["metadata"]["labels"]}
    record["metadata"]["labels"] = labels
    if len(pieces) == 1:
        return [record]
    record["data"] = {**record["data"], "attestation.json": "", "attestation.pieces": str(len(pieces))}
    return [
        *(
            config_map(own.namespace, f"{name_of_record(image)}.{number}", {"piece": piece}, labels, fixed=True)
            for number, piece in enumerate(pieces)
        ),
        record,
    ]


def _pieces(text: str) -> list[str]:
    """A text in pieces that a ConfigMap takes each; no character is cut."""
    data, found, start = text.encode(), [], 0
    while len(data) - start > _MOST:
        end = start + _MOST
        while data[end] & 0xC0 == 0x80:
            end -= 1
        found.append(data[start:end].decode())
        start = end
    return [*found, data[start:].decode()]


def whole(cluster: Cluster, record: Object) -> Object:
    """A record with its attestation, read from as many ConfigMaps as it takes; one that lacks a piece is not whole."""
    values = record.get("data") or {}
    count = str(values.get("attestation.pieces") or "")
    if not count.isdecimal() or int(count) > _PIECES:
        return record
    found = []
    for number in range(int(count)):
        meta = record["metadata"]
        piece = cluster.get("ConfigMap", f"{meta['name']}.{number}", meta["namespace"])
        found.append(str(((piece or {}).get("data") or {}).get("piece") or ""))
    return {**record, "data": {**values, "attestation.json": "".join(found)}}


def checked(record: Object, image: str, attested: str, key_folder: Path) -> list[Volume]:
    """The snapshots of an image, if its record is whole: both signatures are this pool's, and what they say agrees.

    `attested` is the digest of the attestation that the branch is made of, as `attestation.digest` gives it. Raises
    UnsafeError saying what is not as it was signed.
    """
    values = record.get("data") or {}
    name = record["metadata"]["name"]

    def unsafe(what: str) -> UnsafeError:
        return UnsafeError(f"the image {image} on the cluster is not to be trusted: {what} ({name})", hint=_REMEDY)

    try:
        text, statement = values["attestation.json"].encode(), values["snapshots.json"].encode()
        signatures = [bytes.fromhex(values[f"{one}.sig"].strip()) for one in ("attestation", "snapshots")]
    except (KeyError, ValueError, AttributeError) as exc:
        raise unsafe("its record is not whole") from exc
    if not keys.verify(key_folder, text, signatures[0]):
        raise unsafe("its attestation is not signed by this pool")
    if not keys.verify(key_folder, statement, signatures[1]):
        raise unsafe("which snapshots it is in is not signed by this pool")
    if attestation.digest_of(text) != attested:
        raise unsafe("its attestation is another one than this pool's")
    try:
        said: Any = json.loads(statement)
        if said["version"] != _VERSION or said["image"] != image:
            raise unsafe("its snapshots are another image's")
        if said["attestation"] != hashlib.sha256(text).hexdigest():
            raise unsafe("its snapshots were attested otherwise")
        return [
            Volume(str(one["name"]), str(one["driver"]), str(one["handle"]), int(one["bytes"]), dict(one["stores"]))
            for one in said["volumes"]
        ]
    except (KeyError, TypeError, ValueError) as exc:
        raise unsafe("its record is not whole") from exc


def volumes_of(
    cluster: Cluster, namespace: str, image: str, attested: str, stores: Sequence[str], key_folder: Path
) -> list[Volume]:
    """The snapshots of an image as its checked record names them. Raises UsageError when it is not on the cluster."""
    record = cluster.get("ConfigMap", name_of_record(image), namespace)
    if record is None:
        raise UsageError(
            f"the image {image} is not on the cluster: the namespace {namespace} has no record of it",
            hint="an image of a source with `method: volume` is; docs/kubernetes.md says how others get there",
        )
    found = checked(whole(cluster, record), image, attested, key_folder)
    there = {store for volume in found for store in volume.stores}
    if missing := [store for store in stores if store not in there]:
        raise UnsafeError(f"the image {image} on the cluster lacks {', '.join(missing)}", hint=_REMEDY)
    return found
