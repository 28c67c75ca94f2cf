"""The plugin for pytest: branches and pinned incidents as fixtures.

Nothing of envclone is loaded before a test asks for one of them: a run that uses none of it is as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.testing.handles import BranchHandle, Replayed

__all__ = [
    "envclone_branch", "envclone_incident", "envclone_module_branch", "envclone_stack", "pytest_addoption",
    "pytest_configure",
]  # fmt: skip

_KNOWN = frozenset(("environment", "incident", "image", "isolation", "runtime"))
_ISOLATIONS = ("fresh", "reset", "module")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--envclone-file`, and the same as a setting."""
    group = parser.getgroup("envclone")
    group.addoption("--envclone-file", metavar="PATH", help="The stack file of the branches that tests ask for.")
    parser.addini("envclone_file", "The stack file of the branches that tests ask for.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "envclone(environment=, incident=, image=, isolation='fresh'|'reset'|'module', runtime=): "
        "the branch that envclone_branch makes, the pinned incident that envclone_incident replays.",
    )


@pytest.fixture(scope="session")
def envclone_stack(pytestconfig: pytest.Config) -> Stack:
    """The stack file and its pool: `--envclone-file`, the setting `envclone_file`, else the nearest envclone.yaml."""
    from envclone.api import open_stack

    named = pytestconfig.getoption("envclone_file") or pytestconfig.getini("envclone_file")
    return open_stack(pytestconfig.rootpath / str(named) if named else None)


@pytest.fixture(scope="session")
def _envclone_kept(envclone_stack: Stack) -> Iterator[_Kept]:
    kept = _Kept(envclone_stack)
    with kept.held:
        yield kept


@pytest.fixture
def envclone_branch(request: pytest.FixtureRequest, _envclone_kept: _Kept) -> Iterator[BranchHandle]:
    """A running branch: `psycopg.connect(envclone_branch.dsn)`.

    By the marker's `isolation`: `fresh` is a new one for each test, `reset` one that is put back before each test,
    `module` one that the tests of a module share as they leave it.
    """
    wanted = _wanted(request.node)
    isolation = wanted.pop("isolation", "fresh")
    if isolation == "fresh":
        with ExitStack() as held:
            yield _envclone_kept.new(held, wanted)
        return
    module = request.node.getparent(pytest.Module)
    owner = module.nodeid if isolation == "module" and module is not None else ""
    yield _envclone_kept.shared(owner, wanted, reset=isolation == "reset")


@pytest.fixture(scope="module")
def envclone_module_branch(request: pytest.FixtureRequest, _envclone_kept: _Kept) -> Iterator[BranchHandle]:
    """A branch for a module, for fixtures of that scope: by the marker in its `pytestmark`."""
    wanted = _wanted(request.node)
    wanted.pop("isolation", None)
    with ExitStack() as held:
        yield _envclone_kept.new(held, wanted)


@pytest.fixture
def envclone_incident(request: pytest.FixtureRequest, envclone_branch: BranchHandle, _envclone_kept: _Kept) -> Replayed:
    """The marker's pinned incident, replayed in the branch: `envclone_incident.assert_fixed()`."""
    from envclone.testing.handles import Replayed

    incident = _wanted(request.node).get("incident")
    if incident is None:
        raise pytest.UsageError("envclone_incident needs @pytest.mark.envclone(incident=…)")
    outcome, report = _envclone_kept.stack.examine(incident, envclone_branch.name)
    if report is None:
        pytest.fail(f"incident {incident} cannot run: {'; '.join(outcome.reasons)}", pytrace=False)
    return Replayed(outcome, report)


class _Kept:
    """The branches that live longer than a test."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.held = ExitStack()
        self._shared: dict[tuple[Any, ...], BranchHandle] = {}

    def new(self, held: ExitStack, wanted: dict[str, Any]) -> BranchHandle:
        from envclone.testing.handles import BranchHandle

        return BranchHandle(self.stack, held.enter_context(self.stack.temporary(**wanted)))

    def shared(self, owner: str, wanted: dict[str, Any], *, reset: bool) -> BranchHandle:
        key = (owner, reset, *sorted(wanted.items()))
        if key not in self._shared:
            self._shared[key] = self.new(self.held, wanted)
        elif reset:
            self._shared[key] = self._shared[key].reset()
        return self._shared[key]


def _wanted(node: Any) -> dict[str, Any]:
    """What the markers of a test, its class and its module say together; the nearest counts."""
    found: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("envclone"))):
        if mark.args or (unknown := mark.kwargs.keys() - _KNOWN):
            what = "no positional arguments" if mark.args else f"no '{min(unknown)}'"
            raise pytest.UsageError(f"the marker envclone takes {what}; it takes: {', '.join(sorted(_KNOWN))}")
        found |= mark.kwargs
    if found.get("isolation", "fresh") not in _ISOLATIONS:
        raise pytest.UsageError(f"isolation is one of {', '.join(_ISOLATIONS)}, not {found['isolation']!r}")
    return found
