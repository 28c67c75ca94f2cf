"""All hooks of a stack file, with the processes that they run in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.address import Address
from envclone.errors import ConfigError, UnsafeError
from envclone.hooks.hooks import Hook, SqlHook, load_sql
from envclone.hooks.worker import DEADLINE, Worker

if TYPE_CHECKING:
    from envclone.protocols import StoreSession

__all__ = ["HookSet"]

Rules = Mapping[str, str | Mapping[str, str]]


class HookSet:
    """The hooks in `files`, relative to `directory`, for these stores; processes start when they are needed.

    Hooks of the files in `listed`, by default of all, are rules for the columns that they write; those of other files
    act where a rule names them (`python:FILE:NAME`).
    """

    def __init__(
        self,
        directory: Path,
        files: Sequence[str],
        stores: Sequence[str],
        *,
        listed: Sequence[str] | None = None,
        hidden: Path | None = None,
        deadline: float = DEADLINE,
        show: bool = False,
    ) -> None:
        self._directory = directory
        self._files = list(dict.fromkeys(_relative(directory, file) for file in files))
        self._stores = stores
        self._listed = frozenset(self._files if listed is None else (_relative(directory, file) for file in listed))
        self._deadline = deadline
        self._show = show
        self._hidden = hidden
        self._workers: dict[str, Worker] = {}
        self.mask_values: Callable[[str, Sequence[str]], Sequence[str | None]] = _no_masks
        """What answers a hook that asks for a mask; set by the owner of the masks."""
        for file in self._files:
            _readable(directory, file)

    def digest(self) -> Mapping[str, str]:
        """A digest of each file's content."""
        return {
            file: blake2b((self._directory / file).read_bytes(), digest_size=16).hexdigest() for file in self._files
        }

    @cached_property
    def sql(self) -> Sequence[SqlHook]:
        """The SQL files, in the stack file's order."""
        return [load_sql(self._directory, file, self._stores) for file in self._files if file.endswith(".sql")]

    @cached_property
    def hooks(self) -> Sequence[Hook]:
        """The hooks of every other file; starts their processes. Raises UnsafeError naming a file that fails."""
        found: list[Hook] = []
        for file in self._files:
            if not file.endswith(".sql"):
                found += self._worker(file).hooks
        for hook in found:
            if hook.store not in self._stores and (hook.writes or hook.reads):
                raise ConfigError(
                    f"the hook {hook.file}:{hook.name} is about a store '{hook.store}' that there is not",
                    hint="name a column as store.schema.table.column",
                )
        return found

    def rules(self, store: str) -> Rules:
        """The rules that hooks are by themselves: for the columns that they write."""
        out: dict[str, str | Mapping[str, str]] = {}
        for hook in self.hooks:
            if hook.stage == "mask" and hook.store == store and hook.writes and hook.file in self._listed:
                out[hook.writes] = {"domain": hook.domain, "by": ",".join(hook.reads)} if hook.reads else hook.domain
        for file in self.sql:
            if file.store == store:
                out.update(dict.fromkeys(file.writes, file.domain))
        return out

    def run_sql(self, stage: str, store: str, session: StoreSession) -> Sequence[str]:
        """Run a stage's SQL files on a store; returns what `verify` files found wrong.

        Raises UnsafeError naming the file that failed.
        """
        problems: list[str] = []
        for file in self.sql:
            if file.stage == stage and file.store == store:
                rows = session.run(file.text, file.file, writes=file.writes, timeout=self._deadline)
                if stage == "verify" and rows:
                    problems.append(f"{store}: the hook {file.file} found {rows} row{'s' * (rows > 1)}")
        return problems

    def verify(self, store: str, session: StoreSession) -> Sequence[str]:
        """What the hooks of the stage verify say of a sanitized store: SQL files, then functions."""
        problems = list(self.run_sql("verify", store, session))
        for hook in self.hooks:
            if hook.stage == "verify" and hook.store == store:
                column = hook.reads[0]
                wrong = sum(sum(map(bool, self.call(hook, {column: batch}))) for _, batch in session.read({column}))
                if wrong:
                    problems.append(
                        f"{store}: the hook {hook.file}:{hook.name} found {wrong} values of {hook.reads[0]}"
                    )
        return problems

    def mask(self, domain: str, values: Sequence[str]) -> list[str]:
        """The pseudonyms that a hook gives to values alone. Raises UnsafeError naming it."""
        hook = self._hook(domain)
        if hook.reads:
            raise UnsafeError(
                f"the hook {hook.file}:{hook.name} reads other columns, which there are none of here",
                hint="name it as a rule of a plain column, or list its file under sanitize.hooks",
            )
        masked = self._worker(hook.file).call(hook.name, {_column(hook.writes) or "value": list(values)})
        if any(value is None for value in masked):
            raise UnsafeError(f"the hook {hook.file}:{hook.name} returned null for a value that is none")
        return masked

    def mask_rows(self, domain: str, values: Sequence[str | None], others: Sequence[str | None]) -> list[str | None]:
        """What a hook makes of a column of rows; `others` are the columns it reads, as JSON if several."""
        hook = self._hook(domain)
        names = [_column(one) for one in hook.reads]
        rows = [json.loads(o) if o is not None else None for o in others] if len(names) > 1 else [[o] for o in others]
        batch: dict[str, Sequence[str | None]] = {_column(hook.writes): list(values)}
        for i, name in enumerate(names):
            batch[name] = [None if row is None else row[i] for row in rows]
        return self._worker(hook.file).call(hook.name, batch)

    def call(self, hook: Hook, batch: Mapping[str, Sequence[Any]]) -> list[Any]:
        """What one hook makes of a batch, its columns by address."""
        return self._worker(hook.file).call(hook.name, {_column(a): _texts(values) for a, values in batch.items()})

    def close(self) -> None:
        """End every process."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def _hook(self, domain: str) -> Hook:
        found = next((hook for hook in self.hooks if hook.domain == domain), None)
        if found is None:
            _, _, rest = domain.partition(":")
            file, _, name = rest.rpartition(":")
            there = ", ".join(hook.domain for hook in self.hooks if hook.file == file)
            raise ConfigError(
                f"there is no hook '{domain}'", hint=f"{file} has: {there}" if there else f"{file} has no hook {name}"
            )
        return found

    def _worker(self, file: str) -> Worker:
        if file not in self._workers:
            self._workers[file] = Worker(
                self._directory,
                file,
                lambda d, v: self.mask_values(d, v),
                hidden=self._hidden,
                deadline=self._deadline,
                show=self._show,
            )
        return self._workers[file]


def _relative(directory: Path, file: str) -> str:
    """A file as the stack file names it: where the stack file lies must not decide what an image is called."""
    path = Path(file)
    return str(path.relative_to(directory)) if path.is_absolute() and path.is_relative_to(directory) else file


def _readable(directory: Path, file: str) -> None:
    if not (directory / file).is_file():
        raise ConfigError(f"sanitize.hooks: there is no file {file}", hint="the path is relative to the stack file")


def _column(address: str) -> str:
    return Address.parse(address).name if address else ""


def _texts(values: Sequence[Any]) -> list[str | None]:
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]


def _no_masks(domain: str, values: Sequence[str]) -> Sequence[str | None]:
    raise UnsafeError("no masks are at hand here")
