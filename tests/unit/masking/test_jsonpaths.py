from __future__ import annotations

import pytest

from envclone.errors import ConfigError
from envclone.masking.jsonpaths import parse_path


@pytest.mark.parametrize("path", ["a", "$a", "$.a[0]", "$.", "$.a.", "$..", "$[", "$.a]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ConfigError, match="not a JSON path"):
        parse_path(path)


@pytest.mark.parametrize("path", ["$~", "$.a[*]~", "$.a~~", "$.a~.b~~"])
def test_what_has_no_keys(path: str) -> None:
    with pytest.raises(ConfigError):
        parse_path(path)
