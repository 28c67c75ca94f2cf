"""What a branch's containers are to do, kept beside its compose file: ports, order, and when each is ready."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envclone import records
from envclone.errors import UnsafeError
from envclone.models import Preview

__all__ = ["Part", "Plan", "load", "made_of"]

FILE = "preview.json"


@dataclass(frozen=True, slots=True)
class Part:
    """A container: its ports inside, what must be ready before it, and how it is known to be ready itself.

    `command` is run in it, `path` asked over HTTP on its first port; times are in seconds.
    """

    ports: tuple[int, ...] = ()
    after: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    path: str | None = None
    interval: float = 2.0
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The stores that run in containers, by their ports, and the services; `guarded` lets only the guard out."""

    stores: Mapping[str, int] = field(default_factory=dict)
    services: Mapping[str, Part] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    guarded: bool = False

    @property
    def order(self) -> tuple[str, ...]:
        """The services in the order of their start."""
        graph = {name: [one for one in part.after if one in self.services] for name, part in self.services.items()}
        return tuple(graphlib.TopologicalSorter(graph).static_order())

    @property
    def ways(self) -> list[tuple[str, int]]:
        """Every port inside that this host is let in to, with the part it is of."""
        found = [(name, port) for name, port in self.stores.items()]
        return found + [(name, port) for name, part in self.services.items() for port in part.ports]


def made_of(preview: Preview, stores: Mapping[str, int]) -> Plan:
    """The plan of a preview."""
    services = {}
    for name, service in preview.services.items():
        check = service.healthcheck
        services[name] = Part(
            ports=tuple(service.ports),
            after=preview.after(name),
            command=tuple(check.command or ()) if check else (),
            path=check.path if check else None,
            interval=check.interval.total_seconds() if check else 2.0,
            timeout=check.timeout.total_seconds() if check else 60.0,
        )
    return Plan(stores, services, preview.allow, any(one.model == "live" for one in preview.services.values()))


def save(plan: Plan, directory: Path) -> None:
    """Write a plan beside the compose file."""
    import json

    (directory / FILE).write_text(json.dumps(records.dump(plan)))


def load(directory: Path) -> Plan:
    """Read a branch's plan. Raises UnsafeError when it is not there or not whole."""
    import json

    try:
        document = json.loads((directory / FILE).read_text())
    except (OSError, ValueError) as exc:
        raise UnsafeError(
            "the branch has no readable plan of its containers", hint="envclone reset makes it again"
        ) from exc
    return records.load(Plan, document, what="the plan of the branch's containers")
