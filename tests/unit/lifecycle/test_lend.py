"""Variables that are lent to a branch's services are taken back, also from one who was killed with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envclone.errors import BusyError
from envclone.lifecycle import lend
from envclone.models import BranchState


class _World:
    """A branch whose services only have variables."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.variables: dict[str, str] = {}
        self.branch = SimpleNamespace(services={"api": {}}, state=BranchState.RUNNING)
        self.project: Any = SimpleNamespace(pool=SimpleNamespace(owning=self.owning, owned=self.owned))

    @contextlib.contextmanager
    def owning(self, *_: object) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def owned(self, *_: object) -> Iterator[bool]:
        yield True

    def restarted(
        self, _: object, __: object, environment: Mapping[str, str] | None = None, clock: object = None
    ) -> None:
        self.variables = dict(environment or {})


WANTED: Any = SimpleNamespace(environment={"A": "b"}, changes=("env.A",))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _World:
    made = _World(tmp_path)
    monkeypatch.setattr(lend, "load", lambda project, name: made.branch)
    monkeypatch.setattr(lend, "directory", lambda pool, name: made.place)
    monkeypatch.setattr(lend, "restarted", made.restarted)
    return made


def test_what_is_lent_is_there_for_the_block_alone(world: _World) -> None:
    with lend.lent(world.project, "x", WANTED):
        assert world.variables == {"A": "b"} and not lend.taken_back(world.project, "x"), "it is lent now"
        with pytest.raises(BusyError), lend.lent(world.project, "x", WANTED):
            pass
        assert world.variables == {"A": "b"}
    assert world.variables == {} and list(world.place.iterdir()) == []
    with pytest.raises(ZeroDivisionError), lend.lent(world.project, "x", WANTED):
        raise ZeroDivisionError
    assert world.variables == {} and list(world.place.iterdir()) == []


def test_what_a_killed_one_left_is_taken_back(world: _World) -> None:
    (world.place / "lent").touch()  # and nobody holds it
    world.variables = {"A": "b"}
    assert lend.taken_back(world.project, "x") and world.variables == {}
    assert not lend.taken_back(world.project, "x")
    (world.place / "lent").touch()
    with lend.lent(world.project, "x", WANTED):
        assert world.variables == {"A": "b"}
    assert world.variables == {}
