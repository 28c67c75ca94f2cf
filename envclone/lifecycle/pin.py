"""An incident becomes a case: its image is kept, its bundle is masked for other hands, what fixed means is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from envclone import __version__, attestation, keys, registry
from envclone.errors import UnsafeError, UsageError
from envclone.lifecycle import branches, images
from envclone.lifecycle.incidents import accepted, mask
from envclone.models import Image, StoreSnapshot
from envclone.pool import catalog, pins
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.cases.case import Case
    from envclone.incidents.bundle import Incident

__all__ = ["EXTENSION", "Listed", "cases", "digests", "fields", "pin", "unpin", "versions"]

EXTENSION = "extension "


@dataclass(frozen=True, slots=True)
class Listed:
    """A case as it is listed; `flaw` says why it cannot be read, or what it lacks."""

    case: str
    environment: str = ""
    wants: str = ""
    expects: int = 0
    image: str = ""
    pinned: dt.datetime | None = None
    flaw: str = ""


def pin(
    project: Project,
    ident: str,
    expectations: Sequence[Any] = (),
    *,
    failing: bool = False,
    image: str | None = None,
    pseudonyms: bool = False,
    again: bool = False,
    allow_chosen: bool = False,
    allow_computed: bool = False,
) -> Case:
    """Keep an incident as a case: its image, by default its newest branch's, its masked bundle, and what fixed means.

    With `failing` the gate takes it as it is, until it changes. `pseudonyms` says that names in the expectations are
    the branch's; without, a text that names somebody is refused. Raises UsageError, UnsafeError.
    """
    from envclone.cases import files
    from envclone.cases.case import Case, Pinned
    from envclone.cases.evaluate import step_of

    if not expectations and not failing:
        raise UsageError(
            "a case says what fixed means, or that it still fails as it was recorded",
            hint="--expect top-5=88,17 for the first, --expect reproduces for the second",
        )
    folder = project.loaded.stack.cases
    files.place(folder, ident, again=again)
    with images.using(project, image or _image(project, ident)) as held:
        bundle = _bundle(project, ident, held, allow_chosen=allow_chosen, allow_computed=allow_computed)
        if not bundle.steps:
            raise UsageError(
                f"incident {ident} has nothing that can be run again",
                hint=f"envclone incident show {ident} says what it lacks",
            )
        for one in expectations:
            step_of(one, bundle)
        if not pseudonyms:
            _require_nobody(project, held, expectations)
        place = project.pool.path_of("images", held.id)
        statement = attestation.read(place, project.keys)
        case = Case(
            case=ident,
            environment=held.environment,
            wants="failing" if failing else "fixed",
            fixed=tuple(expectations),
            pinned=Pinned(
                at=dt.datetime.now(dt.UTC).replace(microsecond=0),
                image=held.id,
                attestation=attestation.first(statement, attestation.text_of(place)),
                key=held.key_id,
                rules=held.rules_digest,
                state_of=held.raw.created_at,
                engines={name: versions(one) for name, one in held.raw.stores.items()},
                fields=digests(statement),
                envclone=__version__,
                signer=keys.fingerprint(keys.public_key(project.keys) or ""),
            ),
        )
        pins.write(project.pool, pins.Pin(project.name, ident, held.id))
        files.save(folder, case, bundle, again=again)
    project.log("pin", {"case": ident, "image": held.id, "expectations": len(expectations)})
    return case


def unpin(project: Project, name: str) -> bool:
    """Remove a case and let go of its image; False when there was neither."""
    import shutil

    from envclone.cases import files

    files.place(project.loaded.stack.cases, name, again=True)
    folder = project.loaded.stack.cases / name
    there = (folder / files.CASE).is_file()
    if there:
        for own in (files.CASE, files.BUNDLE):
            (folder / own).unlink(missing_ok=True)
        if not any(folder.iterdir()):  # what a person put beside them is theirs
            shutil.rmtree(folder)
    dropped = pins.drop(project.pool, project.name, name)
    if there or dropped:
        project.log("unpin", {"case": name})
    return there or dropped


def cases(project: Project) -> list[Listed]:
    """Every case beside the stack file, and every pin of the pool whose case is not there."""
    from envclone.cases import files
    from envclone.errors import EnvcloneError

    folder = project.loaded.stack.cases
    there = {image.id for image in catalog.images(project.pool, project.name)}
    found: dict[str, Listed] = {}
    for name in files.names(folder):
        try:
            case = files.load(folder, name).case
        except EnvcloneError as exc:
            found[name] = Listed(name, flaw=exc.message)
            continue
        flaw = "" if case.pinned.image in there else f"its image {case.pinned.image} is not in this pool"
        found[name] = Listed(
            name, case.environment, case.wants, len(case.fixed), case.pinned.image, case.pinned.at, flaw
        )
    for one in pins.every(project.pool, project.name):
        if one.case not in found:
            flaw = f"no case of this name in {folder}; envclone unpin {one.case} lets go of its image"
            found[one.case] = Listed(one.case, image=one.image, flaw=flaw)
    return [found[name] for name in sorted(found)]


def fields(statement: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Per store, each field of an image and what it is, by its attestation."""
    return {
        store: {
            address: " ".join(filter(None, (str(rule.get("kind", "")), str(rule.get("base", "")))))
            for address, rule in its["plan"]["rules"].items()
        }
        for store, its in statement["stores"].items()
    }


def digests(statement: Mapping[str, Any]) -> dict[str, str]:
    """Per store, one digest of its fields: it tells whether the schema is another."""
    return {
        store: blake2b("\n".join(f"{a} {k}" for a, k in sorted(its.items())).encode(), digest_size=8).hexdigest()
        for store, its in fields(statement).items()
    }


def versions(snapshot: StoreSnapshot) -> dict[str, str]:
    """The versions that decide how a store answers: the engine's, and those of its extensions."""
    known = registry.server(snapshot.kind).production(snapshot)
    extensions = {what: version for what, version in known.items() if what.startswith(EXTENSION)}
    return {"engine": snapshot.engine_version, **extensions}


def _image(project: Project, ident: str) -> str:
    """The image that an incident was looked at on: that of its newest branch, else the newest of its environment."""
    from envclone.incidents import files

    mine = [one for one in branches.branches(project) if one.incident == ident]
    if mine:
        return max(mine, key=lambda one: one.created_at).image
    environment = files.load(files.find(project.loaded.stack.incidents, ident)).environment
    newest = images.find(project, environment)
    if newest is None:
        raise UsageError(
            f"there is no branch of incident {ident} and no image of '{environment}'",
            hint=f"envclone branch {environment} --incident {ident}",
        )
    return newest.id


def _bundle(project: Project, ident: str, image: Image, *, allow_chosen: bool, allow_computed: bool) -> Incident:
    """The bundle as it may leave this machine: what was masked in passing, for this pool alone, may hold more."""
    from envclone.incidents import files

    incident = files.load(files.find(project.loaded.stack.incidents, ident))
    if incident.masked is not None:
        return accepted(project, incident, image)
    if not keys.held(project.keys):
        raise UnsafeError(
            f"incident {ident} is raw, and to mask it takes the masking key, which is the operator's",
            hint=f"the operator's command: envclone incident mask {ident} -o FILE",
        )
    if (key := project.key_id) != image.key_id:
        raise UnsafeError(
            f"the image {image.id} was masked with the key {image.key_id}, and the pool has {key}",
            hint="pin it on an image of today's key (--image), or pin a bundle that was masked with the other key",
        )
    try:
        return mask(project, ident, image, allow_chosen=allow_chosen, allow_computed=allow_computed, strict=True)[0]
    except UnsafeError as exc:
        if exc.hint and "--allow-chosen" in exc.hint:
            exc.hint = exc.hint.replace(f"envclone incident mask {ident}", f"envclone pin {ident} …")
        raise


def _require_nobody(project: Project, image: Image, expectations: Sequence[Any]) -> None:
    """Refuse expectations that name a person: they are committed. Who has no key has only seen pseudonyms."""
    from envclone.cases.case import texts_of

    texts = texts_of(tuple(expectations))
    if not texts or not keys.held(project.keys):
        return
    from envclone.lifecycle.sanitize import load_masks

    with project.pool.using("raw", image.raw.id):
        masks = load_masks(project, image.raw)
        masked = masks.text(texts)
    if count := sum(one != other for one, other in zip(texts, masked, strict=True)):
        raise UnsafeError(
            f"{count} texts of the expectations name somebody, or look like it, and a case is written down unmasked",
            hint="say it without, or as the branch has it, with the branch's pseudonyms: --pseudonyms",
        )
