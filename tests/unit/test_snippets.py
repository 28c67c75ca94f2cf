"""Every snippet of the README and the docs is run, or stands here with the reason why a test cannot run it."""

from __future__ import annotations

import configparser
import datetime as dt
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest.mock import create_autospec

import click
import pytest
import yaml
from pglast import parse_sql

import envclone
from envclone import api, process, remote
from envclone.cli.main import cli
from envclone.config.load import load
from envclone.hooks.hookset import HookSet
from envclone.hooks.worker import Worker
from tests.support.postgres import scratch

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_STACK = "version: 1\nproject: acme\n"
_STORES = "environments: {prod: {stores: {main: {kind: postgres, source: {method: physical, dsn: x}}, "
_STORES += "kb: {kind: qdrant, source: {method: directory, path: /srv/kb}}}}}\n"


def _snippets() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for _, text in _FENCE.findall(page.read_text(encoding="utf-8")):
            yield page.name, text


SNIPPETS = list(_snippets())


def _find(page: str, words: str) -> str:
    (text,) = [text for name, text in SNIPPETS if name == page and words in text]
    return text


def _whole(tmp_path: Path, text: str) -> None:
    (tmp_path / "envclone.yaml").write_text(text, encoding="utf-8")
    load(tmp_path / "envclone.yaml", {"PROD_PG_DSN": "host=x"})


def _part(tmp_path: Path, text: str) -> None:
    """A part of a stack file, at the top or below `sanitize`."""
    (key,) = yaml.safe_load(text)
    if key in ("references", "rules"):
        text = "sanitize:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    _whole(tmp_path, _STACK + ("" if key == "environments" else _STORES) + text)


def _rights(text: str) -> None:
    """The role has what branches take of an API, and nothing else."""
    from envclone.runtimes.kubernetes.health import RIGHTS
    from envclone.runtimes.kubernetes.kinds import KINDS

    given = {
        (verb, group, resource)
        for rule in yaml.safe_load(text)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    wanted = {
        (verb, KINDS[kind].group, f"{KINDS[kind].plural}/{part}" if part else KINDS[kind].plural)
        for verb, kind, part in RIGHTS
    }
    assert given == wanted


def _answered(tmp_path: Path, text: str) -> None:
    """The page is asked, and its headers are those that the docs show."""
    from tests.support.served import served

    command, *lines = text.splitlines()
    with served() as here:
        path = re.fullmatch(r"\$ curl -si http://[^/]+(/\S*)", command)
        assert path is not None
        found = here.client.get(path[1])
    shown = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == "HTTP/1.1 200 OK" and found.status_code == 200
    assert {name: found.headers[name] for name in shown} == shown


def _bundle(tmp_path: Path, text: str) -> None:
    from envclone.incidents import files

    (tmp_path / "1.yaml").write_text(text, encoding="utf-8")
    assert files.load(tmp_path / "1.yaml").steps


def _imported(tmp_path: Path, text: str) -> None:
    """Each line is one that the import of a trace says."""
    from click.testing import CliRunner

    from envclone.cli.main import cli

    _whole(tmp_path, _STACK + _STORES)
    trace = Path(__file__).parents[1] / "data" / "traces" / "vercel-aisdk-2025-11-17.trace.json"
    said = CliRunner().invoke(cli, ["incident", "import", str(trace), "--id", "traced"]).output.splitlines()
    assert set(text.splitlines()) <= set(said), said


def _alarm(tmp_path: Path, text: str) -> None:
    """A figure that an expression of Prometheus names is one that is written."""
    from envclone.pages.metrics import metrics
    from envclone.pool.kept import Kept

    now = dt.datetime.now(dt.UTC)
    (name,) = re.findall(r"envclone_\w+", text)
    assert f"\n{name}{{" in metrics([Kept("acme", "prod", state_of=now)], now, 0)


def _commands(tmp_path: Path, text: str) -> None:
    """Each line that is a command of ours can be typed: its words are parsed, and nothing is run."""
    lines = [line.removeprefix("$ ") for line in text.splitlines() if re.match(r"(\$ )?envclone |\$ make ", line)]
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
        else:
            parse(words[1:])


def parse(words: list[str]) -> None:
    """Raises click's error when a command line cannot be meant."""
    group, context = cli, cli.make_context("envclone", list(words))
    while True:
        name, command, rest = group.resolve_command(context, [*getattr(context, "_protected_args", []), *context.args])
        assert command is not None
        context = command.make_context(name, rest, parent=context)
        if not isinstance(command, click.Group) or (command.invoke_without_command and not _rest(context)):
            return
        group = command


def _rest(context: click.Context) -> list[str]:
    return [*getattr(context, "_protected_args", []), *context.args]


def _remote(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of the client of a service."""
    team = create_autospec(remote.Remote, instance=True)
    team.__enter__.return_value = team
    monkeypatch.setattr(envclone, "connect", lambda url, token: team, raising=False)
    exec(compile(text, "snippet", "exec"), {"token": ""})
    assert team.branch.called and team.replay.called and team.remove.called


def _library(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and arguments are those of the library; what it returns is made up."""
    stack = create_autospec(api.Stack, instance=True)
    monkeypatch.setattr(envclone, "open", lambda path: stack)
    exec(compile(text, "snippet", "exec"), {})
    assert stack.branch.called and stack.replay.called and stack.remove.called


def _entry_point(tmp_path: Path, text: str) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert set(tomllib.loads(text)["project"]["entry-points"]) <= set(ours)


def _python_hook(tmp_path: Path, text: str) -> None:
    """The function under its file's name, beside the stack file that names it, makes what the page shows."""
    place = tmp_path / re.match(r"# (\S+)", text)[1]  # type: ignore[index]
    place.parent.mkdir()
    place.write_text(text, encoding="utf-8")
    (file,) = yaml.safe_load(_find("hooks.md", "hooks: [hooks/initials.py]"))["sanitize"]["hooks"]
    hooks = HookSet(tmp_path, [file], ["main"])
    try:
        (hook,) = hooks.hooks
        assert (hook.name, hook.writes) == ("initials", "public.people.initials")
        hooks.mask_values = lambda domain, values: ["Lena Klein" for _ in values]
        assert hooks.call(hook, {"name": ["Jo Quick", None]}) == ["LK", None]
    finally:
        hooks.close()


def _judge(tmp_path: Path, text: str) -> None:
    """The function says yes and no, as a pinned incident's answers are judged."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "judge.py").write_text(text, encoding="utf-8")
    worker = Worker(tmp_path, "hooks/judge.py", lambda domain, values: list(values))
    try:
        for answer, right in (("within 14 days", True), ("within 30 days", False)):
            asked = {"answer": [answer], "recorded": [""], "step": ["ask"], "incident": ["1234"]}
            assert worker.call("right", asked) == [right]
    finally:
        worker.close()


def _plugged(tmp_path: Path, text: str) -> None:
    """pytest collects it: fixtures and marker are the plugin's."""
    (tmp_path / "test_refunds.py").write_text(text, encoding="utf-8")
    plugged = ("-p", "no:envclone", "-p", "envclone.testing.plugin", "-p", "no:cacheprovider", "--strict-markers")
    done = process.run(
        [sys.executable, "-m", "pytest", "-q", "--setup-plan", *plugged, "."],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert "envclone_incident" in done.stdout


def _sql_hook(tmp_path: Path, text: str) -> None:
    (tmp_path / "label.sql").write_text(text)
    (file,) = HookSet(tmp_path, ["label.sql"], ["main"]).sql
    assert (file.stage, file.store) == ("after", "main")


def _program_hook(tmp_path: Path, text: str) -> None:
    """A program that says what the page shows is asked what the page shows."""
    said = [line[2:] for line in text.splitlines() if line.startswith("→ ")]
    (asked,) = [line[2:] for line in text.splitlines() if line.startswith("← ")]
    program = tmp_path / "coarse"
    program.write_text(f"#!/bin/sh\necho '{said[0]}'\nread line\n[ \"$line\" = '{asked}' ] && echo '{said[1]}'\n")
    program.chmod(0o755)
    hooks = HookSet(tmp_path, ["coarse"], ["main"])
    try:
        (hook,) = hooks.hooks
        assert hooks.call(hook, json.loads(asked)["batch"]) == json.loads(said[1])["values"]
    finally:
        hooks.close()


def _cron(tmp_path: Path, text: str) -> None:
    parse(shlex.split(text.partition(" envclone ")[2].partition(" >>")[0]))


def _sql(tmp_path: Path, text: str) -> None:
    """PostgreSQL's own grammar takes it."""
    assert parse_sql(text)


def _fields(text: str, count: int) -> None:
    """Each line that is no remark has so many fields."""
    assert {len(line.split()) for line in text.splitlines() if not line.startswith("#")} == {count}


def _unit(tmp_path: Path, text: str) -> None:
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    if unit.has_option("Service", "ExecStart"):
        parse(shlex.split(unit["Service"]["ExecStart"])[1:])


def _layers(tmp_path: Path, text: str) -> None:
    """A verdict per layer, in their order and in words that a report has."""
    from envclone.incidents.verdicts import LAYERS

    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    assert tuple(layer for layer, _ in lines) == LAYERS
    assert all(re.match("match$|within noise: |diverged at |cannot tell: ", words) for _, words in lines)


def _recorder(tmp_path: Path, text: str) -> None:
    """It records into a directory of the test's, and wraps an application."""
    from envclone import record

    where = str(tmp_path / "recordings")
    names: dict[str, object] = {"record": record, "directory": where, "app": lambda *_: None}
    try:
        exec(text.replace("/var/lib/shop/recordings", where), names)
        assert record.status()["recording"] and callable(names["app"])
    finally:
        record.stop()


def _client(text: str) -> None:
    """A client's configuration, whose command can be typed."""
    (server,) = json.loads(text)["mcpServers"].values()
    assert server["args"][:3] == ["-m", "envclone", "--file"]
    parse(server["args"][4:])


RUN: Mapping[tuple[str, str], Callable[..., None]] = {
    ("README.md", "$ make demo"): _commands,
    ("README.md", "# envclone.yaml"): _whole,
    ("README.md", "$ envclone branch prod --incident 1234"): _commands,
    ("README.md", "import envclone"): _library,
    ("README.md", "[project.entry-points"): _entry_point,
    ("diagnosis.md", "$ envclone diagnose 1234"): _commands,  # what they do: tests/integration/test_diagnose.py
    ("first-hour.md", "$ export PROD_PG_DSN"): _commands,  # what they print: tests/first_hour
    ("hooks.md", "# hooks/initials.py"): _python_hook,
    ("hooks.md", "# envclone.yaml"): lambda tmp_path, text: _part(tmp_path, text.partition("\n")[2]),
    ("hooks.md", "-- stage: after"): _sql_hook,
    ("hooks.md", '→ {"hooks"'): _program_hook,
    ("incidents.md", "envclone incident new"): _commands,
    ("incidents.md", "envclone incident import"): _commands,
    ("incidents.md", "4 calls of a trace"): _imported,
    ("incidents.md", "envclone report 1234"): _commands,
    ("incidents.md", "version: 2"): _bundle,
    ("incidents.md", "environments:"): _part,
    ("incidents.md", "envclone replay 1234 --set"): _commands,
    ("incidents.md", "envclone diff"): _commands,
    ("incidents.md", "  state "): _layers,
    ("kubernetes.md", "$ envclone manifests"): _commands,  # what they write: tests/unit/manifests
    ("mcp.md", "envclone mcp"): _commands,
    ("mcp.md", "{"): lambda tmp_path, text: _client(text),
    ("operations.md", "$ envclone pool create"): _commands,
    ("operations.md", "*/10 * * * *"): _cron,
    ("kubernetes.md", "environments:"): _part,
    ("kubernetes.md", "apiVersion: rbac"): lambda _, text: _rights(text),
    ("operations.md", "environments:"): _part,
    ("operations.md", "time() - "): _alarm,
    ("operations.md", "["): _unit,
    ("preview.md", "environments:"): _part,
    ("production.md", "$ envclone branch"): _commands,
    ("production.md", "environments:"): _part,
    ("production.md", "CREATE ROLE"): _sql,
    ("production.md", '{"Version"'): lambda tmp_path, text: json.loads(text)["Statement"],
    ("production.md", "# pg_hba.conf"): lambda tmp_path, text: _fields(text, 5),
    ("recorder.md", "from envclone import record"): _recorder,
    ("recorder.md", "record.start(directory, keep="): _recorder,
    ("recorder.md", "record.start(directory, explain="): _recorder,
    ("recorder.md", "envclone incident recordings"): _commands,
    ("incidents.md", "envclone pin"): _commands,  # what they do: tests/integration/test_cases.py
    ("regress.md", "envclone pin"): _commands,  # what they do: tests/integration/test_cases.py
    ("regress.md", "# hooks/judge.py"): _judge,
    ("regress.md", "# test_refunds.py"): _plugged,
    ("sanitization.md", ""): _part,
    ("serve.md", "envclone serve"): _commands,
    ("serve.md", "[Unit]"): _unit,
    ("serve.md", "export ENVCLONE_SERVER"): _commands,
    ("serve.md", "import envclone"): _remote,
    ("serve.md", "$ curl -si"): _answered,
    ("stack-file.md", "# envclone.yaml"): _whole,
    ("tracking.md", "environments:"): _part,
    ("tracking.md", "$ envclone track prod"): _commands,  # what they do: tests/integration/test_track.py
}
"""How each snippet is run, by its page and how it begins."""
NOT_RUN = {
    ("serve.md", "branch  state"): "a table of the page as text; tests/integration/serve reads the page itself",
    ("architecture.md", "stack file → snapshot"): "a picture of the stages, and no command",
    ("kubernetes.md", "FROM python"): "an image is built with a registry, which tests have none of",
}
"""What no test runs, and why."""


@pytest.mark.parametrize(("page", "text"), SNIPPETS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(SNIPPETS)])
def test_a_snippet_is_what_it_says(
    page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "incidents").mkdir()
    (tmp_path / "recordings").mkdir(mode=0o700)
    for name in ("incidents/1234.yaml", "trace.json", "postgresql.log", "1234.case"):
        (tmp_path / name).write_text("")  # what a command names has to be there
    if any(page == name and text.startswith(begins) for name, begins in NOT_RUN):
        return
    runs = [run for (name, begins), run in RUN.items() if page == name and text.startswith(begins)]
    assert runs, f"{page}: no test runs the snippet that begins with {text.splitlines()[0]!r}; say how, or why not"
    if runs[0] in (_python_hook, _program_hook, _judge):
        with scratch() as place:  # hooks run as another account, which cannot see into a directory of pytest's
            place.chmod(0o755)
            runs[0](place, text)
    elif runs[0] in (_library, _remote):
        runs[0](tmp_path, text, monkeypatch)
    else:
        runs[0](tmp_path, text)


def test_each_way_to_run_one_has_a_snippet() -> None:
    for page, begins in (*RUN, *NOT_RUN):
        assert any(name == page and text.startswith(begins) for name, text in SNIPPETS), (page, begins)


def test_commands_in_the_text_can_be_typed() -> None:
    """Lines with a prompt outside of fences, and those of a remark in the README's table of commands."""
    found = 0
    for page in PAGES:
        rest = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for line in re.findall(r"^ +\$ envclone (.*)$", rest, re.MULTILINE):
            parse(shlex.split(line, comments=True))
            found += 1
    assert found


def test_a_wrong_command_is_seen() -> None:
    for wrong in ("brnch prod", "branch prod --no-such", "branch", "incident record", "gc now"):
        with pytest.raises(click.ClickException):
            parse(shlex.split(wrong))
