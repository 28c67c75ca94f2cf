"""A recorder on a directory of the test's, and what it wrote, read without the importer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from envclone import record
from envclone.record.frames import HEADER, NAMES, head, whole

__all__ = ["Recording"]


class Recording:
    """What lies in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def all(self, kind: str = "recent") -> list[tuple[str, str, dict[str, Any]]]:
        """Each record: what it is, its request, its values."""
        record.flush()
        return [one for path in sorted(self.directory.glob(f"{kind}-*.ring")) for one in self.of(path)]

    def calls(self) -> list[dict[str, Any]]:
        """The calls of all requests."""
        return [values for name, _, values in self.all() if name == "call"]

    def text(self) -> str:
        """Every byte of it, as far as it is text."""
        record.flush()
        return "".join(path.read_bytes().decode("utf-8", "replace") for path in sorted(self.directory.glob("*.ring")))

    @staticmethod
    def of(path: Path) -> list[tuple[str, str, dict[str, Any]]]:
        """The records of one file, up to the first that is not whole."""
        found = []
        with path.open("rb") as file:
            while (one := head(file.read(HEADER.size))) is not None:
                payload = file.read(one.length)
                if not whole(one, payload):
                    break
                found.append((NAMES[one.kind], one.request.hex(), json.loads(payload)))
        return found
