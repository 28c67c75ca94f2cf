"""The project: one stack file and the pool it uses, and what both together decide, each computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.accounts import account_of, hand_over
from envclone.attestation import ELSEWHERE
from envclone.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from envclone.config.schema import Environment
    from envclone.config.stack import LoadedStack
    from envclone.hooks.hookset import HookSet
    from envclone.masking.kinds import DomainSpec
    from envclone.masking.nobody import Nobody
    from envclone.masking.presidio import Net
    from envclone.models import ProgressEvent, RawSnapshot
    from envclone.pool import Pool
    from envclone.protocols import CowDriver, Progress

__all__ = ["Project", "silent"]


def silent(event: ProgressEvent) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Project:
    """One stack file and the pool that its snapshots, images and branches live in.

    Everything here is as it was when it was first asked for: open the stack file again after a change.
    """

    loaded: LoadedStack
    pool: Pool
    cow: CowDriver
    progress: Progress = field(default=silent)
    stages: tuple[str, ...] = ()
    """The steps of the deed that is under way, in their order."""

    @classmethod
    def open(cls, stack_file: Path, *, pool: Path | None = None, progress: Progress = silent) -> Project:
        """Load a stack file and open its pool (`pool` overrides the one it names).

        Raises ConfigError, ResourceError.
        """
        from envclone.config.remembered import load
        from envclone.cow.choose import choose
        from envclone.pool import Pool, default_path

        loaded = load(stack_file)
        opened = Pool.open(pool or loaded.stack.pool.path or default_path())
        return cls(loaded, opened, choose(loaded.stack.pool.driver, opened.path), progress)

    def through(self, stages: Sequence[str]) -> Project:
        """The project as what is done in these steps sees it; an order that is set already stays."""
        return self if self.stages else replace(self, stages=tuple(stages))

    def begin(self, stage: str) -> None:
        """Tell that a step begins: with its number, when its order is known."""
        from envclone.models import ProgressEvent

        known = stage in self.stages
        number, of = (self.stages.index(stage) + 1, len(self.stages)) if known else (0, 0)
        self.progress(ProgressEvent(stage, 0, stage=True, number=number, of=of))

    def tell(self, part: str) -> None:
        """Tell what the step that is under way does now."""
        from envclone.models import ProgressEvent

        self.progress(ProgressEvent(part, 0))

    @property
    def name(self) -> str:
        """The project's name: every record in the pool carries it."""
        return self.loaded.stack.project

    @property
    def keys(self) -> Path:
        """The pool's directory of keys."""
        return self.pool.path_of("keys", "")

    @cached_property
    def domains(self) -> Mapping[str, DomainSpec]:
        """The domains that the stack file declares, as the masks need them."""
        from envclone.masking.kinds import DomainSpec

        declared = self.loaded.stack.sanitize.domains
        return {
            name: DomainSpec(domain.kind, domain.unique, domain.value, domain.consistency)
            for name, domain in declared.items()
        }

    @cached_property
    def nobody(self) -> Nobody:
        """Whose values stay as they are: the shipped list, and what the stack file adds."""
        from envclone.masking.nobody import Nobody

        return Nobody({str(kind): words for kind, words in self.loaded.stack.sanitize.nobody.items()})

    @cached_property
    def rules_digest(self) -> str:
        """The digest of everything in the stack file that decides what values become."""
        from envclone.config.remembered import digest_of_rules

        return digest_of_rules(self.loaded, self._hook_files(), self._digest_rules)

    def _hook_files(self) -> list[str]:
        from envclone.config.hookfiles import files_in

        config = self.loaded.stack.sanitize
        return [*config.hooks, *files_in(config.rules)]

    def _digest_rules(self) -> str:
        from envclone.masking.nets import digest as nets
        from envclone.masking.presets import digest as presets_digest
        from envclone.masking.rules import digest

        config = self.loaded.stack.sanitize
        net = nets(config.strangers, config.presidio)
        presets = presets_digest(config.presets) if config.presets else ""
        known = self.nobody.digest
        # by their names beside the stack file, which are the same wherever that is
        hooks = {self.beside(file): said for file, said in self.hook_files.items()}
        return digest(config.rules, self.domains, config.references, hooks, net, known, presets)

    def beside(self, file: str) -> str:
        """A file's path relative to the stack file's directory; as it is when it lies elsewhere."""
        path = self.loaded.directory / file
        inside = path.is_relative_to(self.loaded.directory)
        return str(path.relative_to(self.loaded.directory)) if inside else file

    @cached_property
    def hook_files(self) -> Mapping[str, str]:
        """A digest of each hook file's content."""
        return self.hooks().digest()

    @cached_property
    def masking_key(self) -> bytes:
        """The project's masking key. Raises ConfigError, UnsafeError as `keys.masking_key` does."""
        from envclone import keys

        return keys.masking_key(self.keys, self.name)

    @cached_property
    def key_id(self) -> str:
        """The id of the masking key; never the key."""
        from envclone import keys

        return keys.key_id(self.masking_key)

    @property
    def tagger(self) -> bool:
        """Whether free text is searched for persons whom no field names by the tagger, too."""
        return self.loaded.stack.sanitize.strangers == "tagger"

    @cached_property
    def net(self) -> Net | None:
        """The extra net over free text that the stack file asks for. Raises ConfigError when it is not installed."""
        from envclone.masking.presidio import net

        name = self.loaded.stack.sanitize.presidio
        return net(name) if name else None

    def hooks(self, *, deadline: float | None = None, show: bool = False) -> HookSet:
        """The hooks of the stack file, in processes of their own that start at first need; the caller closes the set.

        `deadline` is in seconds. Raises ConfigError naming a file that is not there.
        """
        from envclone.hooks.hookset import HookSet
        from envclone.hooks.worker import DEADLINE

        config = self.loaded.stack.sanitize
        stores = sorted({name for env in self.loaded.stack.environments.values() for name in env.stores})
        return HookSet(
            self.loaded.directory,
            self._hook_files(),
            stores,
            listed=config.hooks,
            hidden=self.pool.path,
            deadline=DEADLINE if deadline is None else deadline,
            show=show,
        )

    def log(self, action: str, details: Mapping[str, Any]) -> None:
        """Add an event to the pool's audit log, under this project's name."""
        import logging

        from envclone.pool import audit

        logging.getLogger("envclone").info("%s %s", action, " ".join(map(str, details.values())))
        audit.append(self.audit_log, action, {"project": self.name, **details}, self.audit_mirror)

    @property
    def audit_log(self) -> Path:
        """The pool's audit log."""
        return self.pool.path / "audit.jsonl"

    @property
    def audit_mirror(self) -> Path | None:
        """Where the stack file wants the heads of the log, too."""
        named = self.loaded.stack.audit.mirror
        return None if named is None else self.loaded.directory / named.expanduser()

    def clone_raw(self, raw: RawSnapshot, directory: Path) -> None:
        """Clone a raw snapshot's stores into `directory`, for the account that servers run as; raw itself is root's."""
        if (self.pool.path_of("raw", raw.id) / ELSEWHERE).is_file():
            raise UsageError(
                f"the files of the snapshot {raw.id} are in the cluster, and do not leave it",
                hint="envclone image makes an image of it there; docs/kubernetes.md says what works on one",
            )
        for name in raw.stores:
            self.cow.clone(self.pool.path_of("raw", raw.id) / name, directory / name)
            hand_over(directory / name, account_of(directory / name))

    def environment(self, name: str) -> Environment:
        """An environment of the stack file; raises ConfigError naming those there are."""
        environments = self.loaded.stack.environments
        if name not in environments:
            raise ConfigError(
                f"the stack file has no environment '{name}'; there are: {', '.join(sorted(environments)) or 'none'}"
            )
        return environments[name]
