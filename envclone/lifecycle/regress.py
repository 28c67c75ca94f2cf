"""All pinned cases replayed, each in a branch of its image or of another one, and judged; no branch is left."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from envclone.cases import files
from envclone.cases.case import Case
from envclone.cases.files import Kept
from envclone.cases.outcome import CaseOutcome, Outcome, Status
from envclone.errors import EnvcloneError, UsageError
from envclone.interrupts import deferred
from envclone.lifecycle import branch as branching
from envclone.lifecycle import images
from envclone.lifecycle.clock import shown
from envclone.lifecycle.holding import holds, require_bundle
from envclone.lifecycle.judging import tools
from envclone.lifecycle.lend import lent
from envclone.lifecycle.replay import replay
from envclone.lifecycle.teardown import remove
from envclone.models import Branch, Image
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.cases.evaluate import Tools
    from envclone.incidents.bundle import Incident
    from envclone.incidents.variation import Variation
    from envclone.incidents.verdicts import ReplayReport

__all__ = ["cannot", "judged_by", "on_image", "regress"]

TTL = dt.timedelta(hours=1)
"""What is left of a killed run is collected after that."""


@dataclass(frozen=True, slots=True)
class Against:
    """What cases are replayed on, when it is not their own image."""

    image: str | None = None
    fresh: bool = False
    made: dict[str, str] = field(default_factory=dict)
    """The new image of each environment: one is made, however many branches there are."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How each case is replayed: how often, where, and with what other than when it was pinned."""

    repeat: int = 1
    runtime: str | None = None
    variation: Variation | None = None


def regress(
    project: Project,
    wanted: Sequence[str] = (),
    *,
    environment: str | None = None,
    against: str | None = None,
    fresh: bool = False,
    repeat: int = 1,
    runtime: str | None = None,
    variation: Variation | None = None,
    told: Callable[[CaseOutcome], None] = lambda outcome: None,
) -> Outcome:
    """Replay cases, by default all of them, `repeat` times each; a case that cannot run is an outcome, not an error.

    `against` is an image to replay them on, `fresh` a new one of production as it is now; else each has its own. Cases
    that only read share a branch. `variation` is what is other than when they were pinned: a model, a setting.
    Raises UsageError when there is no case.
    """
    began = time.monotonic()
    folder = project.loaded.stack.cases
    names = list(dict.fromkeys(wanted)) or files.names(folder)
    for name in wanted:
        files.find(folder, name)
    done: dict[str, CaseOutcome] = {}
    kept: list[Kept] = []
    for name in names:
        try:
            one = files.load(folder, name)
        except EnvcloneError as exc:
            done[name] = cannot(name, exc)
            continue
        if environment in (None, one.case.environment):
            kept.append(one)
    if not kept and not done:
        raise UsageError(
            f"there is no case in {folder}" + (f" of '{environment}'" if environment else ""),
            hint="keep an incident as one: envclone pin INCIDENT --expect …",
        )
    with tools(project) as judged:
        target = Against(against, fresh)
        for group in _groups(kept, against, fresh):
            for outcome in _group(project, group, target, Terms(repeat, runtime, variation), judged):
                done[outcome.case] = outcome
                told(outcome)
    found = Outcome([done[name] for name in names if name in done], time.monotonic() - began, repeat)
    project.log("regress", {"cases": len(found.cases), "exit code": found.exit_code})
    return found


def _groups(kept: Sequence[Kept], against: str | None, fresh: bool) -> list[list[Kept]]:
    """Cases that share a branch: those of one image that only read. What asks a service may write there."""
    found: dict[tuple[str, str], list[Kept]] = {}
    for one in kept:
        base = one.case.environment if fresh or against else one.case.pinned.image
        found.setdefault((base, one.case.case if _writes(one.bundle) else ""), []).append(one)
    return list(found.values())


def _writes(bundle: Incident) -> bool:
    return any(step.kind == "http" for step in bundle.steps)


def _group(
    project: Project, group: Sequence[Kept], against: Against, terms: Terms, judged: Tools
) -> Iterator[CaseOutcome]:
    """The outcomes of cases that share a branch."""
    waiting = list(group)
    try:
        with ExitStack() as held:
            image = _image(project, group[0].case, against, held)
            ready: list[tuple[Kept, Incident]] = []
            for one in group:
                try:
                    ready.append((one, require_bundle(project, one, image)))
                except EnvcloneError as exc:
                    waiting.remove(one)
                    yield cannot(one.case.case, exc, one.case, holds(project, one, image, None))
            if not ready:
                return
            branch = held.enter_context(on_image(project, image, terms.runtime))
            for one, bundle in ready:
                project.tell(f"replaying {one.case.case}")
                outcome = _judged(project, one, bundle, branch, image, terms, judged)
                waiting.remove(one)
                yield outcome
    except EnvcloneError as exc:
        for one in waiting:
            yield cannot(one.case.case, exc, one.case, holds(project, one, None, None))


def _image(project: Project, case: Case, against: Against, held: ExitStack) -> Image:
    if against.fresh and case.environment not in against.made:
        image = held.enter_context(images.ready(project, case.environment, fresh=True))
        against.made[case.environment] = image.id
        return image
    chosen = against.made.get(case.environment) or against.image or case.pinned.image
    try:
        return held.enter_context(images.using(project, chosen))
    except UsageError as exc:
        if against.image or against.fresh:
            raise
        raise UsageError(
            f"its image {case.pinned.image} is not in this pool",
            hint=f"envclone case import FILE, or pin it again: envclone pin {case.case} --again",
        ) from exc


@contextmanager
def on_image(project: Project, image: Image, runtime: str | None) -> Iterator[Branch]:
    """A branch of an image as long as the context, whatever happens in it."""
    name = f"regress-{secrets.token_hex(4)}"
    try:
        yield branching.create(project, image, name, ttl=TTL, runtime=runtime)
    finally:
        with deferred():
            remove(project, name, force=True)


def _judged(
    project: Project, one: Kept, bundle: Incident, branch: Branch, image: Image, terms: Terms, judged: Tools
) -> CaseOutcome:
    """A case replayed so often, and what it is by that."""
    try:
        with lent(project, branch.name, terms.variation, shown(project, branch, one.case.case, bundle)):
            reports = [
                replay(project, one.case.case, branch, bundle=bundle, variation=terms.variation)
                for _ in range(max(1, terms.repeat))
            ]
        found = judged_by(one, bundle, reports, judged)
    except EnvcloneError as exc:
        return cannot(one.case.case, exc, one.case, holds(project, one, image, branch))
    return replace(found, holds=holds(project, one, image, branch), image=image.id)


def judged_by(one: Kept, bundle: Incident, reports: Sequence[ReplayReport], judged: Tools) -> CaseOutcome:
    """What a case is by its replays. Raises what a judge raises."""
    found = [_status(one.case, bundle, report, judged) for report in reports]
    seconds = [report.seconds for report in reports]
    counted = Counter(str(status) for status, _ in found)
    reasons = tuple(dict.fromkeys(reason for _, some in found for reason in some))
    status = found[0][0] if len(counted) == 1 else Status.FLAKY
    if len(counted) > 1:
        most, count = counted.most_common(1)[0]
        reasons = (f"{count} of {len(found)} runs were {most}", *reasons)
    return CaseOutcome(
        one.case.case,
        status,
        one.case.wants,
        status is Status.FIXED or (status is Status.FAILING and one.case.wants == "failing"),
        () if status is Status.FIXED else reasons,
        dict(counted),
        seconds=(round(min(seconds), 6), round(max(seconds), 6)),
    )


def _status(case: Case, bundle: Incident, report: ReplayReport, judged: Tools) -> tuple[Status, tuple[str, ...]]:
    """What one replay says: fixed when all that is asked for holds, else whether it fails as it was recorded."""
    from envclone.cases.evaluate import unmet

    lacking = [why for one in case.fixed if (why := unmet(one, bundle, report.results, judged)) is not None]
    if case.fixed and not lacking:
        return Status.FIXED, ()
    if report.reproduced:
        return Status.FAILING, tuple(lacking)
    differs = [f"{step.step}: {reason}" for step in report.steps for reason in step.reasons]
    return Status.BROKEN, (*lacking, *differs)


def cannot(
    name: str, error: EnvcloneError, case: Case | None = None, held: Mapping[str, str] | None = None
) -> CaseOutcome:
    """The outcome of a case that could not be replayed."""
    reasons = [error.message, *map(str, getattr(error, "problems", ()))]
    if error.hint:
        reasons.append(error.hint.splitlines()[0])
    return CaseOutcome(
        name,
        Status.CANNOT,
        case.wants if case is not None else "",
        False,
        tuple(reasons),
        holds=dict(held or {}),
        image=case.pinned.image if case is not None else "",
    )
