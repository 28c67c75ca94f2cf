"""What a stack file may say of a track."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.unit.config.stacks import loaded, problems

STACK = """\
version: 1
project: a
environments:
  prod:
    stores:
      main: {{kind: postgres, source: {{method: {method}}}}}
    track: {track}
quarantine: {quarantine}
"""


def _stack(track: str, quarantine: str = "{}", method: str = "physical, dsn: x") -> str:
    return STACK.format(track=track, quarantine=quarantine, method=method)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    track = loaded(tmp_path, _stack("{}")).stack.environments["prod"].track
    assert track is not None
    assert (track.every, track.window, track.compress) == (dt.timedelta(hours=1), dt.timedelta(hours=12), True)
    assert loaded(tmp_path, _stack("")).stack.environments["prod"].track is None


@pytest.mark.parametrize(
    ("track", "quarantine", "method", "said"),
    [
        ("{every: never}", "{}", "physical, dsn: x", "track.every: must be a number with a unit"),
        ("{held: 1MiB}", "{}", "physical, dsn: x", "track.held"),
        ("{evry: 1h}", "{}", "physical, dsn: x", "evry"),
        ("{window: 30h}", "{}", "physical, dsn: x", "track.window: must be at most 23h"),
        ("{}", "{max_age: 6h}", "physical, dsn: x", "track.window: must be at most 5h"),
        ("{every: 8h}", "{max_age: 6h}", "physical, dsn: x", "track.window: must be at most nothing"),
        ("{}", "{}", "directory, path: /srv", "track: needs a store that can be followed"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(
    tmp_path: Path, track: str, quarantine: str, method: str, said: str
) -> None:
    assert any(said in line for line in problems(tmp_path, _stack(track, quarantine, method)))
