"""The process that plays a cassette in a sandbox: `python -m envclone.runtimes.docker.player FILE`.

All of it works in the sandbox's network and gives up root before it answers anybody, so that it has no more ways out
than the services that it answers. It ends with the replay that started it, and with the sandbox.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envclone.cassette.changes import Changed
from envclone.cassette.guard import Guard
from envclone.cassette.live import Live
from envclone.cassette.match import Tape
from envclone.cassette.play import Player, player
from envclone.incidents.exchanges import Exchange
from envclone.runtimes.docker.inside import enter, give_up_root

__all__ = ["main"]

_MOST = 64 << 20
"""How much is written down of what was asked, in bytes: a hostile program must not fill the disk."""


class _Log:
    """A line of JSON for each call, as it is answered."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._lock = threading.Lock()

    def __call__(self, event: Mapping[str, Any]) -> None:
        line = json.dumps(event) + "\n"
        with self._lock:
            if self._file.tell() + len(line) < _MOST:
                self._file.write(line)
                self._file.flush()


def main(path: str) -> None:
    """Play what a file describes, until the process that wrote it, or the sandbox, has ended."""
    place = Path(path)
    config = json.loads(place.read_text())
    log = _Log(Path(config["log"]))
    enter(config["sandbox"])
    listening = socket.create_server(("127.0.0.1", config["port"]), backlog=128)
    watched = [os.pidfd_open(config[name]) for name in ("parent", "sandbox")]
    give_up_root(config["uid"], config["gid"])
    out = config.get("live")
    live = Live(("127.0.0.1", out["port"]), out["token"], Guard(out["known"])) if out else None
    authority = tuple(part.encode() for part in config["authority"])
    made = Player(
        Tape([Exchange.model_validate(one) for one in config["exchanges"]]),
        log,
        timing=config["timing"],
        changed=Changed(**config["changes"]),
        authority=(authority[0], authority[1]),
        live=live,
    )
    with player(made, listening):
        sys.stdout.write('{"ready": true}\n')
        sys.stdout.flush()
        select.select(watched, [], [])


if __name__ == "__main__":
    main(sys.argv[1])
