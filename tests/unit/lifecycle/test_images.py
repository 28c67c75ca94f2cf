"""Which image a branch is made from, and what is said of its age."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envclone import keys, process
from envclone.lifecycle import images, publish, quarantine
from envclone.models import Consistency, Image, RawSnapshot
from envclone.pool import catalog

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
RAW = RawSnapshot("raw-1", "prod", NOW - dt.timedelta(minutes=64), {}, Consistency.SKEWED, project="shop")
LATER = replace(RAW, id="raw-2", created_at=NOW - dt.timedelta(minutes=5))
OTHER = replace(LATER, id="raw-3", environment="test", created_at=NOW)
IMAGE = Image("img-1", "prod", RAW.created_at + dt.timedelta(seconds=56), RAW, "d", "k", 1.0, "shop")
PROJECT: Any = SimpleNamespace(pool=None, name="shop", keys=None, environment=lambda name: None)
PROJECT.through = lambda stages: PROJECT


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[RawSnapshot]:
    """The snapshots in the pool."""
    found = [RAW, OTHER]
    monkeypatch.setattr(catalog, "snapshots", lambda pool, project: sorted(found, key=lambda raw: raw.created_at))
    return found


def test_the_age_of_a_state_is_told_with_what_a_newer_one_costs(taken: list[RawSnapshot]) -> None:
    assert images.age(PROJECT, IMAGE, NOW) == (
        "state of 2026-11-21 10:56 UTC, 64 min ago: no snapshot is newer;"
        " --fresh copies it and masks it, which took 56 s"
    )
    taken.append(LATER)
    said = images.age(PROJECT, replace(IMAGE, created_at=NOW + dt.timedelta(days=3)), NOW + dt.timedelta(days=3))
    assert "3 days ago: raw-2 is newer, but without the masking key no image of it" in said
    assert said.endswith("masks it, which takes minutes")


@pytest.mark.parametrize(
    ("newer", "key", "becomes"), [(False, True, "img-1"), (True, True, "of raw-2"), (True, False, "img-1")]
)
def test_a_newer_snapshot_gets_its_image(
    taken: list[RawSnapshot], monkeypatch: pytest.MonkeyPatch, newer: bool, key: bool, becomes: str
) -> None:
    taken += [LATER] if newer else []

    @contextmanager
    def using(project: Any, environment: str) -> Iterator[RawSnapshot]:
        yield LATER

    @contextmanager
    def make(project: Any, raw: RawSnapshot, *, again: bool = False) -> Iterator[Image]:
        yield replace(IMAGE, id=f"of {raw.id}")

    monkeypatch.setattr(images, "_held", lambda *_: IMAGE)
    monkeypatch.setattr(keys, "held", lambda folder: key)
    monkeypatch.setattr(quarantine, "using", using)
    monkeypatch.setattr(publish, "make", make)
    with images.ready(PROJECT, "prod") as image:
        assert image.id == becomes


def test_an_image_that_is_there_waits_for_no_preflight() -> None:
    """What the preflight looks at (the host, its programs, its packages) takes long to import."""
    text = """
import sys
from types import SimpleNamespace
from envclone.lifecycle import images
images._held, images.newer = lambda *_: "image", lambda *_: None
with images.ready(SimpleNamespace(environment=lambda name: None), "prod") as image:
    print([name for name in ("envclone.doctor", "importlib.metadata", "email") if name in sys.modules])
"""
    said = process.run([sys.executable, "-c", text], env={"PYTHONPATH": str(Path(__file__).parents[3])}).stdout
    assert said.strip() == "[]"
