"""One agent's session: the branches that it made, which are all that it sees, and which go with it."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envclone import registry
from envclone.errors import BusyError, CommandError, EnvcloneError, ResourceError, UnsafeError, UsageError
from envclone.interrupts import deferred
from envclone.lifecycle import branch as branching
from envclone.lifecycle import branches, images, leases
from envclone.mcp import secret
from envclone.mcp.limits import Limits
from envclone.mcp.outgoing import Outgoing

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.models import Branch, Endpoint, Image

__all__ = ["Powers", "Session"]

_PATIENCE = 30.0
"""Seconds that the end of a session waits for a branch that is just being made."""


@dataclass(frozen=True, slots=True)
class Powers:
    """What the operator lets a session do: write in its branches, make images; `environments` None is all of them."""

    writes: bool = False
    images: bool = False
    environments: frozenset[str] | None = None


class Session:
    """What one agent has: its token, its branches, and the stack behind them. Used by many threads at once."""

    def __init__(self, stack: Stack, limits: Limits, powers: Powers, outgoing: Outgoing) -> None:
        self.stack = stack
        self.limits = limits
        self.powers = powers
        self.outgoing = outgoing
        self.token = secrets.token_hex(4)
        self._mine: dict[str, threading.RLock] = {}
        self._files: dict[str, threading.Lock] = {}
        self._made = 0
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._closed = False
        self._held = ExitStack()

    def __enter__(self) -> Session:
        self._held.enter_context(leases.held(self.stack.project.pool, self.token))
        _sweep(self.stack)
        self.outgoing.learn(*secret.of_project(self.stack.project))
        for one in self.stack.branches():
            self.outgoing.learn(*secret.of_branch(one))
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def names(self) -> list[str]:
        """The session's branches, oldest first."""
        with self._lock:
            return list(self._mine)

    def environments(self) -> list[str]:
        """The environments that the session may branch."""
        known = sorted(self.stack.project.loaded.stack.environments)
        allowed = self.powers.environments
        return known if allowed is None else [name for name in known if name in allowed]

    def branch(self, name: str | None) -> Branch:
        """One of the session's branches as it is now; None is the only one. Raises UsageError, naming them."""
        return self.stack.show(self.mine(name))

    def mine(self, name: str | None) -> str:
        """The same, by name. What is not the session's own is not there for it."""
        there = self.names
        if name is None and len(there) == 1:
            return there[0]
        if name is None or name not in there:
            what = "the session has no branch yet" if not there else "say which branch"
            raise UsageError(
                what if name is None else "the session has no such branch",
                hint=f"its branches: {', '.join(there)}" if there else "call the tool `branch` first",
            )
        return name

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Do something to a branch that nothing else of the session is done to meanwhile."""
        with self._lock:
            lock = self._mine.get(name)
        if lock is None:
            raise UsageError("the session has no such branch", hint="call the tool `branch` first")
        if not lock.acquire(timeout=self.limits.long_seconds):
            raise BusyError(f"the branch '{name}' is busy", hint="call again later")
        try:
            yield
        finally:
            lock.release()

    def make(self, environment: str, incident: str | None, tell: Callable[[str], None]) -> Branch:
        """Make a branch of an image that is there, or of one made now where the operator allowed that."""
        if environment not in self.environments():
            raise UsageError(
                "there is no such environment", hint=f"environments: {', '.join(self.environments()) or 'none'}"
            )
        with self._making:
            if self._closed:
                raise UsageError("the session has ended")
            if len(self.names) >= self.limits.branches:
                raise ResourceError(
                    f"the session has {len(self.names)} branches, which is its limit",
                    hint=f"remove or reset one: {', '.join(self.names)}",
                )
            image = self._image(environment, incident, tell)
            self._made += 1
            name = leases.name_of(self.token, self._made)
            with images.using(self.stack.project, image.id) as held:
                if incident is not None:
                    from envclone.lifecycle.incidents import masked_incident

                    tell("masking the incident")
                    masked_incident(self.stack.project, incident, held)
                tell("starting the branch")
                with self._lock:
                    self._mine[name] = threading.RLock()
                try:
                    made = branching.create(
                        self.stack.project, held, name, ttl=self.limits.ttl or None, incident=incident
                    )
                except BaseException:
                    if not branches.directory(self.stack.project.pool, name).exists():
                        with self._lock:
                            del self._mine[name]
                    raise
        self.outgoing.learn(*secret.of_branch(made))
        return made

    def reset(self, name: str) -> Branch:
        """A branch as it was born."""
        with self.alone(name):
            made = self.stack.reset(name)
            self.outgoing.learn(*secret.of_branch(made))
            return made

    def remove(self, name: str) -> None:
        """Remove a branch; one whose servers somebody still asks is stopped under them. Raises ResourceError."""
        with deferred():
            try:
                self.stack.remove(name)
            except BusyError:
                self._stop(name)
                self.stack.remove(name)
            with self._lock:
                self._mine.pop(name, None)

    def close(self) -> list[str]:
        """End the session: remove its branches; returns the names of those that could not be removed."""
        if self._closed:
            return self.names
        self._closed = True
        waited = self._making.acquire(timeout=_PATIENCE)  # one that is just being made is removed, too
        left = []
        for name in self.names:
            try:
                self.remove(name)
            except EnvcloneError:
                left.append(name)
        if waited:
            self._making.release()
        self._held.close()
        return left

    def endpoint(self, branch: Branch, store: str | None, kind: str | None = None) -> Endpoint:
        """A store's endpoint, held in here; None is the only one of that kind. Raises UsageError, naming them."""
        there = {name: branch.endpoints[name] for name in branch.stores if name in branch.endpoints}
        fits = {name: one for name, one in there.items() if kind in (None, one.kind)}
        if store is None and len(fits) == 1:
            return next(iter(fits.values()))
        if store is None or store not in there:
            listed = ", ".join(f"{name} ({one.kind})" for name, one in there.items()) or "none"
            raise UsageError("say which store" if store is None else "no such store", hint=f"stores: {listed}")
        return there[store]

    @contextmanager
    def files(self, endpoint: Endpoint, branch: str) -> Iterator[None]:
        """Search a store that is files alone: its engine lets one in at a time. A server needs no such turn."""
        if endpoint.host is not None:
            yield
            return
        with self._lock:
            lock = self._files.setdefault(branch, threading.Lock())
        if not lock.acquire(timeout=self.limits.long_seconds):
            raise BusyError(f"the files of '{endpoint.store}' are being searched", hint="call again later")
        try:
            yield
        finally:
            lock.release()

    def log(self, details: dict[str, Any]) -> None:
        """Write a call into the audit log."""
        self.stack.project.log("agent", {"session": self.token, **details})

    def _image(self, environment: str, incident: str | None, tell: Callable[[str], None]) -> Image:
        project = self.stack.project
        target = self.stack.moment(environment, incident) if incident is not None else None
        found = images.find(project, environment, target) or images.find(project, environment)
        if found is not None:
            return found
        if not self.powers.images:
            raise UnsafeError(
                f"there is no image of '{environment}' to branch from, and this server makes none",
                hint=f"the operator's command: envclone image {environment}",
            )
        self._make_image(environment, tell)
        found = images.find(project, environment)
        if found is None:
            raise ResourceError(f"the image of '{environment}' was not made", hint=f"envclone image {environment}")
        return found

    def _make_image(self, environment: str, tell: Callable[[str], None]) -> None:
        """Make an image in a process of its own: its workers are copies, and this process has threads."""
        import os

        from envclone import process

        project = self.stack.project
        words = [sys.executable, "-m", "envclone", "--file", str(project.loaded.path.absolute())]
        words += ["--pool", str(project.pool.path), "image", environment, "--json"]
        try:
            process.stream(words, lambda line: tell(f"making an image of {environment}"), env=dict(os.environ))
        except CommandError as exc:
            raise ResourceError(
                f"the image of '{environment}' could not be made",
                hint=f"the operator's command: envclone image {environment}",
            ) from exc

    def _stop(self, name: str) -> None:
        with contextlib.suppress(EnvcloneError):
            one = self.stack.show(name)
            registry.runtime(one.runtime).stop(one, branches.directory(self.stack.project.pool, name))


def _sweep(stack: Stack) -> None:
    """Remove branches of sessions that were killed."""
    for one in stack.branches():
        if leases.ended(stack.project.pool, one.name):
            with contextlib.suppress(EnvcloneError):
                stack.remove(one.name)


def expires(branch: Branch) -> str | None:
    """When a branch goes if nobody uses it."""
    return None if branch.expires_at is None else branch.expires_at.astimezone(dt.UTC).isoformat(timespec="seconds")
