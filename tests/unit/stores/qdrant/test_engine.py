from __future__ import annotations

import sys
from pathlib import Path

import envclone
from envclone import process

SOURCE = Path(envclone.__file__).parent.parent


def test_a_process_that_used_the_engine_is_not_copied_for_it() -> None:
    text = """
import importlib, pkgutil
import envclone.api, envclone.cli.main, envclone.stores.qdrant as room
for one in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    importlib.import_module(one.name)
from envclone.stores.qdrant import engine
before = engine.forkable()
import qdrant_edge
print(before, engine.forkable())
"""
    env = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    assert process.run([sys.executable, "-c", text], env=env).stdout.split() == ["True", "False"]
