"""A case's verdict of its repetitions, and branches that go whatever happens; replays are made up."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envclone.cases import files
from envclone.cases.case import Case, Contains, Pinned
from envclone.cases.evaluate import Tools
from envclone.cases.outcome import CaseOutcome, Outcome, Status, lines
from envclone.errors import UnreachableError
from envclone.incidents.bundle import Expected, HttpStep, Incident, SqlStep
from envclone.incidents.compare import verdict
from envclone.lifecycle import regress
from envclone.models import StepResult

PINNED = Pinned(at=dt.datetime.now(dt.UTC), image="img-1", attestation="a", key="k1", rules="r",
                state_of=dt.datetime.now(dt.UTC))  # fmt: skip
STEP = SqlStep(id="s", store="main", sql="SELECT 1", expect=Expected(columns=("a",), rows=(("wrong",),)))
BUNDLE = Incident(incident="1", environment="prod", masked="k1", steps=(STEP,))
TOOLS = Tools(lambda program, text: [], lambda hook, answer: True)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | Exception]]:
    """What the replays give, one after the other."""
    queue: list[str | Exception] = []

    def replay(project: Any, ident: str, branch: Any, *, bundle: Incident, variation: Any) -> Any:
        answer = queue.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return verdict(bundle, {"s": StepResult(("a",), ("",), ((answer,),), seconds=len(queue) + 1)})

    monkeypatch.setattr(regress, "replay", replay)
    monkeypatch.setattr(regress, "lent", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(regress, "holds", lambda *_: {"key": "as pinned", "image": "gone: img-1 is not in this pool"})
    yield queue
    assert not queue


def _judged(repeat: int, wants: str = "fixed", fixed: Sequence[Any] = (Contains(text="right"),)) -> CaseOutcome:
    case = Case(case="1", environment="prod", wants=wants, fixed=tuple(fixed), pinned=PINNED)  # type: ignore[arg-type]
    kept = files.Kept(case, BUNDLE, Path())
    image: Any = SimpleNamespace(id="img-1", name="b", services=())
    project: Any = None
    return regress._judged(project, kept, BUNDLE, image, image, regress.Terms(repeat), TOOLS)


@pytest.mark.parametrize(
    ("given", "wants", "status", "passed"),
    [
        (["right"], "fixed", Status.FIXED, True),
        (["right"], "failing", Status.FIXED, True),
        (["wrong"], "fixed", Status.FAILING, False),
        (["wrong"], "failing", Status.FAILING, True),
        (["other"], "fixed", Status.BROKEN, False),
        (["other"], "failing", Status.BROKEN, False),
        (["right", "right", "other"], "fixed", Status.FLAKY, False),
        (["right", "wrong"], "failing", Status.FLAKY, False),
        ([UnreachableError("away", hint="look\nthere")], "fixed", Status.CANNOT, False),
    ],
)
def test_the_verdict(answers: list[Any], given: list[Any], wants: str, status: Status, passed: bool) -> None:
    answers += given
    found = _judged(len(given), wants)
    assert (found.status, found.passed) == (status, passed)
    assert sum(found.runs.values()) in (0, len(given))


def test_noise_is_measured(answers: list[Any]) -> None:
    answers += ["right", "wrong", "right", "right"]
    found = _judged(4)
    assert found.runs == {"fixed": 3, "still failing": 1}
    assert found.reasons[0] == "3 of 4 runs were fixed"
    assert found.seconds == (1.0, 4.0)
    said = lines(Outcome([found], 1.0))
    assert said[0] == "FAIL 1: flaky (3 × fixed, 1 × still failing)"
    assert "       image: gone: img-1 is not in this pool" in said and not any("key:" in line for line in said)


def test_without_a_meaning_of_fixed_a_change_is_broken(answers: list[Any]) -> None:
    answers += ["right"]
    assert _judged(1, "failing", ()).status is Status.BROKEN


def _outcome(status: Status, passed: bool) -> CaseOutcome:
    return CaseOutcome("1", status, "fixed", passed)


@pytest.mark.parametrize(
    ("cases", "code"),
    [
        ([_outcome(Status.FIXED, True)], 0),
        ([_outcome(Status.FIXED, True), _outcome(Status.CANNOT, False)], 6),
        ([_outcome(Status.BROKEN, False), _outcome(Status.CANNOT, False)], 5),
        ([_outcome(Status.FLAKY, False)], 5),
    ],
)
def test_the_gate(cases: list[CaseOutcome], code: int) -> None:
    assert Outcome(cases, 0).exit_code == code


def test_what_asks_a_service_has_a_branch_of_its_own() -> None:
    def kept(name: str, image: str, *, asks: bool = False) -> files.Kept:
        step = HttpStep(id="s", store="api", path="/") if asks else STEP
        case = Case(case=name, environment="prod", wants="failing",
                    pinned=PINNED.model_copy(update={"image": image}))  # fmt: skip
        return files.Kept(case, BUNDLE.model_copy(update={"steps": (step,)}), Path())

    some = [kept("a", "img-1"), kept("b", "img-2"), kept("c", "img-1"), kept("d", "img-1", asks=True)]
    groups = [[one.case.case for one in group] for group in regress._groups(some, None, False)]
    assert groups == [["a", "c"], ["b"], ["d"]]
    assert [[one.case.case for one in group] for group in regress._groups(some, "img-9", False)] == [
        ["a", "b", "c"], ["d"]
    ]  # fmt: skip


def test_one_new_image_is_made_for_all_branches_of_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    @contextlib.contextmanager
    def ready(project: Any, environment: str, *, fresh: bool) -> Iterator[Any]:
        assert fresh
        made.append(f"img-{environment}-{len(made)}")
        yield SimpleNamespace(id=made[-1])

    @contextlib.contextmanager
    def using(project: Any, ident: str) -> Iterator[Any]:
        yield SimpleNamespace(id=ident)

    monkeypatch.setattr(regress.images, "ready", ready)
    monkeypatch.setattr(regress.images, "using", using)
    target, project = regress.Against(fresh=True), None
    some = [Case(case="a", environment=name, wants="failing", pinned=PINNED) for name in ("prod", "prod", "stage")]
    with contextlib.ExitStack() as held:
        used = [regress._image(project, one, target, held).id for one in some]  # type: ignore[arg-type]
    assert used == ["img-prod-0", "img-prod-0", "img-stage-1"] and len(made) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, UnreachableError("away"), None])
def test_a_branch_goes_whatever_happens(monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    made: list[str] = []
    monkeypatch.setattr(regress.branching, "create", lambda project, image, name, **_: made.append(name))
    monkeypatch.setattr(regress, "remove", lambda project, name, force: made.remove(name))
    project: Any = None
    image: Any = None
    try:
        with regress.on_image(project, image, None):
            assert len(made) == 1
            if error is not None:
                raise error
    except (KeyboardInterrupt, UnreachableError):
        assert error is not None
    assert made == []
