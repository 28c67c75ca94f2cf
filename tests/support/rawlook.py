"""What a raw snapshot holds: asked of a clone of it, in the cage in which clones are sanitized."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from envclone.accounts import account_of, hand_over
from envclone.models import RawSnapshot
from envclone.pool.workdir import workdir
from envclone.stores.postgres.server import private, server, settings
from envclone.stores.postgres.server.engine import Engine
from tests.support.stack import Place


def asked(here: Place, raw: RawSnapshot, engine: Engine, database: str, statements: Sequence[str]) -> list[list[Any]]:
    """The rows of each statement, by the superuser of the store `main`."""
    project = here.open().project
    with workdir(project.pool, project.cow, "look") as building:
        clone = building / "main"
        project.cow.clone(here.pool / "raw" / raw.id / "main", clone)
        hand_over(clone, account_of(clone))
        data = clone / "data"
        settings.write_configuration(data, engine, [])
        running = server.start(
            engine, data, socket_dir=server.socket_dir_for(data), log=building / "log",
            options=private.options(engine.major),
        )  # fmt: skip
        with closing(server.connect(running, database, "postgres")) as conn:
            answers = [conn.execute(one).fetchall() for one in statements]
        server.stop(data, "immediate")
    return answers
