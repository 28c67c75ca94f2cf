"""Bundles on disk: exact round trips, every problem at once, private and whole files."""

from __future__ import annotations

import json
import math
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envclone.errors import ConfigError, UsageError
from envclone.incidents import files
from envclone.incidents.bundle import Expected, Incident, SqlStep, VectorStep
from envclone.incidents.calls import Call
from envclone.incidents.document import DEPTH, Malformed, dump, parse
from envclone.incidents.values import canonical

BUNDLE = """\
version: 1
incident: "1234"
environment: prod
steps:
  - id: tickets
    store: main
    kind: sql
    sql: SELECT id FROM tickets WHERE created > %(day)s ORDER BY id
    parameters: {day: 2024-05-01}
    settings: {jit: off, work_mem: 64MB, hnsw.ef_search: 40, enable_seqscan: false}
  - {id: search, store: kb, kind: vector, collection: articles, vector: [0.1, 1e-05, -2]}
"""


def incident(*steps: Any, **more: Any) -> Incident:
    return Incident(incident="1234", environment="prod", steps=steps, **more)


def write(tmp_path: Path, text: str, name: str = "1234.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_values_are_read_as_they_are_written(tmp_path: Path) -> None:
    sql, search = files.load(write(tmp_path, BUNDLE)).steps
    assert isinstance(sql, SqlStep) and isinstance(search, VectorStep)
    assert sql.parameters == {"day": "2024-05-01"}  # a date stays text
    assert sql.settings == {"jit": "off", "work_mem": "64MB", "hnsw.ef_search": "40", "enable_seqscan": "off"}
    assert search.vector == [0.1, 1e-05, -2.0]


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    text = """\
version: 1
incident: ../etc
steps:
  - id: a
    store: main
    kind: sql
    sq: SELECT 1
  - id: a
    store: kb
    kind: vector
    collection: c
    vector: [1, two]
    limit: 0
  - {id: b, store: kb, kind: graph}
"""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        files.load(path)
    problems = "\n".join(caught.value.problems)
    for wanted in (
        f"{path}:2: incident: ",
        "environment: is missing",
        f"{path}:4: steps[0].sql: is missing",
        f"{path}:7: steps[0].sq: is not a field of a bundle",
        f"{path}:12: steps[1].vector[1]: ",
        f"{path}:13: steps[1].limit: ",
        f"{path}:14: steps[2]: ",
        "two steps have the id 'a'",
    ):
        assert wanted in problems, problems
    assert caught.value.exit_code == 3


def test_a_problem_never_shows_the_recorded_value(tmp_path: Path) -> None:
    path = write(tmp_path, BUNDLE.replace("vector: [0.1", "vector: [jane@corp.example"))
    with pytest.raises(ConfigError) as caught:
        files.load(path)
    assert "jane" not in str(caught.value) + "".join(caught.value.problems)


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ("{columns: [a], rows: [[1, 2]]}", "row 1 has 2 values for 1 columns"),
        ("{columns: [a], origins: ['', '']}", "has 2 origins for 1 columns"),
        ("{ids: [1, 2], scores: [0.5]}", "has 1 scores for 2 ids"),
    ],
)
def test_an_expectation_that_does_not_fit_itself(tmp_path: Path, expect: str, problem: str) -> None:
    path = write(tmp_path, BUNDLE.replace("    parameters", f"    expect: {expect}\n    parameters"))
    with pytest.raises(ConfigError) as caught:
        files.load(path)
    assert f"{path}:9: steps[0].expect: {problem}" in caught.value.problems


def test_a_domain_must_name_a_parameter_or_setting(tmp_path: Path) -> None:
    good = BUNDLE.replace("    parameters", "    domains: {day: date, jit: person}\n    parameters")
    assert files.load(write(tmp_path, good))
    with pytest.raises(ConfigError, match="'dya' is neither a parameter nor a setting"):
        files.load(write(tmp_path, good.replace("{day: date", "{dya: date")))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 1\nversion: 1\n", ":2: the key 'version' is given twice"),
        ("a: [1\nb: 2\n", ":2: "),
        ("a: !!python/object/apply:os.system [ls]\n", ":1: the tag"),
        ("a: &x [1, *x]\n", ":1: *x repeats nothing"),
        ("a: &x [1]\nb: &y [*x, *x]\n", ":2: an alias inside"),
        ("a: &x " + "y" * 100_000 + "\nb: [" + ",".join(["*x"] * 90) + "]\n", ":2: aliases repeat more than 4 MB"),
        ("a: &x [" + "1," * 50_000 + "1]\nb: [" + ",".join(["*x"] * 90) + "]\n", ":2: aliases repeat more than"),
        ("---\na: 1\n---\nb: 1\n", ":3: a second document"),
        ("[" * 100_000, ":1: "),
        ("{" * 100_000, ":1: "),
        ("a: \x00\n", "character"),
        ("", "a bundle is a mapping"),
        ("- 1\n", "a bundle is a mapping"),
    ],
)
def test_broken_yaml(tmp_path: Path, text: str, problem: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        files.load(path)
    assert problem in caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"version": 1,\n "a": }', ":2: "),
        ('{"a": 1, "a": 2}', "the key 'a' is given twice"),
        ("[" * 100_000, "nested too deep"),
        ('{"a": ' + "[" * 65 + "]" * 65 + "}", "nested deeper than 64 levels"),
        ('{"version": ' + "9" * 5000 + "}", "too long"),
        ('{"version": 1,\n "incident": "1",\n "environment": "p",\n "steps": []}', ":4: steps: "),
    ],
)
def test_broken_json(tmp_path: Path, text: str, problem: str) -> None:
    path = write(tmp_path, text, "1234.json")
    with pytest.raises(ConfigError) as caught:
        files.load(path)
    assert problem in caught.value.problems[0]


def test_an_anchor_may_be_used_again(tmp_path: Path) -> None:
    text = BUNDLE.replace("vector: [0.1", "vector: &v [0.1") + (
        "  - {id: again, store: kb, kind: vector, collection: b, vector: *v}\n"
    )
    steps = files.load(write(tmp_path, text)).steps
    assert isinstance(steps[1], VectorStep) and isinstance(steps[2], VectorStep)
    assert steps[2].vector == steps[1].vector


def test_size_encoding_and_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, BUNDLE)
    monkeypatch.setattr(files, "LIMIT", len(BUNDLE))
    assert files.load(path)
    monkeypatch.setattr(files, "LIMIT", len(BUNDLE) - 1)
    with pytest.raises(ConfigError, match="larger"):
        files.load(path)
    monkeypatch.undo()
    path.write_bytes(b"note: \xff\n")
    with pytest.raises(ConfigError, match="byte 6 is not UTF-8"):
        files.load(path)
    with pytest.raises(UsageError, match="cannot be read"):
        files.load(tmp_path / "none.yaml")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(
        ["off", "no", "1e5", "08", "0123", "0x1f", "1_000", "2024-05-01", "12:30", "~", "null", ".nan", "="]
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=12,
)


def exactly(value: Any) -> Any:
    """Equal only for the same values of the same types, -0.0 apart from 0.0."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value.hex())
    if isinstance(value, list):
        return [exactly(item) for item in value]
    if isinstance(value, dict):
        return [(key, exactly(item)) for key, item in value.items()]
    return (type(value).__name__, value)


@given(VALUES)
@settings(max_examples=400, deadline=None)
def test_yaml_gives_back_every_value_exactly(value: Any) -> None:
    assert exactly(parse(dump({"value": value}))) == exactly({"value": value})


@given(st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=4), st.sampled_from(["yaml", "json"]))
@settings(max_examples=100, deadline=None)
def test_a_bundle_comes_back_as_it_was_saved(tmp_path_factory: pytest.TempPathFactory, rows: Any, suffix: str) -> None:
    path = tmp_path_factory.mktemp("bundles") / f"1.{suffix}"
    step = SqlStep(
        id="a", store="main", sql="SELECT\n  1", expect=Expected(columns=("x", "y"), rows=tuple(map(tuple, rows)))
    )
    saved = incident(step)
    files.save(saved, path)
    loaded = files.load(path)
    assert canonical(loaded.model_dump()) == canonical(saved.model_dump())
    assert loaded.steps[0].expect is not None
    assert exactly([list(row) for row in loaded.steps[0].expect.rows]) == exactly(rows)


def test_the_yaml_is_made_for_reading(tmp_path: Path) -> None:
    path = tmp_path / "1234.yaml"
    sql = SqlStep(
        id="a", store="main", sql="SELECT 1\nFROM t\n", ordered=False, expect=Expected(columns=("x",), rows=((1,),))
    )
    search = VectorStep(id="b", store="kb", collection="c", vector=[0.1 + 0.2, 1e-07, -0.0])
    files.save(incident(sql, search), path)
    assert path.read_text() == (
        "version: 2\nincident: '1234'\nenvironment: prod\nmasked: null\nsteps:\n"
        "- id: a\n  kind: sql\n  store: main\n  sql: |\n    SELECT 1\n    FROM t\n  ordered: false\n"
        "  expect:\n    columns: [x]\n    rows:\n    - [1]\n"
        "- id: b\n  kind: vector\n  store: kb\n  collection: c\n  vector: [0.30000000000000004, 1.0e-07, -0.0]\n"
        "  limit: 10\n  with_payload: true\n"
    )


@pytest.mark.parametrize("name", ["1234.yaml", "1234.json"])
def test_saving_is_private_and_whole(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "old", name)
    path.chmod(0o644)
    bundle = incident(SqlStep(id="a", store="main", sql="SELECT 1"))
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
        files.save(bundle, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [name]
    files.save(bundle, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files.load(path) == bundle
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_json_is_json(tmp_path: Path) -> None:
    files.save(incident(SqlStep(id="a", store="main", sql="SELECT 1")), tmp_path / "1.json")
    assert json.loads((tmp_path / "1.json").read_text())["steps"][0]["sql"] == "SELECT 1"


def test_find(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds none"):
        files.find(tmp_path / "nowhere", "1234")
    for name in ("1234.yaml", "5.yml", "6.json", "7.txt", ".hidden.partial-1"):
        (tmp_path / name).touch()
    assert files.find(tmp_path, "1234").name == "1234.yaml"
    assert files.find(tmp_path, "5").name == "5.yml"
    assert files.find(tmp_path, "6").name == "6.json"
    with pytest.raises(UsageError, match="there are: 1234, 5, 6"):
        files.find(tmp_path, "7")
    with pytest.raises(UsageError, match="cannot be the id"):
        files.find(tmp_path, "../1234")
    (tmp_path / "6.yaml").touch()
    with pytest.raises(UsageError, match=r"several bundles: 6\.yaml, 6\.json"):
        files.find(tmp_path, "6")


def test_depth_is_bounded_not_the_stack() -> None:
    assert parse("[" * DEPTH + "]" * DEPTH) is not None
    with pytest.raises(Malformed):
        parse("[" * (DEPTH + 1) + "]" * (DEPTH + 1))


CHILD = """
import resource, sys
from pathlib import Path
from envclone.errors import EnvcloneError
from envclone.incidents import files
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    files.load(Path(sys.argv[1]))
    said = "loaded"
except EnvcloneError as exc:
    said = " ".join([str(exc), *exc.problems])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, said[:300])
"""
HEAD = '{"version": 2, "incident": "1", "environment": "p", "calls": '


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", HEAD + "[" + ",".join(["{}"] * 1_000_000) + "]}", "calls: more than 20,000"),
        ("a.json", HEAD + "[" + ",".join(["{}"] * 7_000_000) + "]}", "more than 6,000,000 values"),
        ("a.yaml", HEAD + "[" + ",".join(["{}"] * 100_000) + "]}", "calls: more than 20,000"),
        (
            "a.json",
            '{"version": 2, "incident": "1", "environment": "p", "steps": [{"id": "a", "kind": "vector", "store": "s",'
            ' "collection": "c", "vector": [' + ",".join(['"x"'] * 1_000_000) + "]}]}",
            "valid number",
        ),
    ],
    ids=["calls", "values", "yaml", "numbers"],
)
def test_memory_stays_small(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    environment = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / name)],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
    )
    memory, _, said = done.stdout.partition(" ")
    assert says in said and int(memory) < 300, (done.stdout, done.stderr[-500:])


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    call = Call(id="a", kind="llm", input=deep)
    with pytest.raises(UsageError, match="nested deeper"):
        files.save(Incident(incident="1", environment="p", calls=(call,)), tmp_path / "a.yaml")
    monkeypatch.setattr(files, "LIMIT", 50)
    with pytest.raises(UsageError, match="larger than"):
        files.save(Incident(incident="1", environment="p", calls=(Call(id="a", kind="llm"),)), tmp_path / "a.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "id"), [("77.json", "77"), ("a trace.json", "ID")])
@pytest.mark.parametrize("text", ['{"resourceSpans": []}', '[{"trace": 1}]'])
def test_a_trace_among_the_bundles_is_told_by_what_imports_it(tmp_path: Path, name: str, id: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        files.load(tmp_path / name)
    assert caught.value.hint is not None and caught.value.hint.endswith(f"envclone incident import {name} --id {id}")
    (tmp_path / name).write_text('{"incident": "77"}')
    with pytest.raises(ConfigError) as caught:
        files.load(tmp_path / name)
    assert "import" not in str(caught.value.hint)
