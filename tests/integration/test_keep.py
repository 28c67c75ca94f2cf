"""Images made ahead: fresh ones in time, old ones gone unless a branch holds them, failures told, nothing left over."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone import wait
from envclone.errors import ConfigError, UnreachableError
from tests.support.postgres import Production, production
from tests.support.stack import ROOT, Place, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = """\
version: 1
project: kept
pool: {path: "{pool}"}
environments:
  prod:
    keep: {fresh: FRESH, textfile: metrics/envclone.prom, on_failure: [ALARM, loud]}
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
sanitize:
  rules: {main: {public.people.name: person, public.people.id: keep}}
"""
ALARM = """\
#!/bin/sh
echo "$1 $ENVCLONE_PROJECT $ENVCLONE_ENVIRONMENT $ENVCLONE_EXIT_CODE $ENVCLONE_FAILING $ENVCLONE_ERROR $DSN" >> "$0.out"
"""


@pytest.fixture(scope="module")
def prod() -> Iterator[Production]:
    with production(18) as server:
        server.create_database("app")
        server.execute("CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Jane Doe')",
                       "app")  # fmt: skip
        yield server


@pytest.fixture(scope="module")
def here(prod: Production) -> Iterator[Place]:
    with place() as made:
        made.env["DSN"] = prod.dsn_for("app")
        alarm = made.directory / "alarm"
        alarm.write_text(ALARM)
        alarm.chmod(0o755)
        (made.directory / "metrics").mkdir()
        yield made


def fresh(here: Place, how: str) -> None:
    here.write(STACK.replace("FRESH", how).replace("ALARM", str(here.directory / "alarm")))


def figures(here: Place) -> dict[str, float]:
    """The figures of the file for Prometheus, as its collector reads them."""
    file = here.directory / "metrics" / "envclone.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    found = re.findall(r"^envclone_(\w+)(?:\{[^}]*\})? (\S+)$", file.read_text(), re.M)
    return {name: float(value) for name, value in found}


def images(here: Place) -> list[str]:
    return sorted(path.name for path in (here.pool / "images").iterdir())


def test_an_image_is_made_when_one_is_due_and_the_old_one_goes_when_no_branch_has_it(here: Place) -> None:
    fresh(here, "1h")
    first: Any = here.json("keep", "prod", "--once")
    assert first["made"]
    again: Any = here.json("keep", "prod", "--once")
    assert (again["made"], again["image"]["id"]) == (False, first["image"]["id"])
    assert "fresh enough, nothing was made" in here.call("keep", "prod", "--once").stdout
    here.call("branch", "prod", "--name", "held")
    fresh(here, "1s")
    second: Any = here.json("keep", "prod", "--once")
    assert second["made"] and second["image"]["id"] != first["image"]["id"]
    assert images(here) == sorted((first["image"]["id"], second["image"]["id"])), "a branch has the first one"
    here.call("rm", "held")  # the first image goes with the next run
    told = figures(here)
    assert (told["keep_runs_total"], told["keep_failures_total"], told["keep_failing"]) == (2, 0, 0)
    assert 0 < told["image_age_seconds"] < 600 and told["image_bytes"] > told["image_own_bytes"] > 0
    assert told["keep_duration_seconds"] > 0 and told["pool_free_bytes"] > 0


def test_a_failure_is_counted_and_told_and_the_image_stays(here: Place) -> None:
    fresh(here, "1s")
    before, runs = images(here), figures(here)["keep_runs_total"]
    wrong = here.call("keep", "prod", "--once", check=False, env={"DSN": "postgresql://postgres:x@127.0.0.1:1/app"})
    assert wrong.returncode == UnreachableError.exit_code, wrong.stderr
    assert images(here) == before
    told = figures(here)
    assert (told["keep_runs_total"], told["keep_failures_total"], told["keep_failing"]) == (runs + 1, 1, 1)
    said = (here.directory / "alarm.out").read_text()
    assert said.startswith(f"loud kept prod {wrong.returncode} 1 ") and "postgresql://" not in said, (
        "production's password is not for it"
    )


def test_a_run_that_was_killed_is_counted_and_leaves_nothing(here: Place) -> None:
    fresh(here, "1s")
    failures = figures(here)["keep_failures_total"]
    with started(here, "keep", "prod", "--once") as running:
        wait.until(lambda: list((here.pool / "work").iterdir()) or None, what="no work began", timeout=60)
        running.kill()
        running.wait()
    assert (here.pool / "kept" / "kept.prod.json").exists()
    made: Any = here.json("keep", "prod", "--once")
    told = figures(here)
    assert told["keep_failures_total"] == failures + 1 and told["keep_failing"] == 0
    assert images(here) == [made["image"]["id"]]
    assert [name for name in here.leftovers() if not name.startswith(("images/", "raw/"))] == []


def test_it_goes_on_until_it_is_ended(here: Place) -> None:
    def runs() -> int:
        return int(json.loads((here.pool / "kept" / "kept.prod.json").read_text())["runs"])

    known, before = images(here), runs()
    fresh(here, "2s")
    with started(here, "keep", "prod") as running:
        wait.until(lambda: runs() > before or None, what="no image was made", timeout=90)
        running.terminate()
        said = running.communicate(timeout=60)[1].decode()
    assert running.returncode == 128 + signal.SIGTERM, said
    assert images(here) != known
    assert [name for name in here.leftovers() if not name.startswith(("images/", "raw/"))] == []


def test_a_unit_says_how_to_run_it_and_a_wrong_name_what_there_is(here: Place) -> None:
    unit = here.call("keep", "prod", "--unit").stdout
    assert f"--file {here.file} keep prod" in unit
    assert "EnvironmentFile=-/etc/envclone/kept.env" in unit
    wrong = here.call("keep", "prud", "--unit", check=False)
    assert wrong.returncode == ConfigError.exit_code and "there are: prod" in wrong.stderr
    assert "no environment 'prud'" in here.call("keep", "prud", check=False).stderr


def started(here: Place, *arguments: str) -> subprocess.Popen[bytes]:
    """`envclone ARGUMENTS`, running."""
    words = [sys.executable, "-m", "envclone", "--file", str(here.file), *arguments]
    return subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": str(ROOT), **here.env}, stderr=subprocess.PIPE, cwd=Path(here.directory)
    )
