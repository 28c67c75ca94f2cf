"""What every cluster has to let a production's volumes do, by the commands that a person types."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Commands", "life"]

NAME = "envclone-e2e"


@dataclass(frozen=True)
class Commands:
    """`envclone ARGUMENTS`; raises when it fails."""

    call: Callable[..., str]

    def json(self, *arguments: str) -> Any:
        """The document that it prints."""
        return json.loads(self.call(*arguments, "--json"))


def life(envclone: Commands, environment: str, asked: Callable[[str], None]) -> None:
    """An image of the volumes, a branch of it that answers, is stopped, started and reset, and nothing left of either.

    `asked` is given the URL of each PostgreSQL, with the branch's own login.
    """
    try:
        image = envclone.json("image", environment, "--fresh")
        assert image["id"] in {one["id"] for one in envclone.json("images")}
        branch = envclone.json("branch", environment, "--name", NAME)
        assert branch["runtime"] == "kubernetes" and branch["image"] == image["id"]
        for _ in ("made", "started again", "reset"):
            shown = envclone.json("show", NAME)
            for name, end in shown["endpoints"].items():
                if end["kind"] == "postgres":
                    asked(shown["urls"][name])
            envclone.call("stop", NAME)
            envclone.call("start", NAME)
            envclone.call("reset", NAME)
    finally:
        if NAME in {one["name"] for one in envclone.json("ls")}:
            envclone.call("rm", "--force", NAME)
    envclone.json("image", environment, "--again")
    assert not [one for one in envclone.json("gc") if one.get("error")]
    assert len(envclone.json("images")) == 1, "what a newer image replaces goes with its snapshot"
