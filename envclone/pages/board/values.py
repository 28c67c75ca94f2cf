"""What the service's pages show: values only, filled by the service and rendered by the modules beside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envclone.pages.report.values import Held, Report

__all__ = [
    "AuditRow", "BranchPage", "BranchRow", "Confirm", "EndpointRow", "Frame", "ImagePage", "ImageRow", "IncidentPage",
    "IncidentRow", "JobRow", "Log", "LoginPage", "Overview", "Usage", "VariableRow",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """Who looks at a page: the token goes with each form, and what is not in `may` is not shown.

    `said` is what came of the last form, `bad` whether that is a refusal; '' for nobody in `user` leaves the menu out.
    """

    user: str = ""
    role: str = ""
    token: str = ""
    may: frozenset[str] = frozenset()
    project: str = ""
    here: str = ""
    said: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What one part of a branch uses: bytes, the limit of bytes, processors, seconds of them; None is not known."""

    memory: float | None = None
    limit: float | None = None
    cpus: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class BranchRow:
    """A branch in a line. `state_of` is when its image's state was production's; `mine` is whether the viewer may
    change it."""

    name: str
    environment: str
    state: str
    created_at: dt.datetime
    expires_at: dt.datetime | None = None
    owner: str = ""
    state_of: dt.datetime | None = None
    incident: str = ""
    usage: Usage = Usage()
    protected: bool = False
    mine: bool = False


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """Where a store answers, without its password."""

    store: str
    kind: str
    address: str
    database: str = ""
    user: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The end of what one part wrote; `lacking` says why there is none."""

    part: str
    text: str = ""
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class BranchPage:
    """One branch. `parity` is None where it could not be compared, `lacking` says why. `login` is "once" while the
    viewer can have it shown, "handed out" after that."""

    row: BranchRow
    image: str
    runtime: str
    now: dt.datetime
    endpoints: tuple[EndpointRow, ...] = ()
    services: tuple[tuple[str, str], ...] = ()
    allow: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    moment: tuple[str, ...] = ()
    usages: tuple[tuple[str, Usage], ...] = ()
    parity: tuple[Held, ...] | None = None
    lacking: str = ""
    logs: tuple[Log, ...] = ()
    login: str = ""
    lives: tuple[str, ...] = ()
    """Times that it may be told to live from now on, as they are written; "none" is until it is removed."""
    live: str = ""
    """Which of them is proposed: none that would take time from it."""


@dataclass(frozen=True, slots=True)
class LoginPage:
    """A branch's login, shown once: lines for a shell, and addresses."""

    branch: str
    variables: tuple[tuple[str, str], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image in a line; `flaw` is why its attestation does not hold, and `rebuilt` that its indexes are not
    production's."""

    id: str
    environment: str
    state_of: dt.datetime
    stores: tuple[str, ...] = ()
    fidelity: float | None = None
    rebuilt: bool = False
    size: int | None = None
    flaw: str = ""
    exceptions: int = 0
    branches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImagePage:
    """One image with its attestation; None where that does not hold."""

    row: ImageRow
    statement: Mapping[str, Any] | None
    now: dt.datetime


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident in a line; `verdict` is what the newest replay came to."""

    id: str
    branches: tuple[str, ...] = ()
    verdict: str = ""
    cases: int = 0


@dataclass(frozen=True, slots=True)
class VariableRow:
    """Something that could differ: its state is "recorded", "pinned" or "unknown"."""

    name: str
    state: str
    hides: str = ""
    fill: str = ""


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """One incident, masked. `lacking` says why it cannot be shown, `report` is the newest that was made of it."""

    row: IncidentRow
    environment: str = ""
    at: dt.datetime | None = None
    note: str = ""
    steps: tuple[tuple[str, str, str], ...] = ()
    variables: tuple[VariableRow, ...] = ()
    report: Report | None = None
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A long piece of work: its state is "queued", "running", "done", "failed" or "cancelled".

    `share` is how much of its step is done (0 to 1), `events` the path at which it tells that as it goes on, `result`
    the path of the page that shows what came of it, and `came` what came of one that has none; `tried`: it only said
    what would be removed. `mine` is whether the viewer may end it.
    """

    id: str
    what: str
    state: str
    owner: str
    began_at: dt.datetime
    ended_at: dt.datetime | None = None
    step: str = ""
    share: float | None = None
    lines: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""
    result: str = ""
    came: tuple[str, ...] = ()
    tried: bool = False
    events: str = ""
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is, and what can be made of it.

    `branches` are those of one `page` of `pages` of all that were `sought`, which are `found` of `total`.
    """

    now: dt.datetime
    branches: tuple[BranchRow, ...] = ()
    images: tuple[ImageRow, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    environments: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    sought: str = ""
    found: int = 0
    total: int = 0
    page: int = 1
    pages: int = 1


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A line of the audit log; `details` are plain text."""

    at: str
    who: str
    action: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """A deed that is asked about: its title, what it does, where the form goes, and where one goes instead."""

    title: str
    says: str
    action: str
    button: str
    back: str
    danger: bool = True
