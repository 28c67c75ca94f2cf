"""A seat at a branch that is there already: what the tools for agents take, for one who came over HTTP.

An agent's session and an engineer see the same: verdicts and differences, and nothing that production computed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from envclone.api import Stack
from envclone.lifecycle.branches import require_born
from envclone.mcp import secret
from envclone.mcp.limits import Limits
from envclone.mcp.outgoing import Outgoing
from envclone.mcp.session import Powers, Session
from envclone.models import Branch

__all__ = ["Seat", "outgoing_of"]

_BYTES = 4 << 20
_CHARACTERS = 4000


def outgoing_of(stack: Stack, *, characters: int = _CHARACTERS) -> Outgoing:
    """The one way out of this process: what it knows as secret, and places of this host, are removed."""
    made = Outgoing(bytes=_BYTES, characters=characters, places=secret.places(stack.project))
    made.learn(*secret.of_project(stack.project))
    for one in stack.branches():
        made.learn(*secret.of_branch(one))
    return made


class Seat(Session):
    """A session over given branches; it makes none, and its end removes none."""

    def __init__(
        self, stack: Stack, branches: list[str], outgoing: Outgoing, *, born: dt.datetime | None = None
    ) -> None:
        """`born` says which branch of the name is meant."""
        super().__init__(stack, Limits(), Powers(), outgoing)
        self._given = branches
        self._born = born

    @property
    def names(self) -> list[str]:
        """The branches that it is over."""
        return list(self._given)

    def branch(self, name: str | None) -> Branch:
        """One of them as it is now. Raises UsageError when another was made in its place."""
        found = super().branch(name)
        require_born(found, self._born)
        return found

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """The pool's own locks keep two from one branch."""
        with contextlib.nullcontext():
            yield
