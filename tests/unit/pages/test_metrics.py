"""What Prometheus reads of images that are made ahead."""

from __future__ import annotations

import datetime as dt

from envclone.pages.metrics import metrics
from envclone.pool.kept import Kept

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)


def test_every_figure_has_its_type_and_labels_are_escaped() -> None:
    made = Kept(
        "shop", 'pr"od\n', 3, 1, 0, "", None, NOW, NOW, 12.25, "img", NOW - dt.timedelta(minutes=5), 2**40, 4096
    )
    text = metrics([made, Kept("shop", "test", 1, 1, 1, "no")], NOW, 1000)
    lines = text.splitlines()
    assert text.endswith("\n")
    prod, test = '{project="shop",environment="pr\\"od\\n"}', '{project="shop",environment="test"}'
    assert f"envclone_image_age_seconds{prod} 300" in lines
    assert f"envclone_keep_duration_seconds{prod} 12.250" in lines
    assert f"envclone_image_bytes{prod} {2**40}" in lines
    assert f"envclone_keep_failing{test} 1" in lines
    assert "# TYPE envclone_keep_runs_total counter" in lines
    assert "envclone_pool_free_bytes 1000" in lines
    assert not [line for line in lines if line.startswith(f"envclone_image_age_seconds{test}")], "there is no image"
    named = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert named == {line.split("{")[0].split()[0] for line in lines if not line.startswith("#")}
