"""Whatever stands in the file: it loads, or it is a ConfigError."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from envclone.config.load import LoadedStack, check, load
from envclone.errors import ConfigError
from tests.unit.config.stacks import FULL

GOOD = yaml.safe_load(FULL)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.sampled_from(
        ["postgres", "qdrant", "keep", "email", "8h", "${X}", "${", "$$", "${stores.main.url}", "~x/y", "\0", "1", "~"]
    )
)
WORDS = """version project pool path environments prod stores main kind source method dsn services environment
depends_on sanitize domains rules references hooks include vectors $.a healthcheck branches ttl incidents models"""
KEYS = st.sampled_from(WORDS.split()) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def outcome(content: bytes) -> LoadedStack | ConfigError:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "envclone.yaml"
        path.write_bytes(content)
        results: list[LoadedStack | ConfigError] = []
        for reader in (load, check):
            try:
                results.append(reader(path, {"X": "x"}))
            except ConfigError as exc:
                assert exc.problems
                assert all(problem.isprintable() for problem in exc.problems), exc.problems
                results.append(exc)
        if isinstance(results[1], LoadedStack):
            assert isinstance(results[0], LoadedStack), "check passed what load refuses"
        return results[0]


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(st.text())
def test_any_text(text: str) -> None:
    outcome(text.encode("utf-8", "surrogatepass"))


@FUZZ
@given(st.binary())
def test_any_bytes(content: bytes) -> None:
    outcome(content)


@FUZZ
@given(st.text(alphabet="ab:- \n\t[]{},&*!|>'\"%@`#?<~$\\u0x.1", max_size=60))
def test_text_of_yamls_own_signs(text: str) -> None:
    outcome(text.encode())


@FUZZ
@example({"include": ["\x1f"]})
@given(VALUES)
def test_any_value(value: Any) -> None:
    outcome(yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass"))


@FUZZ
@given(st.data())
def test_a_good_file_with_one_part_replaced(data: st.DataObject) -> None:
    def mutate(value: Any) -> Any:
        if isinstance(value, dict) and value and data.draw(st.integers(0, 7)):
            key = data.draw(st.sampled_from(sorted(value, key=str)))
            return {**value, key: mutate(value[key])}
        if isinstance(value, dict) and data.draw(st.booleans()):
            return {**value, data.draw(KEYS): data.draw(VALUES)}
        return data.draw(VALUES)

    outcome(yaml.safe_dump(mutate(GOOD), allow_unicode=True).encode("utf-8", "surrogatepass"))


@FUZZ
@given(st.integers(0, len(FULL)), st.integers(0, 12), st.text(alphabet="ab:- \n\t[]{},&*!'\"$", max_size=4))
def test_a_good_file_with_a_slip_of_the_hand(at: int, cut: int, typed: str) -> None:
    outcome((FULL[:at] + typed + FULL[at + cut :]).encode())
