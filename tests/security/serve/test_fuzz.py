"""Requests that the description allows, and that it does not, made up by schemathesis: never a 500, never a trace."""

from __future__ import annotations

import pytest

from tests.support.fuzzed import fuzz, waiting


def test_no_request_is_a_bug() -> None:
    with pytest.MonkeyPatch.context() as patched, waiting(patched) as here:
        statuses = fuzz(here, each=10)
    assert sum(statuses.values()) >= 280 and statuses[200] + statuses[202] >= 50, statuses
