"""What an application imports with it: nothing but the standard library, and nothing that takes time."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import envclone
from envclone import process

PACKAGE = Path(envclone.__file__).parent
LAZY = {"aiohttp", "requests", "psycopg", "qdrant_client", "httpx", "httpx2", "opentelemetry"}
SCRIPT = """
import json, sys
before = set(sys.modules)
from envclone import record
record.start(sys.argv[1])
with record.session("one"):
    pass
record.stop()
print(json.dumps(sorted({name for name in set(sys.modules) - before})))
"""


def test_it_imports_nothing_of_envclone_but_itself(tmp_path: Path) -> None:
    done = process.run([sys.executable, "-c", SCRIPT, str(tmp_path / "r")], env={"PYTHONPATH": str(PACKAGE.parent)})
    loaded = json.loads(done.stdout)
    ours = [name for name in loaded if name.startswith("envclone")]
    assert [name for name in ours if name != "envclone" and not name.startswith("envclone.record")] == []
    others = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"envclone"}
    assert others == set()
    slow = {"asyncio", "inspect", "email", "http.client", "ssl", "logging", "dataclasses", "subprocess"}
    assert slow & set(loaded) == set(), "the application waits for these when it starts"


def test_its_sources_name_no_other_package() -> None:
    for path in (PACKAGE / "record").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                first = name.partition(".")[0]
                assert first in sys.stdlib_module_names or name.startswith("envclone.record") or first in LAZY, name
                assert first not in LAZY or node.col_offset, f"{path.name} imports {name} before it is needed"
