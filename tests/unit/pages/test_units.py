"""Units of systemd."""

from __future__ import annotations

from envclone.pages.units import keeping


def test_words_of_a_command_mean_themselves() -> None:
    unit = keeping(["/opt/my env/python", "50%", "$HOME", 'a"b', ""], "shop", "prod")
    assert 'ExecStart="/opt/my env/python" 50%% $$HOME "a\\"b" ""\n' in unit
    assert "images of prod of shop" in unit
