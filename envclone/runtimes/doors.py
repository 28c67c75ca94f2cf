"""The process beside a branch that listens on 127.0.0.1 for it: started, waited for, found again, ended."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envclone import process, wait
from envclone.errors import BusyError, EnvcloneError, ResourceError

__all__ = ["Door"]


@dataclass(frozen=True, slots=True)
class Door:
    """A kind of such a process: the module that it runs, the stem of its files, and what messages call it."""

    module: str
    stem: str
    what: str

    @property
    def config(self) -> str:
        """The file that tells the process what to do."""
        return f"{self.stem}.json"

    @property
    def output(self) -> str:
        """The file with what it says: first its ports."""
        return f"{self.stem}.out"

    @staticmethod
    def ways(ways: Sequence[tuple[int, int | None]], port: int | None) -> list[dict[str, Any]]:
        """Ports inside and outside as the process reads them: an outside is a wish, `port`, of the first, a must."""
        return [
            {"to": inside, "listen": port if port and number == 0 else outside, "wish": not (port and number == 0)}
            for number, (inside, outside) in enumerate(ways)
        ]

    def start(self, directory: Path, *, port: int | None, env: Mapping[str, str] | None = None) -> list[int]:
        """Run it by the file that is written; the ports on 127.0.0.1 that it took, in the order of its ways.

        Raises BusyError when `port` is taken, ResourceError when it ends instead.
        """
        output = directory / self.output
        output.unlink(missing_ok=True)
        pid = process.spawn(
            [sys.executable, "-m", self.module, directory / self.config],
            log=output,
            env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        )
        self._number(directory).write_text(f"{pid}\n")

        def ports() -> list[int] | None:
            text = output.read_text() if output.exists() else ""
            first = text.partition("\n")[0]
            if first.startswith('{"ports"'):
                return [int(one) for one in json.loads(first)["ports"]]
            if not process.alive(pid):
                said = text.strip().splitlines()
                if said and "Address already in use" in said[-1] and port:
                    raise BusyError(
                        f"the port {port} of 127.0.0.1 is taken", hint="choose another with --port, or leave it out"
                    )
                raise ResourceError(
                    f"{self.what} did not open: {said[-1] if said else 'it wrote nothing'}", hint=f"see {output}"
                )
            return None

        try:
            return wait.until(ports, what=f"{self.what} did not open", timeout=30, error=EnvcloneError)
        except BaseException:
            self.shut(directory)
            raise

    def shut(self, directory: Path) -> bool:
        """End the process of a branch; False when none ran."""
        pid = self.pid(directory)
        if pid is None:
            return False
        process.terminate(pid, signal.SIGKILL)  # it keeps nothing
        wait.until(lambda: None if process.alive(pid) else True, what=f"{self.what} did not close", timeout=10)
        self._number(directory).unlink(missing_ok=True)
        return True

    def pid(self, directory: Path) -> int | None:
        """The process of a branch; a number that is somebody else's now counts for nothing."""
        try:
            pid = int(self._number(directory).read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(directory / self.config) in words and process.alive(pid) else None

    def _number(self, directory: Path) -> Path:
        return directory / f"{self.stem}.pid"
