"""The end of the program: what is loaded is not taken apart piece by piece before the system takes it all at once."""

from __future__ import annotations

import atexit
import os
import sys
import threading

__all__ = ["leave"]


def leave(code: int) -> None:
    """End this process with an exit code, after all that was registered for its end, and all that was written.

    The interpreter would look through and let go of every object of what it loaded, which takes half a second where an
    image was made. It ends as usual where that matters: a thread is at work, or what was written cannot be delivered.
    """
    if not any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            sys.exit(code)
        os._exit(code)
    if code:
        sys.exit(code)
