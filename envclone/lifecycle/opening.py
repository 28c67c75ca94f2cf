"""Clones opened in private, side by side: a server's start is waited for, and two are waited for at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from envclone.models import StoreSnapshot
from envclone.protocols import Settling, Store, StoreSession

__all__ = ["Clone", "sessions"]

_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Clone:
    """A store's clone in `directory`, and the log of what opens it."""

    store: Store
    directory: Path
    snapshot: StoreSnapshot
    log: Path

    def open(self) -> AbstractContextManager[StoreSession]:
        """Its session, as the store's adapter opens it."""
        return self.store.open(self.directory, self.snapshot, log=self.log)


@contextmanager
def sessions(
    clones: Mapping[_K, Clone], meanwhile: Callable[[], None] = lambda: None
) -> Iterator[Mapping[_K, StoreSession]]:
    """The sessions of some clones, closed at the end as the block ended; `meanwhile` is done by this thread.

    Stores that only wait for a server are opened by threads, all at once. Before there is any, the others are begun:
    copies of this process may do it, which must have one thread. The first error ends all, with what was opened.
    """
    with ExitStack() as stack:
        waiting = [key for key, clone in clones.items() if getattr(clone.store, "waits", False)]
        found = {key: stack.enter_context(clone.open()) for key, clone in clones.items() if key not in waiting}
        held = {key: ExitStack() for key in waiting}
        for one in held.values():
            stack.push(one)
        with ThreadPoolExecutor(max(1, len(held))) as pool:
            opening = {key: pool.submit(one.enter_context, clones[key].open()) for key, one in held.items()}
            meanwhile()
            found |= {key: future.result() for key, future in opening.items()}
        for session in found.values():
            if isinstance(session, Settling):
                session.ready()
        yield {key: found[key] for key in clones}
