"""YAML itself: its mistakes, its traps, its bombs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from envclone.config.document import LIMIT, SyntaxProblem, parse
from envclone.config.load import load
from envclone.errors import ConfigError
from tests.unit.config.stacks import SMALL, loaded, problems, write

PATH = Path("x.yaml")


def data(text: str) -> Any:
    document = parse(text, PATH)
    assert document.findings == []
    return document.data


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: [x, 2.5, true, ~, 0x1f, 017, 0b11, 1_000, -3, .inf, 1e3]\n",
        "a: &x {b: 1, c: [1]}\nd: *x\ne: {<<: *x, b: 2}\nf: {<<: [{q: 1}, *x], r: 1}\n",
        "a: |\n  one\n  two\nb: >-\n  three\n  four\n",
        "a: 'it''s'\nb: \"\\u00e9\\n\"\nc: plain text # comment\n",
        "? a\n: b\n",
        "a: !!str 5\nb: !!int '7'\nc: ! 12\n",
        "a: !!map {b: !!seq [1]}\n",
        "--- \na: b\n...\n",
        "",
        "# nothing\n",
    ],
)
def test_reads_what_safe_load_reads(text: str) -> None:
    assert data(text) == yaml.safe_load(text)


def test_the_differences_from_safe_load() -> None:
    assert data("no: a\n5432: b\nnull: c\n2024-01-02: d\n") == {"no": "a", "5432": "b", "null": "c", "2024-01-02": "d"}
    assert data("a: 22:22\nb: 2024-01-02\nc: 2024-99-99\nd: 1:30.5\n") == {
        "a": "22:22",
        "b": "2024-01-02",
        "c": "2024-99-99",
        "d": "1:30.5",
    }
    assert data("a: " + "9" * 5000)["a"] == "9" * 5000


def test_lines_of_keys_items_and_merged_entries() -> None:
    lines = parse("a:\n  b:\n  - x\n  - y: 1\nm: &m\n  p: 1\nn:\n  <<: *m\n  q: 2\n", PATH).lines
    assert lines["a", "b"] == (PATH, 2)
    assert lines["a", "b", 1, "y"] == (PATH, 4)
    assert lines["n", "p"] == (PATH, 6)
    assert lines["n", "q"] == (PATH, 9)


def test_duplicates_name_both_lines_and_hide_nothing(tmp_path: Path) -> None:
    text = SMALL + "branches: {max: 0}\nproject: other\nbranches: {max: 1}\n"
    assert problems(tmp_path, text) == [
        "envclone.yaml:2: project: is given twice, on lines 2 and 10",
        "envclone.yaml:9: branches: is given twice, on lines 9 and 11",
        "envclone.yaml:9: branches.max: must be at least 1",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("a:\n\tb: 1\n", 2, 1, "a tab; YAML is indented with spaces only"),
        ("a:\n  b: 1\n\tc: 1\n", 3, 1, "a tab; YAML is indented with spaces only"),
        ("a: @x\n", 1, 4, "'@' cannot begin a value; put the value in quotes"),
        ("a: b: c\n", 1, 5, "a ':' where none can be"),
        ("a: [1,\nb: 2\n", 3, 1, "did not find expected ',' or ']' (while parsing a flow sequence begun on line 1)"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins"),
        ("a: *x\n", 1, 4, "an alias (*) names an anchor (&) that is not there"),
        ("a: \x01\n", 1, 4, "a character that YAML does not allow"),
        ('a: "x\n', 2, 1, ""),
        ("%YAML 3.0\n---\na\n", 1, 1, ""),
    ],
)
def test_syntax_errors_have_a_line_a_column_and_one_line(
    tmp_path: Path, text: str, line: int, column: int, what: str
) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(f"envclone.yaml:{line}:{column}: {what}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: is empty"),
        ("# only a comment\n", ":1: is empty"),
        ("---\n", ":1: is empty"),
        ("- a\n- b\n", ":1: must be a mapping of keys to values, not a list"),
        ("just words\n", ":1: must be a mapping of keys to values, not a single value"),
        ("!!python/object:os.system {}\n", ":1: the tag 'tag:yaml.org,2002:python/object:os.system' is not known here"),
    ],
)
def test_a_root_that_is_no_mapping(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text) == [f"envclone.yaml{expected}"]


def test_tags_and_keys_that_are_refused_in_place(tmp_path: Path) -> None:
    found = problems(tmp_path, SMALL + "incidents: !!python/name:os.system x\nbranches: {[a]: 1, ? {b: c} : 2}\n")
    assert [problem.split(": ", 1)[1] for problem in found] == [
        "incidents: the tag 'tag:yaml.org,2002:python/name:os.system' is not known here",
        "branches: line 10: a key must be plain text, not a list or a mapping",
    ]


def test_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "envclone.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert caught.value.problems == (f"{path}:2:7: must be text in UTF-8",)


def test_a_byte_order_mark_and_windows_lines_are_nothing_to_speak_of(tmp_path: Path) -> None:
    path = tmp_path / "envclone.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path, {}).stack.project == "acme"


def laughs(depth: int) -> str:
    lines = ["a0: &a0 [lol, lol]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return "\n".join(lines) + "\n"


def merged_laughs(depth: int) -> str:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, depth)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        laughs(30),
        merged_laughs(30),
        "a: &a " + "x" * 900_000 + "\nb: [" + "*a, " * 10_000 + "*a]\n",
        "[" * 400_000 + "]" * 400_000,
        "{a: " * 100_000,
        "- " * 400_000,
        "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000)),
        "a: &a {<<: *a}\n",
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "x" * (LIMIT + 1),
    ],
    ids=[
        "laughs",
        "merges",
        "long",
        "deep-list",
        "deep-map",
        "deep-block",
        "chain",
        "self-merge",
        "self",
        "map",
        "big",
    ],
)
def test_bombs_are_bounded(tmp_path: Path, text: str) -> None:
    started = time.process_time()
    path = write(tmp_path, text)
    with pytest.raises(ConfigError):
        load(path, {})
    assert time.process_time() - started < 10


def test_many_ordinary_rules_load(tmp_path: Path) -> None:
    rules = "".join(f"      public.table_{i // 30}.column_{i}: person\n" for i in range(10_000))
    found = loaded(tmp_path, SMALL + "sanitize:\n  rules:\n    main:\n" + rules)
    assert len(found.stack.sanitize.rules["main"]) == 10_000


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a [{b: [*a]}]"])
def test_a_value_that_contains_itself_is_said_in_place(text: str) -> None:
    assert [what for _, what in parse(text, PATH).findings] == ["an alias (*) contains itself"]


def test_an_alias_bomb_stops_in_the_reader() -> None:
    with pytest.raises(SyntaxProblem, match="far too large"):
        parse(laughs(12), PATH)
