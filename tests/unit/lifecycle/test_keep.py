"""When an image is due, and when a run that failed is tried again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envclone.config.keeping import KeepConfig
from envclone.lifecycle import images, keep
from envclone.models import Consistency, Image, RawSnapshot
from envclone.pool import Pool
from envclone.pool.kept import Kept, every, read, write
from tests.support.postgres import scratch

NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
RAW = RawSnapshot("raw-1", "prod", NOW, {}, Consistency.SINGLE, project="shop")
IMAGE = Image("img-1", "prod", NOW, RAW, "d", "k", 1.0, "shop")


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch() as made:
        yield made / "pool"


def project(folder: Path, config: KeepConfig) -> Any:
    environment = SimpleNamespace(keep=config)
    return SimpleNamespace(pool=Pool.open(folder), name="shop", environment=lambda name: environment)


def test_an_image_is_begun_so_early_that_it_is_there_in_time() -> None:
    config = KeepConfig(fresh=HOUR)
    assert keep.due(Kept("shop", "prod"), IMAGE, config) == NOW + HOUR
    assert keep.due(Kept("shop", "prod", seconds=600), IMAGE, config) == NOW + HOUR - dt.timedelta(minutes=10)
    assert keep.due(Kept("shop", "prod", seconds=9999), IMAGE, config) == NOW + HOUR / 2, "not all the time"


def test_an_image_of_a_clock_that_was_ahead_is_followed_at_once() -> None:
    raw = replace(RAW, created_at=NOW + dt.timedelta(days=30))
    assert keep.due(Kept("shop", "prod"), replace(IMAGE, raw=raw), KeepConfig(fresh=HOUR)) < NOW


@pytest.mark.parametrize(("failing", "minutes"), [(1, 1), (2, 2), (4, 8), (30, 60)])
def test_a_failure_is_tried_again_later_each_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failing: int, minutes: int
) -> None:
    there = project(folder, KeepConfig(fresh=HOUR))
    monkeypatch.setattr(images, "find", lambda project, environment: None)
    assert keep.next_try(there, "prod") <= dt.datetime.now(dt.UTC)
    ended = dt.datetime.now(dt.UTC)
    write(there.pool, Kept("shop", "prod", failing=failing, ended=ended))
    assert keep.next_try(there, "prod") == ended + dt.timedelta(minutes=minutes)


def test_what_is_remembered_is_read_again_and_a_damaged_record_hides_no_other(folder: Path) -> None:
    pool = Pool.open(folder)
    one = Kept("shop", "prod", 3, 1, 1, "no", NOW, NOW, NOW, 1.5, "img-1", NOW, 10, 5)
    write(pool, one)
    write(pool, Kept("shop", "test"))
    (pool.path_of("kept", "") / "shop.bad.json").write_text("{")
    assert read(pool, "shop", "prod") == one
    assert read(pool, "shop", "none") == Kept("shop", "none")
    assert [record.environment for record in every(pool)] == ["prod", "test"]
