"""The user's own programs that judge an answer: what embeds a text, and hooks of the stage judge."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from envclone import process
from envclone.cases.evaluate import Tools
from envclone.errors import EnvcloneError, UnsafeError, UsageError
from envclone.hooks.worker import Worker
from envclone.project import Project

__all__ = ["tools"]

_PATIENCE = 120.0
"""Seconds that a program may take for one text."""


@contextmanager
def tools(project: Project) -> Iterator[Tools]:
    """The programs as long as the context; each is started when it is first asked, and a text is embedded once.

    Only files of the stack file's directory are run: a case that came from elsewhere brings none.
    """
    workers: dict[str, Worker] = {}
    vectors: dict[tuple[str, str], Sequence[float]] = {}

    def embed(program: str, text: str) -> Sequence[float]:
        if (program, text) not in vectors:
            vectors[program, text] = _embedded(_own(project, program), text)
        return vectors[program, text]

    def judge(hook: str, answer: Mapping[str, str]) -> bool:
        file, _, name = hook.rpartition(":")
        _own(project, file)
        try:
            if file not in workers:
                workers[file] = Worker(project.loaded.directory, file, _no_masks, hidden=project.pool.path)
            if not any(one.name == name for one in workers[file].hooks):
                there = ", ".join(one.name for one in workers[file].hooks) or "none"
                raise UsageError(f"the file {file} has no hook '{name}'; it has: {there}")
            return bool(workers[file].call(name, {key: [value] for key, value in answer.items()})[0])
        except EnvcloneError:
            if (worker := workers.pop(file, None)) is not None:
                worker.close()
            raise

    try:
        yield Tools(embed, judge)
    finally:
        for worker in workers.values():
            worker.close()


def _own(project: Project, name: str) -> Path:
    """A file of the stack file's directory, where links end too. Raises UsageError, UnsafeError."""
    top = project.loaded.directory.resolve()
    path = (top / name).resolve()
    if not path.is_relative_to(top):
        raise UnsafeError(f"{name} is not in the stack file's directory")
    if not path.is_file():
        raise UsageError(f"the case needs {name}, and there is no such file beside the stack file")
    return path


def _embedded(program: Path, text: str) -> Sequence[float]:
    """The vector that a program makes of a text; it is the user's own, and needs the keys of the user's environment."""
    from envclone.incidents.drafting import vector_of

    done = process.run([program], input=text, env=dict(os.environ), cwd=program.parent, timeout=_PATIENCE)
    return vector_of(done.stdout, f"the output of {program.name}")


def _no_masks(domain: str, values: Sequence[str]) -> Sequence[str | None]:
    raise UnsafeError("a judge sees masked answers only, and asks for no masks")
