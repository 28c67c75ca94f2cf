"""Every command loads the stack file: it must not be felt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.unit.config.stacks import FULL, write

SCRIPT = """
import sys, time
began = time.process_time()
from pathlib import Path
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.json_schema import WithJsonSchema
class Warm(BaseModel):
    value: int = 1
started = time.process_time()
baseline = started - began
from envclone.config.load import load
load(Path(sys.argv[1]), {})
print(time.process_time() - started, baseline)
print(*(name for name in ("psycopg", "numpy", "click", "rich", "qdrant_edge", "sqlglot") if name in sys.modules))
"""


def test_loading_takes_under_60_ms_beside_pydantic_and_yaml(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    excess = []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True, cwd=Path.cwd()
        )
        times, heavy = done.stdout.split("\n")[:2]
        assert heavy == ""
        taken, baseline = map(float, times.split())
        excess.append(taken / max(0.06, 0.6 * baseline))  # on a busy or slow machine both take longer
    assert min(excess) < 1, excess
