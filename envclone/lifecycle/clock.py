"""What the clock of a replayed application shows: the moment of the incident, where the stack file asks for it.

The library that shows it (libfaketime) is in the service's image, or nowhere: then the report says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envclone.errors import UsageError
from envclone.lifecycle.checked import check
from envclone.models import Branch, Heard
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.bundle import Incident

__all__ = ["Shown", "notes", "shown", "wanting"]

_LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"
"""Where Debian, Fedora and what is made of them have it; `$LIB` is for the dynamic linker."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a clock shows when a service starts; it goes on from there. `zone` where it is known."""

    moment: dt.datetime
    zone: str | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What makes a service's libraries show it. Waiting and timeouts stay as they are."""
        found = {
            "LD_PRELOAD": _LIBRARY,
            "FAKETIME": f"@{int(self.moment.timestamp())}",
            "FAKETIME_FMT": "%s",
            "FAKETIME_DONT_RESET": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        return {**found, **({"TZ": self.zone} if self.zone else {})}


def wanting(project: Project, branch: Branch) -> list[str]:
    """The services of a branch whose clock is to be the incident's."""
    if not branch.services:
        return []
    services = project.environment(branch.environment).services
    return [name for name, one in services.items() if one.clock == "incident" and name in branch.services]


def shown(project: Project, branch: Branch, ident: str, bundle: Incident | None = None) -> Shown | None:
    """What the clocks of a branch's services show for an incident; None when none is to show anything else.

    Raises UsageError when the bundle does not say when it happened.
    """
    from envclone.lifecycle.incidents import masked_incident

    if not wanting(project, branch):
        return None
    incident = bundle or masked_incident(project, ident, check(project, branch.image))
    clock = incident.clock
    moment = (clock.time if clock is not None else None) or incident.at or incident.recorded_at
    if moment is None:
        raise UsageError(
            f"incident {ident} does not say when it happened, which the clock of its application is to show",
            hint="`at:` in the bundle, or `clock: host` for the service",
        )
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    zone = clock.zone if clock is not None else None
    return Shown(aware, zone if zone and "/" in zone else None)


def notes(project: Project, branch: Branch, heard: Heard) -> Iterator[str]:
    """What a report says of the clocks that were to be the incident's, by what the services' processes have loaded."""
    for name in wanting(project, branch):
        told = heard.clocks.get(name)
        if told is None:
            yield f"the clock of {name} is this machine's"
        elif not told:
            yield (
                f"the clock of {name} is this machine's: its image has no libfaketime "
                "(Debian: apt-get install libfaketime; elsewhere LD_PRELOAD in its environment)"
            )
        else:
            yield f"the clock of {name} began at {_text(told)}; that of the stores is this machine's"


def _text(told: str) -> str:
    try:
        return f"{dt.datetime.fromtimestamp(int(told.lstrip('@')), dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return told
