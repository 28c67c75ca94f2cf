"""What is claimed of several stores' moments."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from envclone import registry
from envclone.errors import UnreachableError
from envclone.lifecycle import agreement
from envclone.models import StoreSnapshot
from envclone.models.tracked import Now

AT = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def store(name: str, seconds: float, **details: Any) -> StoreSnapshot:
    kind = "postgres" if name.startswith("pg") else "qdrant"
    at = AT + dt.timedelta(seconds=seconds)
    return StoreSnapshot(name, kind, "physical", "18", at, 1.0, 1, 1, details=details)


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Production's clock is an hour ahead, and its log grew by 4 kB."""

    def tracking(kind: str) -> Any:
        def now(config: Any, since: Any = None) -> Now:
            if config.down:
                raise UnreachableError("it is away")
            return Now(dt.timedelta(hours=1), 4096)

        return SimpleNamespace(now=now, unfit=lambda name, config: "") if kind == "postgres" else None

    monkeypatch.setattr(registry, "tracking", tracking)


def of(
    *stores: StoreSnapshot, brought: frozenset[str] = frozenset(), down: bool = False
) -> tuple[str, int, int | None]:
    configs: Any = {one.store: SimpleNamespace(kind=one.kind, down=down) for one in stores}
    found = agreement.of(configs, {one.store: one for one in stores}, brought)
    return str(found.consistency), found.skew_ms, found.skew_wal


def test_clocks_are_compared_before_moments_are() -> None:
    assert of(store("pg", 3600), store("kb", 2)) == ("skewed", 2000, 4096)
    assert of(store("pg", 0), store("kb", 2), down=True) == ("skewed", 2000, None)
    assert of(store("pg", 0)) == ("single", 0, None)


def test_a_barrier_is_as_wide_as_the_copies_without_a_log() -> None:
    stores = (store("pg", 3500), store("kb", 0), store("images", 0.25))
    assert of(*stores, brought=frozenset(["pg"])) == ("barrier", 250, 0)
    assert of(*stores, store("pg2", 3600), brought=frozenset(["pg"]))[0] == "skewed"


def test_one_device_that_nobody_writes_to_is_one_moment() -> None:
    assert of(store("pg", 0, frozen="8:1"), store("kb", 9, frozen="8:1")) == ("atomic", 0, 0)
    assert of(store("pg", 0, frozen="8:1"), store("kb", 9, frozen="8:2"))[0] == "skewed"
    assert of(store("pg", 0, frozen=None), store("kb", 9, frozen=None))[0] == "skewed"
