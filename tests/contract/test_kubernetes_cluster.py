"""A real cluster, from production's volumes to a branch and back to nothing: run where one is named.

`ENVCLONE_E2E=1` has this collected; `KUBECONFIG` names the cluster, `ENVCLONE_E2E_STACK` a stack file whose environment
`ENVCLONE_E2E_ENVIRONMENT` (`prod` without it) is of `method: volume`. What it makes there it removes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg
import pytest

from envclone import process
from tests.support.cluster.life import Commands, life
from tests.support.postgres import scratch

ROOT = Path(__file__).parents[2]
E2E = os.environ.get("ENVCLONE_E2E") == "1"


def test_the_mode_is_chosen_with_a_cluster_and_a_stack_file() -> None:
    assert not E2E or (os.environ.get("KUBECONFIG") and os.environ.get("ENVCLONE_E2E_STACK")), "name both"


if E2E:

    @pytest.mark.timeout(3 * 3600)
    def test_a_production_on_a_real_cluster() -> None:
        file = Path(os.environ["ENVCLONE_E2E_STACK"])
        with scratch() as pool:

            def call(*arguments: str) -> str:
                argv = [sys.executable, "-m", "envclone.cli.main", "--file", file, "--pool", pool / "pool", *arguments]
                done = process.run(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
                assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
                return done.stdout

            def asked(url: str) -> None:
                with psycopg.connect(url) as conn:
                    assert conn.execute("SELECT 1").fetchone() == (1,)

            life(Commands(call), os.environ.get("ENVCLONE_E2E_ENVIRONMENT", "prod"), asked)
