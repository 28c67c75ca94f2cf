"""The list of accounts that are lent to directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envclone import accounts


@pytest.fixture(autouse=True)
def lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of its own."""
    monkeypatch.setattr(accounts, "LENT", tmp_path / "lent" / "accounts")
    return tmp_path / "lent" / "accounts"


def test_each_directory_has_an_account_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    places = [tmp_path / str(number) for number in range(200)]
    for place in places:
        place.mkdir()
    first = [accounts._lend(str(place)).uid for place in places]
    assert len(set(first)) == len(first)
    assert [accounts._lend(str(place)).uid for place in places] == first


def test_accounts_of_directories_that_are_gone_are_lent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "RANGE", range(0x7100_0000, 0x7100_0000 + 80))
    kept = tmp_path / "kept"
    kept.mkdir()
    own = accounts._lend(str(kept)).uid
    for number in range(400):
        place = tmp_path / f"gone{number}"
        place.mkdir()
        assert accounts._lend(str(place)).uid != own
        place.rmdir()
    assert accounts._lend(str(kept)).uid == own


def test_a_list_that_was_cut_in_a_line_lends_no_account_twice(tmp_path: Path, lent: Path) -> None:
    places = [tmp_path / name for name in ("a", "b", "c")]
    for place in places:
        place.mkdir()
    first = [accounts._lend(str(place)).uid for place in places[:2]]
    lent.write_text(lent.read_text() + "18790")
    third = accounts._lend(str(places[2])).uid
    assert third not in first
    assert [accounts._lend(str(place)).uid for place in places] == [*first, third]


def test_a_new_account_is_added_and_the_list_not_written_again(tmp_path: Path, lent: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        accounts._lend(str(tmp_path / name))
    before = lent.read_text()
    (tmp_path / "c").mkdir()
    accounts._lend(str(tmp_path / "c"))
    assert lent.read_text().startswith(before)


def test_the_machine_s_directory_is_enterable_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        accounts.make_enterable(tmp_path / "machine")
    finally:
        os.umask(before)
    assert (tmp_path / "machine").stat().st_mode & 0o777 == 0o755
    (tmp_path / "machine").chmod(0o750)  # somebody's decision
    accounts.make_enterable(tmp_path / "machine")
    assert (tmp_path / "machine").stat().st_mode & 0o777 == 0o750
