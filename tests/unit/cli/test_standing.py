"""`envclone` alone: the help where there is no stack file, else what there is and the next command."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from envclone.cli.main import cli
from envclone.cli.standing import _lines

NOW = dt.datetime.now(dt.UTC)


def test_without_a_stack_file_it_is_the_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENVCLONE_FILE", raising=False)
    done = CliRunner().invoke(cli, [])
    assert done.exit_code == 0 and done.output == CliRunner().invoke(cli, ["--help"]).output


def _branch(name: str, state: str, incident: str | None = None, hours: float = 2) -> Any:
    return SimpleNamespace(
        name=name,
        state=state,
        environment="prod",
        incident=incident,
        created_at=NOW,
        expires_at=NOW + dt.timedelta(hours=hours, seconds=30),
    )


def _stack(images: list[Any], branches: list[Any], replays: dict[str, Any]) -> Any:
    """A stack of plain values: what is said of a real one takes engines, and is nothing else."""
    stack = SimpleNamespace(environments={"prod": None, "staging": None})
    return SimpleNamespace(
        project=SimpleNamespace(name="shop", loaded=SimpleNamespace(stack=stack)),
        images=lambda: images,
        branches=lambda: branches,
        last_replay=replays.get,
    )


def _image(environment: str = "prod", hours: float = 3) -> Any:
    return SimpleNamespace(environment=environment, created_at=NOW - dt.timedelta(hours=hours))


@pytest.mark.parametrize(
    ("images", "branches", "replays", "said", "following"),
    [
        ([], [], {}, "prod: no image yet", "envclone scan prod"),
        ([_image(), _image(hours=9)], [], {}, "prod: 2 images, the newest 3h00m old", "envclone branch prod"),
        ([_image()], [_branch("p", "running", "7")], {}, "running, of prod, 2h00m left, incident 7 not replayed yet",
         "envclone replay 7"),
        ([_image()], [_branch("p", "running", "7")], {"p": {"reproduced": False}}, "incident 7 NOT reproduced",
         "envclone show p"),
        ([_image()], [_branch("p", "stopped", hours=-1)], {}, "p: stopped, of prod, expired", "envclone start p"),
    ],
)  # fmt: skip
def test_what_there_is_and_what_is_next(
    images: list[Any], branches: list[Any], replays: dict[str, Any], said: str, following: str
) -> None:
    text = "\n".join(_lines(_stack(images, branches, replays), Path("/srv/envclone.yaml"), NOW))
    assert text.startswith("shop: /srv/envclone.yaml\n") and "staging: no image yet" in text
    assert said in text and f"next: {following}\n" in text
