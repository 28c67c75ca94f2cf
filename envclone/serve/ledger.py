"""Whose a branch is, and whether its login was handed out: one small file a branch, bound to the branch's very birth.

A branch that was removed on the host and made again under the same name is another one: nobody owns it here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from envclone.errors import BusyError, EnvcloneError, UsageError
from envclone.models import Branch
from envclone.pool import check_name, files
from envclone.serve.refusals import Gone, TooMany
from envclone.serve.roles import Principal
from envclone.serve.state import State

__all__ = ["Entry", "Ledger"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a branch: `born` is its `created_at`, None while the job makes it; `handed` when it was."""

    name: str
    owner: str
    owner_name: str
    job: str
    born: str | None = None
    handed: str | None = None


class Ledger:
    """The branches that were made through the service."""

    def __init__(self, state: State) -> None:
        self._state = state

    def reserve(self, name: str, who: Principal, job: str, *, most: int | None = None) -> None:
        """Write down who makes a branch, before it is made; `most` is how many they may have.

        Both under one lock: two calls at once are not to find room for one. Raises BusyError when somebody makes one of
        that name already, TooMany.
        """
        with self._alone():
            if most is not None and self.count(who.subject) >= most:
                said = f"'{who.name}' has {most} branches, which is the limit"
                raise TooMany(said, retry_after=60, hint="remove one: envclone rm NAME")
            found = self._read(name)
            if found is not None and (found.born is None or self._there(name)):
                raise BusyError(f"the name '{name}' is taken", hint="choose another name")
            self._write(Entry(name, who.subject, who.name, job))

    def born(self, branch: Branch, job: str) -> None:
        """Bind a reservation to the branch that its job made."""
        with self._alone():
            found = self._read(branch.name)
            if found is not None and found.job == job:
                self._write(replace(found, born=branch.created_at.isoformat()))

    def drop(self, name: str, job: str | None = None) -> None:
        """Forget a branch that is gone; with a `job` only what that one reserved."""
        with self._alone():
            found = self._read(name)
            if found is not None and job in (None, found.job):
                self._file(name).unlink(missing_ok=True)

    def of(self, branch: Branch) -> Entry | None:
        """What is known of this very branch."""
        found = self._read(branch.name)
        return found if found is not None and found.born == branch.created_at.isoformat() else None

    def owns(self, subject: str, name: str) -> bool:
        """Whether a branch of that name is somebody's, as far as this record knows; the branch is not looked at."""
        found = self._read(name)
        return found is not None and found.owner == subject

    def reserved(self, name: str) -> Entry | None:
        """A reservation whose branch is still being made."""
        found = self._read(name)
        return found if found is not None and found.born is None else None

    def count(self, subject: str) -> int:
        """How many branches somebody has, with those that are being made."""
        entries = [self._read(path.stem) for path in self._folder.glob("*.json")]
        return sum(one.born is None or self._there(one.name) for one in entries if one and one.owner == subject)

    def hand(self, branch: Branch) -> None:
        """Write down that the login is handed out now. Raises Gone when it was before."""
        with self._alone():
            found = self.of(branch)
            if found is None or found.handed is not None:
                raise Gone(
                    f"the login of '{branch.name}' was handed out before, and is shown once",
                    hint=f"look where you kept it, or remove the branch and make another; "
                    f"on the host an operator reads it: envclone show {branch.name}",
                )
            self._write(replace(found, handed=dt.datetime.now(dt.UTC).isoformat(timespec="seconds")))

    @property
    def _folder(self) -> Path:
        return self._state.folder("branches")

    def _file(self, name: str) -> Path:
        return self._folder / f"{check_name(name)}.json"

    def _there(self, name: str) -> bool:
        return self._state.pool.path_of("branches", name).is_dir()

    def _read(self, name: str) -> Entry | None:
        try:
            found: Any = files.read_json(self._file(name))
            return Entry(**found)
        except (UsageError, TypeError):
            return None
        except EnvcloneError:  # a damaged one owns nothing
            return None

    def _write(self, entry: Entry) -> None:
        files.write_json(self._file(entry.name), asdict(entry))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._state.pool.lock(
            f"serve-ledger.{self._state.project}", timeout=10, what="the record of the service's branches"
        ):
            yield
