"""Images made ahead, so that a branch waits for none: one run makes what is due, and tells who listens how it went.

A run that fails is counted and told, and the image that was there stays. A run that was killed is counted by the next
one, which removes what it left half made.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from envclone import process
from envclone.config.keeping import KeepConfig
from envclone.cow.placing import reported
from envclone.errors import EnvcloneError
from envclone.lifecycle import images
from envclone.lifecycle.collect import collect
from envclone.models import Image
from envclone.pages.metrics import metrics
from envclone.pool.kept import Kept, every, read, write
from envclone.pool.times import counted
from envclone.private import write_public
from envclone.project import Project

__all__ = ["Run", "due", "next_try", "once", "settings"]

_PATIENCE = dt.timedelta(minutes=1)
"""After the first failure in a row; twice as long after each further one, and never longer than images stay fresh."""
_ALARM = 60.0
"""Seconds that the program of `on_failure` may take."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did: the newest image, whether it was made now, and when the next one is due.

    `warnings` are what failed beside the image: the file for Prometheus, the removal of what nobody needs.
    """

    image: Image
    made: bool
    seconds: float
    due: dt.datetime
    warnings: list[str] = field(default_factory=list)


def settings(project: Project, environment: str) -> KeepConfig:
    """What the stack file says of an environment's images that are made ahead; the defaults where it says nothing."""
    return project.environment(environment).keep or KeepConfig()


def once(project: Project, environment: str) -> Run:
    """Make an image of production as it is now if one is due, and remove what it supersedes and nobody uses.

    Raises BusyError while another process keeps the environment, and whatever keeps an image from being made: that is
    counted, written for Prometheus and told the program of `on_failure` first.
    """
    config = settings(project, environment)
    with project.pool.lock(f"keeping.{project.name}.{environment}", what=f"the keeping of '{environment}'"):
        record = read(project.pool, project.name, environment)
        if record.began is not None:
            record = _failed(record, "the run before was killed")
            collect(project)
        now = dt.datetime.now(dt.UTC)
        image = images.find(project, environment)
        if image is not None and (then := due(record, image, config)) > now:
            write(project.pool, replace(record, state_of=image.raw.created_at))
            return Run(image, False, 0.0, then, list(_warned(project, config)))
        write(project.pool, replace(record, began=now))
        started = time.monotonic()
        with _counted(project, environment, config, record):
            image = _made(project, environment)
            ended = dt.datetime.now(dt.UTC)
            seconds = time.monotonic() - started
            occupied, own = project.cow.usage(project.pool.path_of("images", image.id))
            record = replace(
                record, runs=record.runs + 1, failing=0, error="", began=None, ended=ended, succeeded=ended,
                seconds=seconds, state_of=image.raw.created_at, image=image.id, bytes=occupied, own_bytes=own,
            )  # fmt: skip
            write(project.pool, record)
        warnings = [f"{one.kind} {one.name}: {one.error}" for one in collect(project) if one.error]
        return Run(image, True, seconds, due(record, image, config), [*warnings, *_warned(project, config)])


def due(record: Kept, image: Image, config: KeepConfig) -> dt.datetime:
    """When the next image is to be begun, so that it is there before this one is too old; long ago for one that was
    made by a clock that was ahead."""
    took = min(dt.timedelta(seconds=record.seconds), config.fresh / 2)
    if (made := counted(image.raw.created_at)) < image.raw.created_at:
        return made
    return made + config.fresh - took


def next_try(project: Project, environment: str) -> dt.datetime:
    """When to call `once` again: when an image is due, and after failures later each time."""
    config = settings(project, environment)
    record = read(project.pool, project.name, environment)
    image = images.find(project, environment)
    now = dt.datetime.now(dt.UTC)
    then = now if image is None else due(record, image, config)
    if record.failing and record.ended is not None:
        then = max(then, record.ended + min(_PATIENCE * 2 ** min(record.failing - 1, 20), config.fresh))
    return max(then, now)


def _made(project: Project, environment: str) -> Image:
    with images.ready(project, environment, fresh=True) as image:
        return image


@contextmanager
def _counted(project: Project, environment: str, config: KeepConfig, record: Kept) -> Iterator[None]:
    """Count an error that leaves the block and tell of it; a run that a person ended does not count as one."""
    try:
        yield
    except Exception as exc:
        said = exc.message if isinstance(exc, EnvcloneError) else f"an error of envclone itself ({type(exc).__name__})"
        failed = _failed(record, said)
        write(project.pool, failed)
        for line in [*_warned(project, config), *_alarmed(config, failed, exc)]:
            project.tell(line)
        raise
    except BaseException:
        write(project.pool, replace(record, began=None))
        raise


def _failed(record: Kept, why: str) -> Kept:
    return replace(
        record, runs=record.runs + 1, failures=record.failures + 1, failing=record.failing + 1, error=why, began=None,
        ended=dt.datetime.now(dt.UTC),
    )  # fmt: skip


def _warned(project: Project, config: KeepConfig) -> Iterator[str]:
    """Write the file for Prometheus; what keeps it from being written is told, and fails no run."""
    if config.textfile is None:
        return
    path = project.loaded.directory / config.textfile.expanduser()
    text = metrics(every(project.pool), dt.datetime.now(dt.UTC), project.pool.free_bytes())
    try:
        with reported("cannot write", path):
            write_public(path, text)
    except (EnvcloneError, OSError) as exc:
        yield f"{exc}"


def _alarmed(config: KeepConfig, record: Kept, exc: Exception) -> Iterator[str]:
    """Run the program of `on_failure`; that it fails, too, is told."""
    if not config.on_failure:
        return
    told = {
        "ENVCLONE_PROJECT": record.project,
        "ENVCLONE_ENVIRONMENT": record.environment,
        "ENVCLONE_ERROR": record.error,
        "ENVCLONE_EXIT_CODE": str(exc.exit_code if isinstance(exc, EnvcloneError) else 1),
        "ENVCLONE_FAILING": str(record.failing),
    }
    name = Path(config.on_failure[0]).name
    try:
        done = process.run(config.on_failure, env=told, timeout=_ALARM, check=False)
    except EnvcloneError as error:
        yield f"on_failure: {error}"
    else:
        if done.returncode:
            yield f"on_failure: {name} ended with exit code {done.returncode}"
