"""What `init` writes of a running Qdrant: where it is, and which variable holds its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from envclone.config.beginning import beginning
from envclone.config.load import load, resolve_source
from envclone.errors import ConfigError, UsageError

URL = "https://qdrant.example:6333"


def _source(given: str, env: dict[str, str]) -> dict[str, Any]:
    text = beginning("acme", "prod", None, given, env).text
    found: dict[str, Any] = yaml.safe_load(text)["environments"]["prod"]["stores"]["kb"]["source"]
    assert not any(value in text for name, value in env.items() if name != "QDRANT_URL" or given != URL)
    return found


def test_an_address_and_a_variable_that_holds_one() -> None:
    assert _source(URL, {}) == {"method": "snapshot", "url": URL}
    for given in ("QDRANT_URL", "$QDRANT_URL", "${QDRANT_URL}"):
        found = _source(given, {"QDRANT_URL": URL})
        assert found == {"method": "snapshot", "url": "${QDRANT_URL?the address of production's Qdrant}"}


@pytest.mark.parametrize("name", ["PROD_QDRANT_KEY", "QDRANT_API_KEY", "QDRANT__SERVICE__API_KEY"])
def test_the_key_is_read_from_a_variable_and_never_written(name: str, tmp_path: Path) -> None:
    env = {name: "s3cret-key"}
    assert _source(URL, env)["api_key"] == f"${{{name}?the API key of production's Qdrant}}"
    file = tmp_path / "envclone.yaml"
    file.write_text(beginning("acme", "prod", None, URL, env).text)
    key = resolve_source(load(file, env), "prod", "kb").api_key
    assert key is not None and key.get_secret_value() == "s3cret-key" and "s3cret" not in repr(key)


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError) as caught:
        beginning("acme", "prod", None, "https://me:s3cret@qdrant.example", {})
    assert "s3cret" not in caught.value.message and "PROD_QDRANT_KEY" in str(caught.value.hint)


def test_a_directory_is_what_it_was(tmp_path: Path) -> None:
    assert _source(str(tmp_path), {}) == {"method": "directory", "path": str(tmp_path)}
    with pytest.raises(UsageError, match="is not a directory") as caught:
        beginning("acme", "prod", None, str(tmp_path / "gone"), {})
    assert "https://" in str(caught.value.hint)


def test_the_nodes_of_a_cluster_and_its_certificates(tmp_path: Path) -> None:
    file = tmp_path / "envclone.yaml"
    text = beginning("acme", "prod", None, URL, {}).text
    more = 'url: https://qdrant.example:6333\n          ca_file: ca.pem\n          peers: {"17": "${NODE}", b: "http://b:1"}'
    file.write_text(text.replace(f"url: {URL}", more))
    with pytest.raises(ConfigError) as caught:
        resolve_source(load(file, {}), "prod", "kb")
    assert "source.peers.…: the environment variable NODE is not set" in caught.value.problems[0]
    found = resolve_source(load(file, {"NODE": "https://n:6333"}), "prod", "kb")
    assert found.ca_file == tmp_path / "ca.pem" and found.peers is not None
    assert {peer: url.get_secret_value() for peer, url in found.peers.items()} == {
        "17": "https://n:6333",
        "b": "http://b:1",
    }
    with pytest.raises(ConfigError) as caught:
        resolve_source(load(file, {"NODE": "n:6333"}), "prod", "kb")
    assert "source.peers.…: must begin with http:// or https://" in caught.value.problems[0]


def test_a_managed_server_is_dumped() -> None:
    text = beginning("acme", "prod", "postgresql://me:s3cret@db/app", None, {}, method="logical").text
    assert "method: logical" in text and "of a role that reads everything" in text and "s3cret" not in text
