"""A record of the future is older than all others."""

from __future__ import annotations

import datetime as dt

from envclone.pool.times import counted

NOW = dt.datetime(2031, 5, 6, 7, 8, tzinfo=dt.UTC)


def test_a_record_of_the_future_is_older_than_all_others() -> None:
    before, soon, ahead = NOW - dt.timedelta(days=900), NOW + dt.timedelta(minutes=2), NOW + dt.timedelta(days=30)
    assert sorted([ahead, NOW, soon, before], key=lambda when: counted(when, NOW)) == [ahead, before, NOW, soon]
