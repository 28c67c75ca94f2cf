"""The templates of CI services: of the form that the service takes, and of commands that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from envclone import process
from envclone.ci import SERVICES, template
from envclone.cli.main import cli
from tests.unit.test_snippets import parse


def _loaded(service: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(template(service))
    return document


def _scripts(service: str) -> list[str]:
    document = _loaded(service)
    if service == "github":
        return [step["run"] for step in document["runs"]["steps"] if "run" in step]
    return [line for job in document.values() for key in ("before_script", "script") for line in job.get(key, ())]


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_printed(service: str) -> None:
    assert CliRunner().invoke(cli, ["ci", service]).output == template(service)


def test_the_action_is_a_composite_one() -> None:
    action = _loaded("github")
    assert set(action) == {"name", "description", "inputs", "outputs", "runs"}
    assert action["runs"]["using"] == "composite"
    for step in action["runs"]["steps"]:
        assert ("run" in step) != ("uses" in step) and step.get("shell", "bash") == "bash" and step["name"]
        assert "${{" not in step.get("run", ""), "what a caller gives is data, and no part of a script"
    for one in action["inputs"].values():
        assert set(one) == {"description", "required", "default"} and isinstance(one["default"], str)
    used = set(re.findall(r"inputs\.([a-z-]+)", template("github")))
    assert used == set(action["inputs"])


def test_the_template_is_of_jobs() -> None:
    document = _loaded("gitlab")
    hidden = document.pop(".envclone")
    assert set(hidden) == {"image", "stage", "variables", "before_script"}
    for job in document.values():
        assert job["extends"] == ".envclone" and all(isinstance(line, str) for line in job["script"])
    report = document["envclone-regress"]["artifacts"]
    assert report["when"] == "always" and report["reports"]["junit"] in document["envclone-regress"]["script"][-1]


@pytest.mark.parametrize("service", SERVICES)
def test_its_scripts_are_right(service: str) -> None:
    found = 0
    for script in _scripts(service):
        process.run(["bash", "-n", "-c", script])
        for line in re.findall(r"envclone (?:scan|case|regress) .*", script):
            plain = re.sub(r"\$\{[A-Z_]+:\+(--trust) \"\$[A-Z_]+\"\}", r"\1 x", line)
            plain = re.sub(r'"?\$\{[A-Za-z_]+[^}]*\}"?', "", plain).replace('"$archive"', "/dev/null")
            parse(shlex.split(re.sub(r'"\$[A-Z_]+"', "1", plain))[1:])
            found += 1
    assert found == 3


STAND_IN = """\
#!/bin/sh
printf '%s|' "$@" >> "$LOG"; echo >> "$LOG"
[ "$1" != "$FAILS" ] || exit "${CODE:-5}"
"""
GIVEN = {
    "github": {"PACKAGE": "x", "ENVIRONMENT": "prod", "ARCHIVES": "*.case", "TRUST": "4f0c", "CASES": "1 two",
               "REPEAT": "3"},
    "gitlab": {"ENVCLONE_PACKAGE": "x", "ENVCLONE_ENVIRONMENT": "prod", "ENVCLONE_CASES_FROM": "*.case",
               "ENVCLONE_TRUST": "4f0c", "ENVCLONE_CASES": "1 two", "ENVCLONE_REPEAT": "3"},
}  # fmt: skip


def _run(service: str, folder: Path, **env: str) -> tuple[list[list[str]], int]:
    """What the scripts of a service call, in order, as its runner starts them; the exit code of one that fails."""
    for name in ("envclone", "python"):
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(STAND_IN)
        program.chmod(0o755)
    log = folder / "log"
    log.write_text("")
    given = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "LOG": str(log), "FAILS": "", **GIVEN[service], **env}
    code = 0
    for script in _scripts(service):
        done = process.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], env=given, cwd=folder,
                           check=False)  # fmt: skip
        if code := done.returncode:
            break
    return [line.split("|")[:-1] for line in log.read_text().splitlines()], code


@pytest.mark.parametrize("service", SERVICES)
def test_its_scripts_do_what_they_should(service: str, tmp_path: Path) -> None:
    for name in ("a.case", "b c.case") if service == "github" else ("a.case", "b.case"):
        (tmp_path / name).touch()
    install, *calls = _run(service, tmp_path)[0]
    assert install[:3] == ["-m", "pip", "install"] and install[-1] == "x"
    taken = sorted(path.name for path in tmp_path.glob("*.case"))
    assert calls == [
        ["scan", "prod", "--check"],
        *(["case", "import", name, "--trust", "4f0c"] for name in taken),
        ["regress", "1", "two", "--repeat", "3", "--junit", "envclone-junit.xml"],
    ]
    for fails, code in (("scan", "4"), ("case", "4"), ("regress", "5")):
        assert _run(service, tmp_path, FAILS=fails, CODE=code)[1] == int(code), "the job fails"
    bare = {name: "" for name in GIVEN[service] if name.endswith(("CASES", "TRUST", "FROM", "ARCHIVES"))}
    assert _run(service, tmp_path, **bare)[0][2:] == [["regress", "--repeat", "3", "--junit", "envclone-junit.xml"]]
    hostile = "$(touch taken); touch taken"
    _run(service, tmp_path, **dict.fromkeys(GIVEN[service], hostile))
    assert not (tmp_path / "taken").exists(), "what a caller gives is no part of a script"
