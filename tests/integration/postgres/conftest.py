"""Production-like servers, shared by the tests of a file that only read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envclone.models import ProgressEvent
from tests.support.postgres import Production, production, scratch


@pytest.fixture(params=[16, 18], ids=["pg16", "pg18"], scope="module")
def any_production(request: pytest.FixtureRequest) -> Iterator[Production]:
    """A running server of each major version that the embedded package brings."""
    with production(request.param) as server:
        yield server


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the servers' account can enter."""
    with scratch() as directory:
        yield directory


@pytest.fixture
def seen() -> list[ProgressEvent]:
    """Collects progress: its `append` is a Progress."""
    return []


@pytest.fixture
def store_config() -> Any:
    """Makes a store's configuration from the keywords of its source."""
    from envclone.config.schema import StoreConfig

    def make(settings: dict[str, str] | None = None, **source: Any) -> StoreConfig:
        return StoreConfig.model_validate({"kind": "postgres", "source": source, "settings": settings or {}})

    return make
