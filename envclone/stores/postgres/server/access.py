"""Who may log in to a clone's or branch's server: its pg_hba.conf and pg_ident.conf, written from scratch."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from envclone.models import Account
from envclone.private import write_private

if TYPE_CHECKING:
    from envclone.stores.postgres.server import wire

__all__ = ["write_hba", "write_operator", "write_owned"]


def write_hba(data: Path, roles: Sequence[str] = (), *, behind_gate: str | None = None) -> None:
    """Write who may log in: the operator as any role over the socket, `roles` with a password from 127.0.0.1.

    The operator is the account that envclone runs as. With `behind_gate`, the superuser's name, `roles` come over a
    socket, too, through a gate, which is not an operator; he then needs their password as they do. Up to PostgreSQL
    15 a map cannot say "any role": there the socket's directory, which only the operator can enter, is the whole of the
    lock, and behind a gate only the superuser is let in until `write_operator` has named the others.
    """
    mapped = int((data / "PG_VERSION").read_text()) >= 16
    gated = behind_gate is not None
    trusted = not mapped and not gated
    rules = [f"{'local' if gated else 'host'} all {_name(role)} {'' if gated else '127.0.0.1/32 '}scram-sha-256"
             for role in roles]  # fmt: skip
    rules.insert(len(rules) if gated else 0, f"local all all {'trust' if trusted else 'peer map=operator'}")
    rules += ["local replication all reject", "host all all all reject", "host replication all all reject"]
    write_owned(data / "pg_hba.conf", "# Written by envclone: nobody else gets in.\n" + "\n".join(rules) + "\n")
    _write_ident(data, ["all"] if mapped else [_name(behind_gate)] if behind_gate else [])


def write_operator(data: Path, session: wire.Session) -> None:
    """Name every role that the operator may log in as, where the server has no word for all of them (up to 15)."""
    if session.major < 16:
        roles = [_name(str(name)) for (name,) in session.execute("SELECT rolname FROM pg_catalog.pg_roles")]
        _write_ident(data, roles)
        session.execute("SELECT pg_catalog.pg_reload_conf()")


def _write_ident(data: Path, roles: Sequence[str]) -> None:
    operator = pwd.getpwuid(os.geteuid()).pw_name
    lines = "".join(f"operator {_name(operator)} {role}\n" for role in roles)
    write_owned(data / "pg_ident.conf", "# Written by envclone: the operator may log in as any role.\n" + lines)


def _name(role: str) -> str:
    return '"' + role.replace('"', '""') + '"'


def write_owned(path: Path, text: str) -> None:
    """Write a file of the data directory, for whom that directory belongs to."""
    owner = path.parent.stat()
    own = owner.st_uid == os.geteuid()
    write_private(path, text, None if own else Account("", owner.st_uid, owner.st_gid))
