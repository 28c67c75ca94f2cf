"""Who the servers run as: PostgreSQL refuses root, so a root process lends them an account of their own."""

from __future__ import annotations

import functools
import os
import pwd
from pathlib import Path

from envclone import process
from envclone.errors import ResourceError
from envclone.models import Account

__all__ = ["SERVICE_ACCOUNT", "Account", "hand_over", "require_traversable", "service_account"]

SERVICE_ACCOUNT = "envclone"
"""The system account that servers run as when envclone itself runs as root."""


def service_account() -> Account:
    """The account that servers run as: this user's own, or for root the system account `envclone`.

    The system account is made at first need. Raises ResourceError when it cannot be made.
    """
    if os.geteuid() != 0:
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError as exc:
            raise ResourceError(
                f"user id {os.geteuid()} has no passwd entry, and PostgreSQL needs one",
                hint="run as a user that /etc/passwd knows",
            ) from exc
        return Account(name, os.geteuid(), os.getegid())
    return _system_account()


@functools.cache
def _system_account() -> Account:
    try:
        entry = pwd.getpwnam(SERVICE_ACCOUNT)
    except KeyError:
        process.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
             "--shell", "/usr/sbin/nologin", SERVICE_ACCOUNT],
            check=False,
        )  # fmt: skip
        try:
            entry = pwd.getpwnam(SERVICE_ACCOUNT)  # made by us, or by a process that was faster
        except KeyError as exc:
            raise ResourceError(
                "PostgreSQL does not run as root, and the account 'envclone' could not be made",
                hint=f"useradd --system --no-create-home --shell /usr/sbin/nologin {SERVICE_ACCOUNT}",
            ) from exc
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def hand_over(path: Path, account: Account) -> None:
    """Give a tree to an account (nothing to do unless root gives it to another); symbolic links are not followed."""
    if os.geteuid() != 0 or account.uid == 0:
        return
    os.chown(path, account.uid, account.gid, follow_symlinks=False)
    if path.is_symlink() or not path.is_dir():
        return
    for folder, directories, files in os.walk(path):
        for name in (*directories, *files):
            os.chown(os.path.join(folder, name), account.uid, account.gid, follow_symlinks=False)  # noqa: PTH118


def require_traversable(path: Path, account: Account) -> None:
    """Check that the account can reach `path`; raises ResourceError naming the directory that is closed to it."""
    if os.geteuid() != 0 or account.uid == 0:
        return
    resolved = path.resolve()
    for folder in [*reversed(resolved.parents), resolved]:
        if not folder.exists():
            return
        status = folder.stat()
        mode = status.st_mode
        bit = 0o100 if status.st_uid == account.uid else 0o010 if status.st_gid == account.gid else 0o001
        if not mode & bit:
            raise ResourceError(
                f"the servers run as '{account.name}', which cannot enter {folder}",
                hint=f"choose a pool elsewhere (pool.path), or: chmod o+x {folder}",
            )
