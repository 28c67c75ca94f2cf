"""Keys: made once, private, refused when malformed or open to others."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from envclone import keys
from envclone.errors import ConfigError, UnsafeError


def test_the_pools_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = keys.pool_key(tmp_path, {})
    assert len(first) == 32
    assert keys.pool_key(tmp_path, {}) == first
    assert (tmp_path / "masking.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["masking.key"]


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys.pool_key(tmp_path, {})
    (tmp_path / "masking.key").chmod(0o644)
    with pytest.raises(UnsafeError, match="can be read by others"):
        keys.pool_key(tmp_path, {})


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_malformed_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="64 hex digits are needed") as caught:
        keys.pool_key(tmp_path, {"ENVCLONE_MASKING_KEY_FILE": str(file)})
    assert not text or text not in str(caught.value)


def test_a_key_from_the_environment_or_a_file_wins(tmp_path: Path) -> None:
    key = secrets.token_bytes(32)
    assert keys.pool_key(tmp_path, {"ENVCLONE_MASKING_KEY": key.hex()}) == key
    file = tmp_path / "elsewhere"
    file.write_text(key.hex() + "\n")
    file.chmod(0o600)
    assert keys.pool_key(tmp_path, {"ENVCLONE_MASKING_KEY_FILE": str(file)}) == key
    assert not (tmp_path / "masking.key").exists()
    with pytest.raises(ConfigError, match="does not exist"):
        keys.pool_key(tmp_path, {"ENVCLONE_MASKING_KEY_FILE": str(tmp_path / "nowhere")})


def test_every_project_has_a_key_of_its_own(tmp_path: Path) -> None:
    acme, other = (keys.masking_key(tmp_path, project, {}) for project in ("acme", "other"))
    assert len({acme, other, keys.pool_key(tmp_path, {})}) == 3
    assert keys.masking_key(tmp_path, "acme", {}) == acme
    assert len(acme) == 32
    assert len({keys.key_id(key) for key in (acme, other, keys.pool_key(tmp_path, {}))}) == 3


def test_a_given_key_serves_a_project_in_every_pool_and_no_other_project(tmp_path: Path) -> None:
    env = {"ENVCLONE_MASKING_KEY": secrets.token_hex(32)}
    pools = [tmp_path / name for name in ("one", "two")]
    assert keys.masking_key(pools[0], "acme", env) == keys.masking_key(pools[1], "acme", env)
    assert keys.masking_key(pools[0], "acme", env) != keys.masking_key(pools[1], "other", env)


def test_signatures(tmp_path: Path) -> None:
    assert not keys.verify(tmp_path, b"message", b"")
    signature = keys.sign(tmp_path, b"message")
    assert keys.sign(tmp_path, b"message") == signature
    assert keys.verify(tmp_path, b"message", signature)
    assert not keys.verify(tmp_path, b"another", signature)
    assert not keys.verify(tmp_path, b"message", signature[:-1] + b"x")
    other = tmp_path / "other"
    other.mkdir()
    keys.sign(other, b"message")
    assert not keys.verify(other, b"message", signature)
    assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
