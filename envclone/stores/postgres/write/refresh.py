"""Materialized views, made again from the masked tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

from envclone.errors import UnsafeError
from envclone.models import ProgressEvent
from envclone.protocols import Progress
from envclone.stores.postgres.catalog import dependents

__all__ = ["materialized_views"]

Connection = psycopg.Connection[tuple[Any, ...]]


def materialized_views(worker: Connection, masked: Collection[int], progress: Progress) -> list[int]:
    """Let the worker refresh the populated materialized views that can show a value of the `masked` tables (oids).

    Returns their oids.
    A refresh writes new files, and builds all of a view's indexes anew. Raises UnsafeError naming the view whose query
    fails.
    """
    views = [view for view in dependents.materialized_views(worker, masked) if view.populated]
    for number, view in enumerate(views, start=1):
        try:
            worker.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(view.identifier))
        except psycopg.Error as exc:
            raise UnsafeError(
                f"the materialized view {view.schema}.{view.name} could not be refreshed ({type(exc).__name__})",
                hint="drop it in a hook before sanitization, or make its query run without outside data",
            ) from None
        progress(ProgressEvent("refresh materialized views", number, len(views)))
    return [view.oid for view in views]
