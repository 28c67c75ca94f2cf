"""The audit log as the web page shows it: a page of it, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envclone.pages.board.values import AuditRow
from envclone.serve.calls import verb
from envclone.serve.roles import Principal, Role
from envclone.serve.service import Service

__all__ = ["audit"]

_AUDIT = 100


@verb("audit.page", Role.OPERATOR, quiet=True)
def audit(service: Service, who: Principal, page: int) -> tuple[tuple[AuditRow, ...], str, int]:
    """A page of the audit log (from 1), the newest first; what is wrong with the log, and the number of the next page.

    A look at the log is no line in it: the newest would never be what was looked for.
    """
    every = service.stack.events()
    newest = list(reversed(every))[(page - 1) * _AUDIT :][:_AUDIT]
    rows = [_event(service, one) for one in newest]
    return tuple(rows), service.stack.audit_suspicion() or "", page + 1 if len(every) > page * _AUDIT else 0


def _event(service: Service, one: Mapping[str, Any]) -> AuditRow:
    """A line of the log: of a call of the service who called and what, else the account and the command."""
    details = one.get("details")
    told = dict(details) if isinstance(details, Mapping) else {"": details}
    who, action = str(one.get("by", "")), str(one.get("action", ""))
    if action == "serve":
        told.pop("as", None)
        name, role = told.pop("who", ""), told.pop("role", "")
        who = f"{name} ({role})" if name not in ("", "-") else "nobody known"
        action = str(told.pop("verb", action))
    shown = {name: value for name, value in told.items() if name != "project" and value is not None}
    said = ", ".join(f"{name}: {_told(value)}" if name else _told(value) for name, value in shown.items())
    return AuditRow(str(one.get("at", "")), who, action, service.outgoing.text(said))


def _told(value: Any) -> str:
    """A value of the log in words, whatever it is made of."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_told(one)}" for name, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_told, value)) or "none"
    return str(value)
