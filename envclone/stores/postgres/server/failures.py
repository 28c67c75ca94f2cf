"""Why a server did not start: its log's last FATAL line, turned into the right error and a remedy."""

from __future__ import annotations

import re
from pathlib import Path

from envclone.errors import BusyError, EnvcloneError, ResourceError, UnreachableError, UnsafeError

__all__ = ["explain", "judged", "last_words"]

_PREFIX = re.compile(
    r"^.*?\b(?P<level>FATAL|PANIC|ERROR|LOG|WARNING|HINT|DETAIL|STATEMENT|CONTEXT|QUERY|NOTICE):\s+(?P<text>.*)$"
)
_VALUE = re.compile(r"((?:invalid value for|invalid input syntax for) [^:]+:).*")
_NOISE = re.compile(r"^(the database system is|database system is shut down|terminating |shutting down)")

_CAUSES: tuple[tuple[str, type[EnvcloneError], str], ...] = (
    (r"Address already in use|could not create any TCP/IP sockets", BusyError,
     "choose another port with --port, or leave it out: the kernel then gives a free one"),
    (r"lock file \"postmaster.pid\" already exists|is another post(master|gres)", BusyError,
     "another server runs on these files: stop it first"),
    (r"could not access file|could not load library|undefined symbol", ResourceError,
     "install the extension's package for this PostgreSQL, or take the library out of shared_preload_libraries "
     "with the store's `settings`"),
    (r"lc_(messages|monetary|numeric|time)|locale .*(not recognized|does not exist|incompatible)", ResourceError,
     "generate the locale on this machine (locale-gen), or set it to C with the store's `settings`"),
    (r"incompatible with server|initialized by PostgreSQL version|different byte order|configuration uses",
     ResourceError, "start the files with the same major version and build: set ENVCLONE_PG_BIN_<major>"),
    (r"could not map anonymous shared memory|could not create shared memory|Cannot allocate memory|out of memory",
     ResourceError, "lower shared_buffers, max_connections or huge_pages with the store's `settings`"),
    (r"No space left on device", ResourceError, "free space where the pool is: envclone gc, or a larger pool"),
    (r"Permission denied|wrong ownership|invalid permissions|not permitted", ResourceError,
     "the servers' own account must own the data directory and be able to enter every directory above it"),
    (r"unrecognized configuration parameter|invalid value for parameter|configuration file .* contains errors",
     ResourceError, "override the setting with the store's `settings`"),
    (r"WAL ends before end of online backup|could not locate (a valid checkpoint|required checkpoint)|"
     r"invalid checkpoint|WAL contains references to invalid pages", UnsafeError,
     "the copy is incomplete: take the snapshot again"),
)  # fmt: skip


def last_words(log: Path, offset: int = 0) -> str:
    """The line of a server's log, from byte `offset` on, that says best why it stopped; '' when nothing does."""
    try:
        with log.open("rb") as file:
            file.seek(offset)
            return _best(file.read()[-200_000:].decode(errors="replace"))
    except OSError:
        return ""


def explain(what: str, log: Path, offset: int = 0) -> EnvcloneError:
    """The error to raise when the server `what` did not start and wrote `log` from `offset` on."""
    return _error(what, last_words(log, offset), f"its whole log is {log}")


def judged(what: str, said: str) -> EnvcloneError:
    """The same for a server whose log is at hand as text."""
    return _error(what, _best(said), "envclone logs shows what a container wrote")


def _best(text: str) -> str:
    best, level = "", ""
    for line in text.splitlines():
        match = _PREFIX.match(line)
        if match is None:
            best = best if line.startswith("\t") else best or line.strip()
            continue
        text = match["text"].strip()
        if match["level"] in ("FATAL", "PANIC") and not _NOISE.match(text):
            best, level = text, match["level"]
        elif match["level"] == "LOG" and "Address already in use" in text:
            best = text  # PostgreSQL's own FATAL that follows does not say which port
            return best
        elif match["level"] in ("ERROR", "LOG") and level not in ("FATAL", "PANIC") and not _NOISE.match(text):
            # the message of a statement can quote a row: of those only what says why a server does not start
            known = match["level"] == "LOG" or any(re.search(pattern, text) for pattern, _, _ in _CAUSES)
            best = text if known else best
    return _VALUE.sub(r"\1 …", best)


def _error(what: str, words: str, hint: str) -> EnvcloneError:
    for pattern, kind, remedy in _CAUSES:
        if re.search(pattern, words):
            return kind(f"{what} did not start: {words}", hint=remedy)
    return UnreachableError(f"{what} did not start: {words or 'it wrote nothing'}", hint=hint)
