"""Who asks, and what that role may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Principal", "Role"]


class Role(StrEnum):
    """What somebody may: read the counters alone, look, work in branches of their own, or look after production.

    Each may what those before it may.
    """

    METRICS = "metrics"
    VIEWER = "viewer"
    ENGINEER = "engineer"
    OPERATOR = "operator"

    def may(self, least: Role) -> bool:
        """Whether this role may do what takes at least that one."""
        order = list(Role)
        return order.index(self) >= order.index(least)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who proved who they are.

    `subject` says it for good (`token:ada`, `oidc:248289761001`): what they own is theirs by it. `name` is for people,
    `credential` tells one token from another of the same person.
    """

    subject: str
    name: str
    role: Role
    credential: str = ""
