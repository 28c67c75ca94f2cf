"""What a process of envclone does to work in a sandbox's network: enter it, then give up root."""

from __future__ import annotations

import ctypes
import os

__all__ = ["enter", "give_up_root"]

_CLONE_NEWNET = 0x40000000


def enter(pid: int) -> None:
    """Have the calling thread, and those that it starts, work in the network of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/net") as file:  # noqa: PTH123
        if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def give_up_root(uid: int, gid: int) -> None:
    """Become the account that servers run as, in every thread (glibc's calls see to that)."""
    "localhost".encode("idna")  # loads what names need: another account may not be able to read it
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
