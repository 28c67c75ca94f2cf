"""Units of systemd."""

from __future__ import annotations

from envclone.pages.units import following, keeping


def test_words_of_a_command_mean_themselves() -> None:
    unit = keeping(["/opt/my env/python", "50%", "$HOME", 'a"b', ""], "shop", "prod")
    assert 'ExecStart="/opt/my env/python" 50%% $$HOME "a\\"b" ""\n' in unit
    assert "images of prod of shop" in unit


def test_words_of_a_command_mean_themselves_and_the_limit_is_for_somebody_to_see() -> None:
    unit = following(["/opt/my env/python", "50%", "$HOME", 'a"b', ""], "shop", "prod")
    assert 'ExecStart="/opt/my env/python" 50%% $$HOME "a\\"b" ""\n' in unit
    assert "follows prod of shop" in unit
    assert "RestartPreventExitStatus=2 3 4 6\n" in unit
