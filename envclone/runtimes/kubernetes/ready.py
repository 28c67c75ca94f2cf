"""What runs once in a branch's pod before its stores do: their files are made theirs, and the branch's login is let in.

It is a program of envclone's own image; the branch's record, with its login, is a file of the pod's Secret.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from envclone import records, registry
from envclone.errors import EnvcloneError
from envclone.models import Branch, Credentials, Secret

__all__ = ["main", "make_ready"]

_MESSAGE = Path("/dev/termination-log")


def make_ready(branch: Branch, credentials: Credentials, home: Path) -> None:
    """Make each store of a branch in `home` ready to be run by its own container."""
    for name, snapshot in branch.stores.items():
        directory, server = home / name, registry.server(snapshot.kind)
        for entry in server.works_on:
            if (directory / entry).is_dir():
                (directory / entry).chmod(0o700)  # a volume's group may have been let in, which PostgreSQL refuses
        try:
            server.serve(directory, snapshot, credentials, port=None, log=home / f"{name}.log")
        finally:
            server.stop(directory)
        registry.contained(snapshot.kind).make_ready(directory, snapshot, credentials)


def main(file: str, home: str) -> int:
    """Make what the record in `file` says ready; what fails is the container's last word."""
    document = json.loads(Path(file).read_text())
    branch = records.load(Branch, document["branch"], what="the branch's record")
    credentials = Credentials(document["user"], Secret(document["password"]))
    try:
        make_ready(branch, credentials, Path(home))
    except EnvcloneError as exc:
        said = exc.message
        try:
            _MESSAGE.write_text(said)
        except OSError:
            sys.stderr.write(said + "\n")
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
