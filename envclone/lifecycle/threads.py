"""Threads of LangGraph in a branch: which there are, and the steps of one of them.

They are read in a branch and nowhere else: what stands there is masked, production is asked nothing, and who may use a
branch sees no more than the branch shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from envclone import registry
from envclone.errors import UnsafeError, UsageError
from envclone.lifecycle import branches
from envclone.lifecycle.diff import NOW, of_image
from envclone.models import Branch, BranchState
from envclone.project import Project

if TYPE_CHECKING:
    from envclone.incidents.traces.span import Trace
    from envclone.protocols import StepRunner

__all__ = ["in_image", "listed", "thread"]

_WHERE = """\
SELECT n.nspname FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.=) 'checkpoints' AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']) AND (
  SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute AS a
  WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND NOT a.attisdropped AND a.attname OPERATOR(pg_catalog.=)
  ANY (ARRAY['thread_id', 'checkpoint_ns', 'checkpoint_id', 'checkpoint'])) OPERATOR(pg_catalog.=) 4
ORDER BY n.nspname"""
_LISTED = """\
SELECT thread_id, pg_catalog.count(*), pg_catalog.min(checkpoint OPERATOR(pg_catalog.->>) 'ts'),
pg_catalog.max(checkpoint OPERATOR(pg_catalog.->>) 'ts')
FROM {}.checkpoints GROUP BY thread_id ORDER BY 4 DESC NULLS LAST, 1 LIMIT 10000"""
_CHECKPOINTS = """\
SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata
FROM {}.checkpoints WHERE thread_id OPERATOR(pg_catalog.=) %s ORDER BY checkpoint_id LIMIT 20000"""
_BLOBS = """\
SELECT checkpoint_ns, channel, version, type, pg_catalog.encode(blob, 'hex') FROM {}.checkpoint_blobs
WHERE thread_id OPERATOR(pg_catalog.=) %s
AND (blob IS NULL OR pg_catalog.octet_length(blob) OPERATOR(pg_catalog.<) 16777216)
LIMIT 20000"""
_WRITES = """\
SELECT checkpoint_ns, checkpoint_id, task_id, idx, channel, type, pg_catalog.encode(blob, 'hex')
FROM {}.checkpoint_writes
WHERE thread_id OPERATOR(pg_catalog.=) %s
AND (blob IS NULL OR pg_catalog.octet_length(blob) OPERATOR(pg_catalog.<) 16777216)
ORDER BY checkpoint_id, task_id, idx LIMIT 20000"""


@contextmanager
def in_image(project: Project, environment: str) -> Iterator[str]:
    """The name of a branch of an environment's newest image, which is there for the time of the block."""
    with of_image(project, NOW, environment) as made:
        yield made.name


def listed(project: Project, name: str, *, role: str | None = None) -> list[dict[str, Any]]:
    """The threads in a branch, the newest first: id, store, schema, checkpoints, first and last time."""
    found = []
    with ExitStack() as stack:
        for store, runner, schema in _places(stack, _running(project, name), role):
            for ident, count, first, last in _rows(runner, store, _LISTED, schema, role, None):
                found.append(
                    {"thread": ident, "store": store, "schema": schema, "checkpoints": count, "from": first, "to": last}
                )
    return found


def thread(project: Project, name: str, ident: str, *, role: str | None = None) -> Trace:
    """The steps of a thread of a branch, which also says of which branch and image they are.

    Raises UsageError when the branch has no such thread, UnsafeError when it does not run.
    """
    from envclone.incidents.traces import langgraph

    branch = _running(project, name)
    with ExitStack() as stack:
        for store, runner, schema in _places(stack, branch, role):
            rows = _rows(runner, store, _CHECKPOINTS, schema, role, ident)
            if not rows:
                continue
            parts = [_rows(runner, store, sql, schema, role, ident) for sql in (_BLOBS, _WRITES)]
            found = langgraph.thread(ident, rows, *parts)
            found.about.update(branch=branch.name, image=branch.image, store=store, masked="as the branch is")
            return found
    raise UsageError(
        f"the branch '{name}' has no thread {ident}", hint=f"envclone incident threads --branch {name} lists them"
    )


def _running(project: Project, name: str) -> Branch:
    branch = branches.load(project, name)
    if branch.state is not BranchState.RUNNING:
        raise UnsafeError(f"the branch '{name}' is {branch.state}", hint=f"envclone start {name}")
    return branch


def _places(stack: ExitStack, branch: Branch, role: str | None) -> list[tuple[str, StepRunner, str]]:
    """Where a branch has LangGraph's tables: store, what asks it, schema. Raises UsageError when nowhere."""
    found = []
    for store, endpoint in branch.endpoints.items():
        if endpoint.kind == "postgres":
            runner = stack.enter_context(registry.connect(endpoint))
            found += [(store, runner, str(row[0])) for row in _rows(runner, store, _WHERE, "", role, None)]
    if not found:
        raise UsageError(
            f"the branch '{branch.name}' has no checkpoints of LangGraph",
            hint="they are the tables checkpoints, checkpoint_blobs and checkpoint_writes of its Postgres saver",
        )
    return found


def _rows(
    runner: StepRunner, store: str, sql: str, schema: str, role: str | None, ident: str | None
) -> Sequence[Sequence[Any]]:
    from envclone.incidents.bundle import SqlStep

    quoted = '"' + schema.replace('"', '""') + '"'
    parameters = None if ident is None else [ident]
    step = SqlStep(id="threads", store=store, sql=sql.replace("{}", quoted), parameters=parameters, role=role)
    result = runner.run(step)
    if result.error is not None:
        hint = "--role NAME, of a role that may read them" if result.error.startswith("42501") else None
        raise UsageError(f"the checkpoints in '{store}' cannot be read: {result.error}", hint=hint)
    return result.rows
