"""`incident import`: from a file to a bundle, and the next thing to do."""

from __future__ import annotations

import datetime as dt
import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from envclone.cli.main import cli
from envclone.incidents import files
from tests.unit.incidents.traces.samples import CURL, SAMPLES, SLOW_LOG, without_vectors

STACK = """\
version: 1
project: shop
pool: {path: ./pool}
environments:
  prod:
    stores:
      main: {kind: postgres, source: {method: physical, dsn: "${DSN}", database: app}}
      kb: {kind: qdrant, source: {method: snapshot, url: "${QDRANT}"}}
incidents: incidents/
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "envclone.yaml").write_text(STACK)
    (tmp_path / "slow.log").write_text(SLOW_LOG)
    (tmp_path / "trace.json").write_text(json.dumps(without_vectors(SAMPLES["openinference"])))
    (tmp_path / "ask.sh").write_text(CURL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["incident", *arguments])


def test_a_log_becomes_statements_to_record(here: Path) -> None:
    done = _call("import", "slow.log", "--id", "1", "--role", "app", "--note", "slow")
    assert done.exit_code == 0, done.exception
    assert "steps that can be run again: sql-1, sql-2" in done.output
    assert done.output.endswith("next: envclone incident record incidents/1.yaml\n")
    place = here / "incidents" / "1.yaml"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    made = files.load(place)
    assert made.note == "slow" and len(made.calls) == 3 and made.origin is not None
    assert made.origin.about["lines"] == ["2026-05-01 10:00:02.200 UTC [123] app@app LOG: checkpoint starting: time"]
    assert made.at == dt.datetime(2026, 5, 1, 10, 0, 0, 123000, dt.UTC), "the moment that a track can branch"
    files.save(made, here / "again.json")
    assert files.load(here / "again.json") == made


def test_a_trace_says_what_it_lacks_and_what_fills_it(here: Path) -> None:
    done = _call("import", "trace.json", "--id", "2")
    assert "unknown: query vector" in done.output and "next: envclone incident edit 2" in done.output
    shown = _call("show", "2").output
    assert "2 calls of a trace (otlp): 1 retrieval, 1 llm" in shown and "parcel" not in shown
    (here / "embed.sh").write_text("#!/bin/sh\ncat >/dev/null\necho '[0.5, 0.25]'\n")
    (here / "embed.sh").chmod(0o755)
    document = json.loads(_call("import", "trace.json", "--id", "3", "--embed-with", "./embed.sh", "--json").output)
    assert document["steps"] == ["search-1"] and document["dialect"] == "otlp" and document["calls"] == 2
    assert {one["name"]: one["recorded"] for one in document["variables"]}["query vector"]


def test_a_wrong_file_or_name_is_said_in_one_line(here: Path) -> None:
    (here / "no.txt").write_text("hello")
    assert "is no trace that is known here" in str(_call("import", "no.txt", "--id", "4").exception)
    assert "there is no service 'api'; there are: none" in str(
        _call("import", "ask.sh", "--id", "4", "--service", "api").exception
    )
    assert _call("import", "slow.log", "--id", "5").exit_code == 0
    assert "is there already" in str(_call("import", "slow.log", "--id", "5").exception)
    assert not (here / "incidents" / "4.yaml").exists()
