"""Who the servers run as: PostgreSQL refuses root, so a root process lends them an account of their own."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from envclone import process
from envclone.errors import ResourceError
from envclone.models import Account

__all__ = [
    "LENT",
    "MACHINE",
    "RANGE",
    "SERVICE_ACCOUNT",
    "Account",
    "account_of",
    "hand_over",
    "make_enterable",
    "pool_of",
    "require_traversable",
    "service_account",
    "take_back",
]

SERVICE_ACCOUNT = "envclone"
"""The system account that servers run as when envclone itself runs as root."""


RANGE = range(0x7000_0000, 0x7001_0000)
"""User ids that root lends to clones and branches, one each: above those that systemd gives to containers."""

MACHINE = Path("/var/lib/envclone")
"""Root's directory for what is the machine's and of no pool; the pool that nothing names lies in it."""
LENT = MACHINE / "accounts"
"""Which of them are lent, and to which directory: one list for all pools, for user ids are the machine's."""

_END = "\0\n"
"""What ends a line of the list: no path has a zero."""
_SWEPT = 64
"""After so many new ones the list is looked through for directories that are gone: it can be long."""


def account_of(directory: Path) -> Account:
    """The account of a store's files and server in a clone or branch; this user's own without root.

    `directory` is the store's own. All stores of a branch have one account, every other directory has one of its own.
    It is free again when the directory is gone.
    """
    if os.geteuid() != 0:
        return service_account()
    pool = pool_of(directory)
    in_branch = pool is not None and directory.absolute().parent.parent == pool / "branches"
    return _lend(os.path.realpath(directory.parent if in_branch else directory))


def pool_of(directory: Path) -> Path | None:
    """The pool that a store's directory of a branch, an image or a clone lies in."""
    place = directory.absolute()
    return next((folder for folder in place.parents if (folder / "pool.json").exists()), None)


def take_back(path: Path) -> None:
    """Give a tree back to root: an image belongs to no account that a server runs as. Nothing to do without root."""
    if os.geteuid() == 0:
        _chown(path, 0, 0)


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
    if os.geteuid() == 0 and account.uid != 0:
        _chown(path, account.uid, account.gid)


def _chown(path: Path, uid: int, gid: int) -> None:
    os.chown(path, uid, gid, follow_symlinks=False)
    if path.is_symlink() or not path.is_dir():
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _chown_below(folder, uid, gid)
    finally:
        os.close(folder)


def _chown_below(folder: int, uid: int, gid: int) -> None:
    """Change the owner of everything in an open directory: each name from its directory, and no link is followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            os.chown(entry.name, uid, gid, dir_fd=folder, follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    _chown_below(inner, uid, gid)
                finally:
                    os.close(inner)


def make_enterable(folder: Path) -> None:
    """Make a directory unless it is there; the servers' accounts pass through it, whatever the umask."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def _lend(place: str) -> Account:
    """The account lent to a directory, or the first that nothing has: no directory that is still there, no process."""
    make_enterable(LENT.parent)
    descriptor = os.open(LENT, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="surrogateescape") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        uid = _lent_to(text, place)
        if uid is None and (uid := _next(text)) is not None:
            file.write(f"{uid}\t{place}{_END}")
        if uid is None:
            lent = {uid: path for uid, path in _read_lent(text).items() if not _gone(path)}
            uid = _first_free(lent)
            if uid is None:
                raise ResourceError(
                    f"all {len(RANGE)} accounts for clones and branches are lent",
                    hint=f"{LENT} lists them: take out the lines of pools that are gone for good",
                )
            lent[uid] = place  # at the end, where the next search begins
            file.seek(0)
            file.write("".join(f"{uid}\t{path}{_END}" for uid, path in lent.items()))
            file.truncate()
    return Account(f"{SERVICE_ACCOUNT}-{uid}", uid, uid)


def _lent_to(text: str, place: str) -> int | None:
    """The account of a directory, found in the list's text: it can be long, and every start of a server asks it."""
    text, wanted = f"{_END}{text}", f"\t{place}{_END}"
    end = text.find(wanted)
    while end >= 0:
        uid = text[text.rfind(_END, 0, end) + len(_END) : end]
        if uid.isdigit():  # else it is the end of a longer name
            return int(uid)
        end = text.find(wanted, end + 1)
    return None


def _next(text: str) -> int | None:
    """The first of the next few accounts behind the one that was lent last that nothing has; None when all of them are
    taken, when the list ends in the middle of a line, or when it is time to look through it."""
    if not text.endswith(_END) or text.count(_END) % _SWEPT == 0:
        return None
    last = text[text.rfind(_END, 0, -len(_END)) :].lstrip(_END).partition("\t")[0]
    busy = _users()
    some = range(int(last) + 1, int(last) + 1 + _SWEPT) if last.isdigit() else range(0)
    return next((u for u in some if u in RANGE and f"{_END}{u}\t" not in f"{_END}{text}" and u not in busy), None)


def _first_free(lent: Mapping[int, str]) -> int | None:
    busy = _users()
    return next((uid for uid in RANGE if uid not in lent and uid not in busy), None)


def _read_lent(text: str) -> dict[int, str]:
    found = {}
    for line in text.split(_END)[:-1]:
        uid, _, path = line.partition("\t")
        if uid.isdigit():
            found[int(uid)] = path
    return found


def _gone(path: str) -> bool:
    """Whether a directory was removed; one whose pool is not mounted now may come back, with its owners."""
    return not os.path.lexists(path) and os.path.isdir(os.path.dirname(path))  # noqa: PTH112,PTH120 - text, as in the list


def _users() -> set[int]:
    """The user ids of all processes."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found.add(entry.stat().st_uid)
    return found


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
