"""The options that name a moment."""

from __future__ import annotations

import pytest

from envclone.cli.moments import target_of
from envclone.errors import UsageError
from envclone.models.moments import By, Target


def test_a_moment_has_one_name() -> None:
    assert target_of(None, None, None, None, False, None) is None
    assert target_of("2026-11-28T10:30:00+01:00", None, None, None, False, None) == Target(
        By.TIME, "2026-11-28T09:30:00+00:00"
    )
    assert target_of(None, "0/3000148", None, None, True, 2) == Target(By.LSN, "0/3000148", False, 2)
    assert target_of(None, None, "756", None, False, None) == Target(By.XID, "756")
    assert target_of(None, None, None, "after the deed", False, None) == Target(By.POINT, "after the deed")
    for given in (("2026-11-28T09:30:00Z", "0/1", None, None), (None, None, "1", "x")):
        with pytest.raises(UsageError, match="one name"):
            target_of(*given, False, None)
    for before, timeline in ((True, None), (False, 2)):
        with pytest.raises(UsageError, match="want a moment"):
            target_of(None, None, None, None, before, timeline)


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01T00:00:00Z", "2026-11-28T09:30:00", ""])
def test_a_time_says_its_zone(time: str) -> None:
    with pytest.raises(UsageError):
        target_of(time, None, None, None, False, None)


@pytest.mark.parametrize("lsn", ["3000148", "0/", "0/x", "0/123456789", "0/1'; --"])
def test_a_position_is_one(lsn: str) -> None:
    with pytest.raises(UsageError):
        target_of(None, lsn, None, None, False, None)


@pytest.mark.parametrize("xid", ["", "0", "-1", "1.5", "x", str(2**64), "٣"])
def test_a_transaction_is_a_number(xid: str) -> None:
    with pytest.raises(UsageError):
        target_of(None, None, xid, None, False, None)


@pytest.mark.parametrize("point", ["", "x" * 64, "a\nb", "ü" * 32])
def test_a_restore_point_has_a_name_that_postgresql_takes(point: str) -> None:
    with pytest.raises(UsageError):
        target_of(None, None, None, point, False, None)
