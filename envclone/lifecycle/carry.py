"""A case goes from one pool to another in one file, and is there what it was here: the same bytes, the same answers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import __version__, attestation, keys, records
from envclone.accounts import take_back
from envclone.cases import archive as archives
from envclone.cases import files
from envclone.cases.archive import Archive
from envclone.cases.case import Case
from envclone.cow.sizes import format_size
from envclone.errors import BusyError, ResourceError, UnsafeError, UsageError
from envclone.incidents import files as bundles
from envclone.incidents import seal
from envclone.lifecycle import elsewhere, images
from envclone.lifecycle.incidents import sealed
from envclone.models import Image
from envclone.pool import is_id, pins
from envclone.pool.workdir import workdir
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.bundle import Incident

__all__ = ["LIMIT", "Carried", "export", "fingerprint", "import_"]

LIMIT = 64 << 30
"""The most bytes that the files of an image may have, holes included, unless more are allowed."""
SPARE = 64 << 20
"""Bytes of the pool that stay free."""
_OWN = (attestation.ATTESTATION, attestation.SIGNATURE, attestation.MANIFEST)


@dataclass(frozen=True, slots=True)
class Carried:
    """A case that was written or taken over: its image, bytes in the archive and of the image's files, its signer.

    `there` says that the image was in the pool already.
    """

    case: str
    image: str
    bytes: int
    apparent: int
    signer: str
    there: bool = False


def export(project: Project, name: str, target: Path) -> Carried:
    """Write a case with its image into one file, which another pool of the same project imports.

    Raises UnsafeError when the image or the bundle is not what was pinned, UsageError when there is no such case.
    """
    kept = files.load(project.loaded.stack.cases, name)
    if not sealed(project, kept.bundle, trusted=True):
        raise UnsafeError(
            f"the bundle of case {name} was changed since, or signed by a pool that is not trusted here",
            hint=f"envclone pin {name} --again",
        )
    bundle = kept.bundle
    if not sealed(project, bundle):  # who imports it trusts this pool, and knows no other
        bundle = bundle.model_copy(update={"signature": keys.sign(project.keys, seal.message(bundle)).hex()})
    with images.using(project, kept.case.pinned.image) as image:
        elsewhere.require_here(project, "images", image.id, "to export a case")
        place = project.pool.path_of("images", image.id)
        texts = {one: (place / one).read_text(encoding="utf-8") for one in _OWN}
        texts[files.CASE] = (kept.directory / files.CASE).read_text(encoding="utf-8")
        texts[files.BUNDLE] = bundles.as_json(bundle)
        public = keys.public_key(project.keys)
        assert public is not None  # the image is signed
        project.tell("writing the archive")
        size = archives.pack(
            target, place, image.id, texts, __version__, frozenset(_OWN), lambda m: keys.sign(project.keys, m), public
        )
        apparent = sum(one.stat().st_size for one in place.rglob("*") if one.is_file() and not one.is_symlink())
    project.log("export", {"case": name, "image": image.id})
    return Carried(name, image.id, size, apparent, keys.fingerprint(public))


def import_(project: Project, source: Path, *, trust: str | None = None, limit: int = LIMIT) -> Carried:
    """Take a case over from an archive, when its signer is this pool, is trusted, or is the one that `trust` names.

    Everything is checked before it is written, every byte before it is published. Raises UnsafeError for an archive
    that is not what it says or whose signer is unknown, ResourceError when it is too large.
    """
    with archives.opened(source, partial(_require_trusted, project, trust)) as archive:
        signer = keys.fingerprint(archive.public)
        image, case, bundle, statement = _read(project, archive)
        if archive.table.apparent > limit:
            raise ResourceError(
                f"the image's files have {format_size(archive.table.apparent)}, and {format_size(limit)} are allowed",
                hint="--limit allows more",
            )
        _require_new_or_same(project, case, bundle)
        there = _there(project, image, archive)
        if not there:
            free = project.pool.free_bytes()
            if archive.table.data + SPARE > free:
                raise ResourceError(
                    f"the image takes {format_size(archive.table.data)}, and the pool has {format_size(free)} free",
                    hint="envclone gc removes what nobody needs",
                )
            with workdir(project.pool, project.cow, "import") as directory:
                project.tell("unpacking the image")
                archives.unpack(archive, directory)
                project.tell("comparing every file with its digest")
                _require_bytes(directory, archive)
                _seal(project, directory, image, statement, archive, signer)
                project.pool.publish(directory, "images", image.id)
        with images.using(project, image.id):  # gc is not to find it before its pin is there
            if trust is not None and signer != fingerprint(project):
                keys.trust(project.keys, archive.public)
            pins.write(project.pool, pins.Pin(project.name, case.case, image.id))
            if not (project.loaded.stack.cases / case.case).exists():
                files.save(project.loaded.stack.cases, case, bundle)
        project.log("import", {"case": case.case, "image": image.id, "signer": signer})
        return Carried(
            case.case, image.id, os.fstat(archive.file.fileno()).st_size, archive.table.apparent, signer, there
        )


def fingerprint(project: Project) -> str:
    """The fingerprint of the pool's signing key; '' before it signed anything."""
    return keys.fingerprint(keys.public_key(project.keys) or "")


def _require_trusted(project: Project, trust: str | None, public: str, signed: bytes, signature: bytes) -> None:
    """Raises UnsafeError unless the operator trusts who signed an archive, by name, and it was not changed since."""
    signer = keys.fingerprint(public)
    if trust is not None and trust.lower() != signer:
        raise UnsafeError(f"the archive was signed by {signer}, and you trust {trust}")
    if trust is None and public not in (keys.public_key(project.keys), *keys.trusted(project.keys)):
        raise UnsafeError(
            f"the archive was signed by {signer}, who is not trusted here: what is in it would be taken for masked",
            hint="ask who made it for their fingerprint (envclone case fingerprint), then: --trust FINGERPRINT",
        )
    if not keys.verify_by(public, signed, signature):
        raise UnsafeError("the archive was changed after it was signed")


def _read(project: Project, archive: Archive) -> tuple[Image, Case, Incident, dict[str, Any]]:
    """Image, case, bundle and attestation, each of which has to fit the others. Raises UnsafeError."""
    try:
        return _parts(project, archive)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise UnsafeError(f"the archive holds a part of a case that is damaged ({type(exc).__name__})") from None


def _parts(project: Project, archive: Archive) -> tuple[Image, Case, Incident, dict[str, Any]]:
    table = archive.table
    if set(table.texts) != {*_OWN, files.CASE, files.BUNDLE} or not is_id(table.image):
        raise UnsafeError("the archive lacks a part of a case, or names its image in no way that a pool can")
    said, manifest = (table.texts[one].encode() for one in (attestation.ATTESTATION, attestation.MANIFEST))
    if not keys.verify_by(archive.public, said, bytes.fromhex(table.texts[attestation.SIGNATURE])):
        raise UnsafeError("the image's attestation was not signed by who signed the archive")
    statement: dict[str, Any] = json.loads(said)
    image = records.load(Image, statement["image"], what="the image's record")
    if attestation.digest_of(manifest) != statement["files"]["manifest"]:
        raise UnsafeError("the list of the image's files is not the one that was attested")
    attested: dict[str, Any] = json.loads(manifest)
    present: dict[str, Any] = {one.path: one.size for one in table.files} | dict.fromkeys(table.links, "link")
    if present != {path: entry[0] for path, entry in attested.items()}:
        raise UnsafeError("the archive's files are not those that were attested")
    if any(table.links[path] != attested[path][-1] for path in table.links):
        raise UnsafeError("a link of the archive is not the one that was attested")
    stores = {path.partition("/")[0] for path in (*table.directories, *present)}
    if image.id != table.image or stores - image.raw.stores.keys():
        raise UnsafeError("the archive's image is not the one that was attested")
    if image.project != project.name:
        raise UsageError(
            f"the case belongs to the project '{image.project}', and this is '{project.name}'",
            hint=f"use the stack file of '{image.project}': envclone --file FILE …",
        )
    case = files.case_of(table.texts[files.CASE], "the case in the archive")
    bundle = bundles.parsed(table.texts[files.BUNDLE], Path(files.BUNDLE))
    if case.pinned.image != image.id or case.pinned.attestation != attestation.first(statement, said):
        raise UnsafeError("the case was pinned with another image than the archive's")
    if bundle.masked != image.key_id or bundle.incident != case.case or bundle.environment != image.environment:
        raise UnsafeError("the bundle in the archive is of another incident, environment or key")
    if not keys.verify_by(archive.public, seal.message(bundle), bytes.fromhex(bundle.signature or "")):
        raise UnsafeError("the bundle in the archive was changed after it was masked")
    return image, case, bundle, statement


def _require_new_or_same(project: Project, case: Case, bundle: Incident) -> None:
    """A case that is there stays as it is, and has to be this one. Raises UsageError."""
    folder = project.loaded.stack.cases
    if case.case not in files.names(folder):
        files.place(folder, case.case)
        return
    kept = files.load(folder, case.case)
    if kept.case.pinned != case.pinned or seal.message(kept.bundle) != seal.message(bundle):
        raise UsageError(
            f"{folder / case.case} is there already, and is another case", hint=f"envclone unpin {case.case}"
        )


def _there(project: Project, image: Image, archive: Archive) -> bool:
    """Whether the pool has this very image. Raises BusyError when it has another one of that id."""
    place = project.pool.path_of("images", image.id)
    if not place.exists():
        return False
    said = archive.table.texts[attestation.ATTESTATION].encode()
    ours = attestation.first(attestation.check(place, project.keys), attestation.text_of(place))
    if ours != attestation.first(json.loads(said), said):
        raise BusyError(f"the pool has another image {image.id}", hint="objects of a pool are never overwritten")
    return True


def _require_bytes(directory: Path, archive: Archive) -> None:
    """Every file has the bytes that were attested. Raises UnsafeError naming one that has not."""
    attested = json.loads(archive.table.texts[attestation.MANIFEST])
    wrong = attestation.differing(directory, {path: entry for path, entry in attested.items() if entry[0] != "link"})
    if wrong is not None:
        raise UnsafeError(f"the archive's file {wrong} has other bytes than were attested, and nothing was kept")


def _seal(
    project: Project, directory: Path, image: Image, statement: dict[str, Any], archive: Archive, signer: str
) -> None:
    """Sign the image by this pool's own key: it vouches for the bytes, and says who vouched for what they are."""
    said = archive.table.texts[attestation.ATTESTATION].encode()
    origin = {
        "attestation": attestation.digest_of(said),
        "signer": signer,
        "signature": archive.table.texts[attestation.SIGNATURE],
    }
    own = signer == fingerprint(project)
    taken = {
        **statement,
        "image": records.dump(image if own else replace(image, imported=signer)),
        "imported": statement.get("imported") or origin,
        "not_guaranteed": [
            *statement.get("not_guaranteed", ()),
            *(
                []
                if own
                else [f"the pool {signer} made and checked it; here its bytes were compared with what it signed"]
            ),
        ],
    }
    taken.pop("files", None)
    take_back(directory)
    attestation.seal(directory, taken, project.keys)
