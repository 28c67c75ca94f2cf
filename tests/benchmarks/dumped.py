"""The same database by other tools: dumped and restored as it is, and by Greenmask where $GREENMASK_BIN names it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from envclone import process
from tests.support.postgres import Production

__all__ = ["dump_and_restore", "greenmask"]


def _run(command: Sequence[str | Path], server: Production, env: Mapping[str, str] | None = None) -> float:
    started = time.monotonic()
    process.run(command, env={"PGPASSWORD": server.password, **(env or {})}, timeout=7200)
    return time.monotonic() - started


def dump_and_restore(server: Production, database: str, place: Path) -> float:
    """Seconds of `pg_dump -Fc` and `pg_restore -j2` into an empty database of the same server."""
    server.create_database("restored")
    file = place / "dumped"
    try:
        dump = _run([server.engine.bindir / "pg_dump", "-Fc", "-f", file, server.dsn_for(database)], server)
        restore = [server.engine.bindir / "pg_restore", "-j2", "-d", server.dsn_for("restored"), file]
        return dump + _run(restore, server)
    finally:
        file.unlink(missing_ok=True)
        server.execute("DROP DATABASE restored")


def greenmask(server: Production, database: str, place: Path, hashed: Mapping[str, Sequence[str]]) -> float | None:
    """Seconds of Greenmask's dump and restore; `hashed` are the columns by table that its Hash transformer masks.

    None where $GREENMASK_BIN is not set.
    """
    binary = os.environ.get("GREENMASK_BIN")
    if not binary:
        return None
    storage, config = place / "greenmask", place / "greenmask.json"
    storage.mkdir()
    tables = [
        {
            "schema": "public",
            "name": table,
            "transformers": [{"name": "Hash", "params": {"column": column}} for column in columns],
        }
        for table, columns in hashed.items()
    ]
    document = {
        "common": {"pg_bin_path": str(server.engine.bindir), "tmp_dir": str(place)},
        "storage": {"type": "directory", "directory": {"path": str(storage)}},
        "dump": {
            "pg_dump_options": {"dbname": server.dsn_for(database), "jobs": 2},
            "transformation": tables,
        },
        "restore": {"pg_restore_options": {"dbname": server.dsn_for("greenmasked"), "jobs": 2}},
    }
    config.write_text(json.dumps(document))  # JSON is YAML
    server.create_database("greenmasked")
    salt = {"GREENMASK_GLOBAL_SALT": "0123456789abcdef"}
    try:
        dump = _run([binary, "--config", config, "dump"], server, salt)
        return dump + _run([binary, "--config", config, "restore", "latest"], server, salt)
    finally:
        server.execute("DROP DATABASE greenmasked")
