"""The plugin for pytest: what it gives a test, what it refuses, and that a run that uses none of it is as it was."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
LOADED = ("-p", "no:envclone", "-p", "envclone.testing.plugin", "-p", "no:cacheprovider")
"""As if it were installed, whether or not this environment has its entry point."""
ROOT = Path(__file__).parents[3]


def _run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*LOADED, "--strict-markers", "--strict-config", "-W", "error", *words)


def test_a_run_that_uses_none_of_it_loads_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            heavy = ("envclone.api", "envclone.project", "envclone.testing.handles", "pydantic", "psycopg", "click")
            assert [name for name in heavy if name in sys.modules] == []
            assert len([name for name in sys.modules if name.startswith("envclone")]) <= 3
        """
    )
    done = _run(pytester, "-p", "no:langsmith_plugin")  # a plugin of a library's that loads much itself
    done.assert_outcomes(passed=1)


def test_its_entry_point_is_that_of_pytest() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert points["pytest11"] == {"envclone": "envclone.testing.plugin"}


def test_what_it_offers_is_shown(pytester: pytest.Pytester) -> None:
    done = _run(pytester, "--markers")
    done.stdout.fnmatch_lines(["@pytest.mark.envclone(environment=*"])
    done = _run(pytester, "--fixtures")
    done.stdout.fnmatch_lines(["envclone_branch -- *", "*A running branch*", "envclone_incident -- *"])


FAKE = '''
import contextlib, json, pytest
from types import SimpleNamespace

EVENTS = []

class Stack:
    """Writes down what is asked of it."""

    @contextlib.contextmanager
    def temporary(self, **wanted):
        name = f"b{sum(one[0] == 'made' for one in EVENTS)}"
        EVENTS.append(("made", name, wanted))
        endpoint = SimpleNamespace(kind="postgres", host="127.0.0.1", port=5, user="u", password=None, database="app",
                                   path=None)
        try:
            yield SimpleNamespace(name=name, endpoints={"main": endpoint})
        finally:
            EVENTS.append(("removed", name))

    def reset(self, name):
        EVENTS.append(("reset", name))
        return SimpleNamespace(name=name, endpoints={})

    def examine(self, incident, branch):
        if incident == "gone":
            return SimpleNamespace(case=incident, reasons=("its image is gone",)), None
        from envclone.models import StepResult
        result = StepResult(("id", "body"), ("", ""), ((3, "x"), (4, "y")))
        step = SimpleNamespace(step="s", reasons=("id 3: missing",))
        outcome = SimpleNamespace(case=incident, status="broken", passed=False, reasons=("s: 9 is not among them",))
        return outcome, SimpleNamespace(results={"s": result}, reproduced=False, steps=(step,))

@pytest.fixture(scope="session")
def envclone_stack():
    yield Stack()
    with open("events.json", "w") as file:
        json.dump(EVENTS, file)
'''


def _events(pytester: pytest.Pytester) -> list[list[object]]:
    found: list[list[object]] = json.loads((pytester.path / "events.json").read_text())
    return found


def test_isolations(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FAKE)
    for name in ("a", "b"):
        pytester.makepyfile(
            **{
                f"test_{name}": """
        import pytest

        def test_fresh(envclone_branch):
            assert envclone_branch.dsn == "postgresql://u:***@127.0.0.1:5/app"

        def test_fresh_again(envclone_branch):
            assert envclone_branch.environ["DATABASE_URL"] == envclone_branch.dsn

        @pytest.mark.envclone(isolation="module")
        def test_shared(envclone_branch): ...

        @pytest.mark.envclone(isolation="module")
        def test_shared_again(envclone_branch): ...

        @pytest.mark.envclone(isolation="reset", environment="prod")
        class TestReset:
            def test_one(self, envclone_branch): ...
            @pytest.mark.envclone(environment="stage")
            def test_other(self, envclone_branch): ...
            def test_two(self, envclone_branch): ...

        @pytest.fixture(scope="module")
        def filled(envclone_module_branch):
            return envclone_module_branch.name

        def test_module_fixture(filled): ...
        def test_module_fixture_again(filled): ...
        """
            }
        )
    _run(pytester).assert_outcomes(passed=18)
    events = _events(pytester)
    made = [one for one in events if one[0] == "made"]
    assert len(made) == 2 * (2 + 1 + 1) + 2, "fresh twice, module, module fixture for each file; reset once for the run"
    assert sum(one[0] == "reset" for one in events) == 4
    assert sorted(str(one[1]) for one in events if one[0] == "removed") == sorted(str(one[1]) for one in made)
    assert [one[2] for one in made].count({"environment": "prod"}) == 1


def test_an_incident(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FAKE)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.envclone(incident="1234")
        def test_looks(envclone_incident):
            assert envclone_incident.ids("s") == [3, 4] and envclone_incident.rows("s")[0] == {"id": 3, "body": "x"}
            assert not envclone_incident.fixed and not envclone_incident.reproduced

        @pytest.mark.envclone(incident="1234")
        def test_fixed(envclone_incident):
            envclone_incident.assert_fixed()

        @pytest.mark.envclone(incident="1234")
        def test_reproduced(envclone_incident):
            envclone_incident.assert_reproduced()

        @pytest.mark.envclone(incident="gone")
        def test_gone(envclone_incident): ...
        """
    )
    done = _run(pytester)
    done.assert_outcomes(passed=1, failed=2, errors=1)
    done.stdout.fnmatch_lines_random([
        "*AssertionError: incident 1234: it is broken*", "*s: 9 is not among them*", "*it is not reproduced*",
        "*s: id 3: missing*", "*incident gone cannot run: its image is gone*",
    ])  # fmt: skip
    events = _events(pytester)
    assert [one[2] for one in events if one[0] == "made"] == [{"incident": "1234"}] * 3 + [{"incident": "gone"}]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ('"prod"', "no positional arguments"),
        ('incidnet="1"', "takes no 'incidnet'"),
        ('isolation="none"', "isolation is one of fresh, reset, module, not 'none'"),
        ('environment="prod"', "needs @pytest.mark.envclone(incident=*)"),
    ],
)
def test_a_marker_that_cannot_be_meant(pytester: pytest.Pytester, mark: str, said: str) -> None:
    pytester.makeconftest(FAKE)
    pytester.makepyfile(
        f"import pytest\n\n@pytest.mark.envclone({mark})\ndef test_it(envclone_incident): ...\n",
    )
    done = _run(pytester)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*{said.replace('[', '[[]')}*"])
