"""Station 2: on a private clone of a raw snapshot, replace every identity and disarm what could reach out."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from envclone import compiled, records, registry
from envclone.accounts import account_of, hand_over
from envclone.errors import UnsafeError
from envclone.forked import together
from envclone.interrupts import deferred
from envclone.lifecycle import opening, planning
from envclone.lifecycle.opening import Clone
from envclone.memory import give_back, keep
from envclone.models import Cleaned, Image, Inventory, ProgressEvent, RawSnapshot, RewriteReport, StorePlan
from envclone.private import write_private
from envclone.project import Project
from envclone.protocols import Following, Progress, Sharing, StoreSession
from envclone.shelf import Shelf

if TYPE_CHECKING:
    from envclone.hooks.hookset import HookSet
    from envclone.masking.corpus import Corpus
    from envclone.masking.kinds import DomainSpec
    from envclone.masking.masks import MaskSet
    from envclone.packed import Packed
    from envclone.verifier.people import Read

__all__ = [
    "Sanitized",
    "StoreWork",
    "apart",
    "identities_of",
    "image_id",
    "load_masks",
    "load_plans",
    "reopen",
    "sanitize",
]


@dataclass(frozen=True, slots=True)
class StoreWork:
    """What sanitizing did to one store."""

    plan: StorePlan
    rewrite: RewriteReport
    cleaned: Sequence[Cleaned]


class Sanitized:
    """A sanitized clone that nobody has checked yet; only `sanitize` makes one, and only `verify` takes one."""

    __slots__ = ("directory", "id", "masks", "raw", "stores")

    def __init__(
        self,
        token: object,
        id: str,
        directory: Path,
        raw: RawSnapshot,
        masks: MaskSet,
        stores: Mapping[str, StoreWork],
    ) -> None:
        if token is not _TOKEN:
            raise TypeError("only sanitize() makes a Sanitized")
        self.id = id
        self.directory = directory
        self.raw = raw
        self.masks = masks
        self.stores = stores


_TOKEN = object()
_NAMES = 4
"""Columns of one table whose names, side by side, are a person's whole name."""


def image_id(project: Project, raw: RawSnapshot, *, again: bool = False) -> str:
    """The id of the image that this snapshot, these rules, this key and these engines make; `again` gives another."""
    import hashlib

    engines = sorted((name, store.engine_version) for name, store in raw.stores.items())
    parts = [
        project.name,
        raw.id,
        project.rules_digest,
        project.key_id,
        engines,
        project.loaded.stack.sanitize.method,
        secrets.token_hex(8) if again else "",
    ]
    return "img-" + hashlib.blake2b(json.dumps(parts).encode(), digest_size=6).hexdigest()


def sanitize(
    project: Project, raw: RawSnapshot, directory: Path, ident: str | None = None, *, earlier: Path | None = None
) -> Sanitized:
    """Clone a raw snapshot into `directory` and sanitize the clone; the caller removes it when this fails.

    `ident` is the id of the image to be; None gives the one that follows from what it is made of. What becomes the
    same bytes as in the image in `earlier` shares its blocks.

    Raises UnsafeError when a field is undeclared or a rule matches nothing, ConfigError when rules contradict.
    """
    from envclone.masking.masks import MaskSet

    def ready() -> None:
        compiled.prepare(lambda text: project.progress(ProgressEvent(text, 0)))
        keep()

    def meanwhile() -> None:
        with deferred():  # what LLVM calls back would drop an interruption, and the image would be made
            ready()

    if not compiled.at_hand():
        ready()
    project.begin("opening the copy")
    project.clone_raw(raw, directory)
    plans: dict[str, StorePlan] = {}
    rewrites: dict[str, RewriteReport] = {}
    cleaned: dict[str, list[Cleaned]] = {name: [] for name in raw.stores}
    domains = project.domains
    hooks = project.hooks()
    with ExitStack() as stack:
        stack.callback(hooks.close)
        project.progress(ProgressEvent(f"opening {', '.join(raw.stores)}", 0))
        clones = {
            name: Clone(registry.store(snapshot.kind), directory / name, snapshot, directory / f"{name}.log")
            for name, snapshot in raw.stores.items()
        }
        sessions = stack.enter_context(opening.sessions(clones, meanwhile))
        if earlier is not None:
            for name, session in sessions.items():
                if isinstance(session, Following):
                    session.follow(earlier / name)
        for name, session in sessions.items():
            hooks.run_sql("before", name, session)
        inventories: dict[str, Inventory] = {}
        for name, session in sessions.items():
            project.progress(ProgressEvent(f"reading the layout of {name}", 0))
            inventories[name] = session.inventory()
        plans = planning.plan(project, inventories, hooks)
        project.begin("collecting people")
        corpus = identities_of(project, domains, plans, sessions, Shelf(directory))
        give_back()
        masks = MaskSet(project.masking_key, domains, corpus, hooks, project.net, project.nobody, tagger=project.tagger)
        project.begin("masking")

        def masked(name: str) -> Callable[[Progress], tuple[RewriteReport, Sequence[Cleaned]]]:
            def run(progress: Progress) -> tuple[RewriteReport, Sequence[Cleaned]]:
                session = sessions[name]
                try:
                    rewritten = session.rewrite(plans[name], masks, progress)
                except UnsafeError as exc:
                    if not exc.problems:
                        exc.message = f"{name}: {exc.message}"
                    raise
                hooks.run_sql("after", name, session)
                return rewritten, session.defang()

            return run

        alone = apart(sessions, plans, masks)
        for name, (rewritten, done) in together({n: masked(n) for n in sessions}, alone, project.progress).items():
            rewrites[name] = rewritten
            cleaned[name] += done
    project.begin("cleaning the files")
    for name, snapshot in raw.stores.items():
        project.progress(ProgressEvent(name, 0))
        adapter = registry.store(snapshot.kind)
        if earlier is not None and isinstance(adapter, Sharing):
            cleaned[name] += adapter.scrub_sharing(directory / name, snapshot, plans[name], earlier / name)
        else:
            cleaned[name] += adapter.scrub(directory / name, snapshot, plans[name])
        (directory / f"{name}.log").unlink(missing_ok=True)
    _save_corpus(project, raw, corpus)
    _save_plans(project, raw, plans)
    work = {name: StoreWork(plans[name], rewrites[name], tuple(cleaned[name])) for name in raw.stores}
    return Sanitized(_TOKEN, ident or image_id(project, raw), directory, raw, masks, work)


def apart(sessions: Mapping[str, StoreSession], plans: Mapping[str, StorePlan], masks: MaskSet) -> Collection[str]:
    """The stores that copies of this process may work on: sessions that allow it, under masks that do."""
    return [
        name
        for name, session in sessions.items()
        if getattr(session, "apart", False) and all(map(masks.separable, plans[name].masked.values()))
    ]


def reopen(project: Project, image: Image, directory: Path) -> Sanitized:
    """A published image, cloned into `directory`, as what `verify` checks. Its report of the rewriting says which
    tables are placed, and no more.

    Raises UnsafeError when the raw snapshot or the identities found in it are no longer in quarantine.
    """
    for name in image.raw.stores:
        project.cow.clone(project.pool.path_of("images", image.id) / name, directory / name)
        hand_over(directory / name, account_of(directory / name))
    masks = load_masks(project, image.raw)
    work = {
        name: StoreWork(plan, RewriteReport("", {}, {}, 0.0, placed=placed), ())
        for name, (plan, placed) in _of_stores(project, image).items()
    }
    return Sanitized(_TOKEN, image.id, directory, image.raw, masks, work)


def load_masks(project: Project, raw: RawSnapshot, hooks: HookSet | None = None) -> MaskSet:
    """The masks of an image made from this snapshot, with the identities that were found then.

    Raises UnsafeError when the quarantine no longer holds them.
    """
    from envclone.masking.corpus import Corpus
    from envclone.masking.masks import MaskSet

    path = _corpus_path(project, raw)
    if not path.exists():
        raise UnsafeError(
            f"the raw snapshot {raw.id} is no longer in quarantine, so the names in a new incident cannot be known",
            hint=f"take a new one: envclone branch {raw.environment} --fresh",
        )
    corpus = Corpus.load(path)
    return MaskSet(
        project.masking_key,
        project.domains,
        corpus,
        hooks or project.hooks(),
        project.net,
        project.nobody,
        tagger=project.tagger,
    )


def load_plans(project: Project, image: Image) -> Mapping[str, StorePlan]:
    """The rules that an image was made by, from its attestation."""
    return {name: plan for name, (plan, _) in _of_stores(project, image).items()}


def _of_stores(project: Project, image: Image) -> dict[str, tuple[StorePlan, tuple[str, ...]]]:
    """Per store the rules, and the tables whose rows are at their addresses, as the attestation has them.

    A path that names a person's key stands in the attestation as its shape only; as it is written it is in quarantine.
    """
    from envclone import attestation

    folder = project.pool.path_of("images", image.id)
    statement = attestation.read(folder, project.keys)
    whole = _plans_path(project, image.raw, image.rules_digest)
    written = json.loads(whole.read_text()) if whole.exists() else {}
    return {
        name: (
            records.load(
                StorePlan, written.get(name, store["plan"]), what=f"the plan in the attestation of {image.id}"
            ),
            tuple(store["rewrite"].get("placed", ())),
        )
        for name, store in statement["stores"].items()
    }


def identities_of(
    project: Project,
    domains: Mapping[str, DomainSpec],
    plans: Mapping[str, StorePlan],
    sessions: Mapping[str, Read],
    shelf: Shelf | None = None,
) -> Corpus:
    """Everybody whom the declared identity fields of all stores name: what free text is searched for."""
    from envclone.masking.corpus import CorpusBuilder
    from envclone.masking.crowd import whole_names
    from envclone.masking.identities import identities, names
    from envclone.masking.kinds import kind_of
    from envclone.packed import merged

    builder = CorpusBuilder(project.nobody, shelf)
    for name, session in sessions.items():
        project.progress(ProgressEvent(name, 0))
        rules = {address: rule for address, rule in plans[name].masked.items() if names(rule, domains)}
        for columns in merged(session.columns(set(rules))) if rules else ():
            kinds: dict[str, list[Packed]] = {}
            for address, packed in columns.packed.items():
                kinds.setdefault(kind_of(rules[address].domain, domains), []).append(packed)
            builder.take_all(kinds)
            for address, values in columns.others.items():
                for kind, found in identities(rules[address], domains, values):
                    builder.add(kind, found)
            named = [p for address, p in columns.packed.items() if kind_of(rules[address].domain, domains) == "person"]
            for left, right in combinations(named[:_NAMES], 2):
                builder.add("person", whole_names(left, right))
    return builder.build()


def _corpus_path(project: Project, raw: RawSnapshot) -> Path:
    return project.pool.path_of("raw", raw.id) / f"identities-{project.rules_digest[:16]}"


def _save_corpus(project: Project, raw: RawSnapshot, corpus: Corpus) -> None:
    """Beside the raw snapshot: it is raw data, lives in quarantine and goes when the snapshot goes."""
    path = _corpus_path(project, raw)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial-{os.getpid()}")
    try:
        corpus.save(temporary)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _plans_path(project: Project, raw: RawSnapshot, digest: str) -> Path:
    return project.pool.path_of("raw", raw.id) / f"plan-{digest[:16]}"


def _save_plans(project: Project, raw: RawSnapshot, plans: Mapping[str, StorePlan]) -> None:
    """Beside the identities: a rule's path can hold a person's key, which the attestation does not show."""
    document = json.dumps({name: records.dump(plan) for name, plan in plans.items()})
    write_private(_plans_path(project, raw, project.rules_digest), document)
