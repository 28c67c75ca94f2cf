"""What is still to be told to webhooks: a small file for each delivery, so that a restart forgets none.

An address can be a secret: the file has its digest, and the service is told the address itself at each start.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from envclone.errors import EnvcloneError
from envclone.pool import files

__all__ = ["Delivery", "Outbox", "address"]

_MOST = 1000
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to be told to one address: `to` is its digest, `attempt` counts from 0, `due` is in Unix seconds."""

    id: str
    to: str
    body: str
    attempt: int = 0
    due: float = 0.0


def address(url: str) -> str:
    """An address as a delivery names it."""
    return hashlib.sha256(url.encode()).hexdigest()


class Outbox:
    """Deliveries in a directory, mode 0600, or with None in no directory: then they end with the process."""

    def __init__(self, place: Path | None, *, most: int = _MOST) -> None:
        self._place = place
        self._most = most

    def waiting(self) -> list[Delivery]:
        """What an earlier service left, the oldest first; what cannot be read is removed."""
        found = []
        for path in sorted(self._place.glob("*.json")) if self._place is not None else ():
            try:
                one = Delivery(**files.read_json(path))
                if one.id != path.stem or not _ID.fullmatch(one.id):
                    raise TypeError
                found.append(one)
            except (EnvcloneError, TypeError):
                _log("a webhook that waited cannot be read, and is not delivered")
                path.unlink(missing_ok=True)
        return sorted(found, key=lambda one: one.due)

    def keep(self, one: Delivery) -> bool:
        """Write a delivery down before it is tried; False for one too many, which is not."""
        if self._place is None:
            return True
        path = self._file(one.id)
        if not path.exists() and sum(1 for _ in os.scandir(self._place)) >= self._most:
            _log("too many webhooks wait: one was dropped")
            return False
        files.write_json(path, asdict(one))
        return True

    def drop(self, one: Delivery) -> None:
        """It was delivered, or is given up."""
        if self._place is not None:
            with contextlib.suppress(OSError):
                self._file(one.id).unlink()

    def _file(self, ident: str) -> Path:
        assert self._place is not None
        return self._place / f"{ident}.json"


def _log(said: str) -> None:
    logging.getLogger("envclone.serve").warning(said)
