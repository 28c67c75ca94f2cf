"""The images that there are: found by the rules and the key that made them, checked before they are used."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from envclone import keys
from envclone.errors import BusyError, EnvcloneError
from envclone.lifecycle.checked import check
from envclone.models import Image, RawSnapshot
from envclone.pool import catalog
from envclone.pool.times import counted
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.models.moments import Target

__all__ = ["age", "find", "newer", "ready", "using"]


def find(project: Project, environment: str, target: Target | None = None) -> Image | None:
    """The newest image of an environment of this project that was made by today's rules and key; none of a moment.

    With a `target` the one of that moment.
    """
    if target is None:
        return next(iter(_found(project, environment)), None)
    made = _made(project, environment)
    return next((one for one in made if one.raw.moment is not None and one.raw.moment.asked == target), None)


@contextmanager
def using(project: Project, ident: str, *, content: bool = False) -> Iterator[Image]:
    """The image of that id, checked against its attestation, which nobody removes as long as the context.

    Raises UnsafeError when it is not what was attested, UsageError when there is none or it is another project's.
    """
    with project.pool.using("images", ident):
        yield check(project, ident, content=content)


@contextmanager
def ready(
    project: Project, environment: str, *, fresh: bool = False, again: bool = False, target: Target | None = None
) -> Iterator[Image]:
    """An image to clone from, which nobody removes as long as the context: of the newest snapshot, made now if need be.

    `fresh` takes a new snapshot first; `again` makes another image of the newest one. Without a masking key one gets
    the newest image that there is. With a `target` it is of that moment, recovered from the environment's track.
    """
    project.environment(environment)
    with ExitStack() as held:
        if target is not None:
            yield _of_moment(project, environment, target, again, held)
            return
        if not fresh and not again:
            try:
                image = _held(project, environment, held)
            except EnvcloneError:
                _require(project, environment)  # this may not be all
                raise
            if image is not None and (newer(project, image) is None or not keys.held(project.keys)):
                yield image
                return
        from concurrent.futures import ThreadPoolExecutor

        from envclone.lifecycle import quarantine, snapshot
        from envclone.lifecycle.stages import COPYING, IMAGE

        raw = None if fresh else held.enter_context(quarantine.using(project, environment))
        project = project.through(IMAGE if raw is None else [stage for stage in IMAGE if stage != COPYING])
        if raw is None:
            _require(project, environment)
            with ThreadPoolExecutor(1) as beside:  # production is copied by other programs: this one is idle meanwhile
                beside.submit(_load)
                raw = held.enter_context(snapshot.take(project, environment))
        from envclone.lifecycle import publish

        yield held.enter_context(publish.make(project, raw, again=again))


def _of_moment(project: Project, environment: str, target: Target, again: bool, held: ExitStack) -> Image:
    """The image of a moment: the one there is, or made now."""
    if not again:
        for image in _made(project, environment):
            moment = image.raw.moment
            if moment is not None and moment.asked == target and (found := _take(project, image, held)) is not None:
                return found
    from envclone.lifecycle import moment as moments
    from envclone.lifecycle.stages import COPYING, IMAGE, RECOVERING

    _require(project, environment)
    project = project.through([RECOVERING if stage == COPYING else stage for stage in IMAGE])
    raw = held.enter_context(moments.at(project, environment, target))
    from envclone.lifecycle import publish

    return held.enter_context(publish.make(project, raw, again=again))


def _load() -> None:
    """Load what makes an image, which takes a second; what has to be compiled first is left to who says so."""
    from envclone import compiled, preloaded

    preloaded.take()
    if compiled.at_hand():
        importlib.import_module("envclone.lifecycle.publish")
        compiled.prepare(lambda text: None)


def _require(project: Project, environment: str) -> None:
    from envclone.lifecycle import preflight  # here, for what it looks at takes long to import

    preflight.require(project, environment)


def newer(project: Project, image: Image) -> RawSnapshot | None:
    """The newest snapshot of an image's environment, when it was taken after the one that the image is of."""
    found = catalog.snapshots(project.pool, project.name)
    taken = [raw for raw in found if raw.environment == image.environment and raw.moment is None]
    return taken[-1] if taken and counted(taken[-1].created_at) > counted(image.raw.created_at) else None


def age(project: Project, image: Image, now: dt.datetime) -> str:
    """One line: how old the state is that an image holds, why it is not newer, and what a newer one costs."""
    raw, made = image.raw.created_at, (image.created_at - image.raw.created_at).total_seconds()
    cost = f" and masks it, which took {_span(made)}" if made < _AT_ONCE else " and masks it, which takes minutes"
    later = newer(project, image)
    why = (
        "no snapshot is newer" if later is None else f"{later.id} is newer, but without the masking key no image of it"
    )
    return (
        f"state of {raw:%Y-%m-%d %H:%M} UTC, {_span((now - raw).total_seconds())} ago: {why}; --fresh copies it{cost}"
    )


_AT_ONCE = 6 * 3600
"""Seconds; an image that is made later than that after its snapshot does not tell how long its making took."""


def _span(seconds: float) -> str:
    """A length of time in two units at most."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes, hours = round(whole / 60), whole // 3600
    if hours < 2:
        return f"{minutes} min"
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _found(project: Project, environment: str) -> list[Image]:
    """Those of them that are of no moment: of production as it was copied."""
    return [image for image in _made(project, environment) if image.raw.moment is None]


def _made(project: Project, environment: str) -> list[Image]:
    """The images that today's rules and key made of an environment, newest first; for whom has no key, by the rules."""
    wanted = (environment, project.rules_digest)
    key = project.key_id if keys.held(project.keys) else None
    return [
        image
        for image in reversed(catalog.images(project.pool, project.name))
        if (image.environment, image.rules_digest) == wanted and key in (None, image.key_id) and not image.imported
    ]


def _held(project: Project, environment: str, held: ExitStack) -> Image | None:
    """The newest image, its lock in `held`; one that is just being removed is none."""
    for image in _found(project, environment):
        if (found := _take(project, image, held)) is not None:
            return found
    return None


def _take(project: Project, image: Image, held: ExitStack) -> Image | None:
    """An image, checked, its lock in `held`; None when it is just being removed."""
    with ExitStack() as attempt:
        try:
            place = attempt.enter_context(project.pool.using("images", image.id))
        except BusyError:
            return None
        if not place.is_dir():
            return None
        checked = check(project, image.id)
        held.push(attempt.pop_all())
        return checked
