"""Run as a program: kills a group of processes when who holds the other end of its standard input dies without a word.

A program can fork copies that outlive it and hold what it held on somebody else's server. It imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main(group: int) -> None:
    """Wait for a byte, or for the end."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # they are for who is watched
    if not os.read(0, 1):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
