"""Before station 7: an incident recorded in production, and its bundle masked for an image."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import keys, registry
from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.models import Image
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.bundle import Incident
    from envclone.incidents.terms import Terms
    from envclone.protocols import SourceRunner

__all__ = ["accepted", "mask", "masked_incident", "record", "sealed", "when"]


def masked_incident(project: Project, ident: str, image: Image) -> Incident:
    """The incident's masked bundle for an image: as it was handed over, taken from the pool, or masked now.

    Only masking needs the key. Raises UsageError when there is no such bundle, UnsafeError when it was masked by
    somebody else, or cannot be masked here: without the key, or when the identities to mask it with are gone.
    """
    from envclone.incidents import files

    try:
        source = files.find(project.loaded.stack.incidents, ident)
        content = source.read_bytes()
    except (UsageError, OSError) as exc:  # the raw bundle may be the operator's alone
        handed = _in_pool(project, ident, image)
        if handed is not None:
            return handed
        if isinstance(exc, UsageError):
            raise
        raise UsageError(f"the bundle of incident {ident} cannot be read: {exc.strerror}") from None
    place = _place(project, ident, content, image)
    if place.exists():
        with suppress(EnvcloneError):  # an older version did not sign
            return accepted(project, files.load(place), image)
    incident = files.load(source)
    if incident.masked is not None:
        return accepted(project, incident, image)
    if not keys.held(project.keys):
        handed = _in_pool(project, ident, image)
        if handed is not None:
            return handed
        raise UnsafeError(
            f"incident {ident} is raw, and to mask it takes the masking key, which is the operator's",
            hint=f"the operator's command: envclone incident mask {ident}",
        )
    return mask(project, ident, image)[0]


def mask(
    project: Project,
    ident: str,
    image: Image,
    *,
    allow_chosen: bool = False,
    allow_computed: bool = False,
    strict: bool = False,
) -> tuple[Incident, list[str]]:
    """Mask a bundle with the project's key and the image's rules, sign it, and keep it in the pool.

    Returns it with a line for each place where the bundle, and not production, chose what becomes a pseudonym; without
    `allow_chosen` that is refused. `strict` is for a bundle that goes into other hands: texts that a statement computed
    are then left out, unless `allow_computed`. Raises UnsafeError, UsageError.
    """
    from envclone.incidents import files, seal
    from envclone.incidents.mask import mask_incident
    from envclone.lifecycle.sanitize import load_masks, load_plans

    source = files.find(project.loaded.stack.incidents, ident)
    place = _place(project, ident, source.read_bytes(), image)
    incident = files.load(source)
    if incident.environment != image.environment:
        raise UsageError(f"incident {ident} happened in '{incident.environment}', not in '{image.environment}'")
    if incident.masked is not None:
        return accepted(project, incident, image), []
    if any(step.expect is None for step in incident.steps):
        raise UsageError(
            f"incident {ident} was not recorded yet: it does not say what production returned",
            hint=f"envclone incident record {source}",
        )
    plans = load_plans(project, image)
    lines = seal.chosen(incident, plans, recorded=sealed(project, incident), strict=strict)
    if lines and not allow_chosen:
        raise UnsafeError(
            f"incident {ident} asks for the pseudonyms of values that production did not give",
            problems=lines,
            hint=f"let production answer: envclone incident record {source}\n"
            f"or decide, as the operator, to tell them: envclone incident mask {ident} --allow-chosen",
        )
    with project.pool.using("raw", image.raw.id):
        masked = mask_incident(incident, load_masks(project, image.raw), plans, computed=allow_computed or not strict)
    signature = keys.sign(project.keys, seal.message(masked)).hex()
    masked = masked.model_copy(update={"signature": signature})
    files.save(masked, place)
    project.log("mask", {"incident": ident, "image": image.id, "chosen": len(lines)})
    return masked, lines


def when(project: Project, ident: str) -> dt.datetime | None:
    """When an incident happened, by its bundle, else when it was recorded; None when no bundle says so.

    Raises ConfigError for a damaged one.
    """
    from envclone.incidents import files

    try:
        place = files.find(project.loaded.stack.incidents, ident)
    except UsageError:
        return None  # it may have been handed over, masked
    incident = files.load(place)
    moment = incident.at or incident.recorded_at
    return None if moment is None else moment.astimezone(dt.UTC)


def record(project: Project, path: Path, terms: Terms | None = None, *, role: str | None = None) -> Incident:
    """Run a bundle's steps against production, in read-only transactions, and write what it returned into the bundle.

    `role` is for the SQL steps that name none. The file becomes mode 0600: it holds raw data; the signature says that
    its answers are production's. Raises UnsafeError when a step does more than read, UnreachableError when production
    cannot be reached.
    """
    from envclone.incidents import files, seal
    from envclone.incidents.bundle import with_role
    from envclone.incidents.record import record as run
    from envclone.incidents.terms import Terms

    incident = files.load(path)
    if incident.masked is not None:
        raise UsageError(f"{path} is a masked bundle; record the raw one")
    if role is not None:
        incident = with_role(incident, role)
    project.begin("running the steps in production")
    asked = {"environment": incident.environment, "steps": [f"{step.store}: {step.id}" for step in incident.steps]}
    project.log("read", {"method": "record", **asked})
    with _production(project, incident, replace(terms or Terms(), waiting=project.tell)) as runners:
        recorded = run(_settled(incident, runners, project.tell), runners)
    recorded = recorded.model_copy(update={"signature": keys.sign(project.keys, seal.message(recorded)).hex()})
    files.save(recorded, path)
    project.log("record", {"incident": incident.incident})
    return recorded


def _settled(incident: Incident, runners: Mapping[str, SourceRunner], tell: Callable[[str], None]) -> Incident:
    """The incident with its steps as they are asked; whose asker is another one is told."""
    steps = [runners[step.store].settled(step) if step.store in runners else step for step in incident.steps]
    for step, before in zip(steps, incident.steps, strict=True):
        if step is not before:
            tell(f"{step.id}: the login that takes its role on is named in the bundle")
    return incident.model_copy(update={"steps": tuple(steps)})


def _place(project: Project, ident: str, content: bytes, image: Image) -> Path:
    """Where the pool keeps a bundle that was masked for an image; its name tells the raw bundle and the image."""
    digest = hashlib.blake2b(content + image.id.encode(), digest_size=8).hexdigest()
    return project.pool.path_of("incidents", "") / f"{ident}-{digest}.json"


def _in_pool(project: Project, ident: str, image: Image) -> Incident | None:
    """The newest bundle of an incident that the operator has masked for images of this key; None without one."""
    from envclone.incidents import files

    folder = project.pool.path_of("incidents", "")
    named = re.compile(re.escape(ident) + r"-[0-9a-f]{16}\.json")
    found = [path for path in folder.iterdir() if named.fullmatch(path.name)]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            return accepted(project, files.load(path), image)
        except EnvcloneError:
            continue
    return None


def sealed(project: Project, incident: Incident, *, trusted: bool = False) -> bool:
    """Whether the bundle is as this pool's envclone wrote it, or with `trusted` that of a pool that is trusted."""
    from envclone.incidents import seal

    try:
        signature = bytes.fromhex(incident.signature or "")
    except ValueError:
        return False
    message = seal.message(incident)
    if keys.verify(project.keys, message, signature):
        return True
    return trusted and any(keys.verify_by(one, message, signature) for one in keys.trusted(project.keys))


def accepted(project: Project, incident: Incident, image: Image, *, trusted: bool = False) -> Incident:
    """A masked bundle that may be replayed. Raises UnsafeError unless it was masked for such an image, and signed.

    With `trusted` by a pool that the operator trusts, too: a case may come from there.
    """
    from envclone.incidents import seal

    name = incident.incident
    if not sealed(project, incident, trusted=trusted):
        raise UnsafeError(
            f"incident {name} says that it is masked, and was not masked by this pool's keys or was changed since",
            hint=f"the operator's command: envclone incident mask {name}",
        )
    if steps := seal.names_domains(incident):
        raise UnsafeError(f"incident {name} is masked and names domains in the step '{steps[0]}'")
    if incident.masked != image.key_id:
        raise UnsafeError(
            f"incident {name} was masked with the key {incident.masked}, the image with {image.key_id}",
            hint="take the raw bundle, or the image of the other key",
        )
    if incident.environment != image.environment:
        raise UsageError(f"incident {name} happened in '{incident.environment}', not in '{image.environment}'")
    return incident


@contextmanager
def _production(project: Project, incident: Incident, terms: Terms) -> Iterator[Mapping[str, SourceRunner]]:
    """Runners on production's own stores and services, for those that the incident's steps name."""
    from envclone.config.load import resolve_source
    from envclone.config.resolve import resolve_url

    config = project.environment(incident.environment)
    wanted = {step.store for step in incident.steps}
    if unknown := wanted - config.stores.keys() - config.services.keys():
        raise UsageError(
            f"incident {incident.incident} names '{min(unknown)}'; '{incident.environment}' has: "
            f"{', '.join(sorted([*config.stores, *config.services]))}"
        )
    with ExitStack() as stack:
        runners: dict[str, SourceRunner] = {}
        for name in sorted(wanted & config.services.keys()):
            url = resolve_url(project.loaded, incident.environment, name)
            if url is None:
                raise UsageError(
                    f"the stack file does not say where production's '{name}' answers",
                    hint=f"services.{name}.url, or write what it answered into the step's `expect` by hand",
                )
            runners[name] = stack.enter_context(registry.service("http").connect_source(name, url, terms))
        for name in sorted(wanted & config.stores.keys()):
            source = resolve_source(project.loaded, incident.environment, name)
            runners[name] = stack.enter_context(
                registry.server(config.stores[name].kind).connect_source(name, config.stores[name], source, terms)
            )
        yield runners
