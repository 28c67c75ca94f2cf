"""Searches of an agent in a branch's Qdrant, within bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from envclone.errors import ConfigError, UsageError
from envclone.incidents.bundle import VectorStep
from envclone.protocols.asking import Answer, Bounds, Nearest

if TYPE_CHECKING:
    from envclone.models import Endpoint

__all__ = ["QdrantAsking"]


class QdrantAsking:
    """Each search opens the files, or asks the branch's own server."""

    def sql(self, endpoint: Endpoint, statement: str, parameters: Sequence[Any] | None, bounds: Bounds) -> Answer:
        """There is none. Raises UsageError."""
        raise UsageError(f"the store '{endpoint.store}' is a Qdrant, which knows no SQL", hint="search it by a vector")

    def nearest(self, endpoint: Endpoint, asked: Nearest, bounds: Bounds) -> Answer:
        """The points nearest to a vector or a point; see `Asking`."""
        from envclone.stores.qdrant.store import QdrantStore

        step = _step(endpoint.store, asked)
        try:
            with QdrantStore().connect(endpoint) as runner:
                found = runner.run(step)
        except ConfigError as exc:
            raise UsageError(exc.message, hint=exc.hint) from exc
        size = sum(len(json.dumps(row, ensure_ascii=False, default=str)) for row in found.rows)
        if len(found.rows) > bounds.rows or size > bounds.bytes:
            raise UsageError(
                f"the search returns more than {bounds.rows} points or {bounds.bytes >> 10} KiB",
                hint="give it a smaller limit, or name the payload keys to show",
            )
        return Answer(found)


def _step(store: str, asked: Nearest) -> VectorStep:
    params: dict[str, Any] = {"exact": True} if asked.exact else {}
    if asked.ef is not None and not asked.exact:
        params["hnsw_ef"] = asked.ef
    given: dict[str, Any] = {
        "id": "vector_search",
        "store": store,
        "collection": asked.place,
        "using": asked.using,
        "filter": dict(asked.filter) or None,
        "limit": asked.limit,
        "params": params,
        "with_payload": list(asked.show) if asked.show else True,
    }
    given |= {"vector": list(asked.vector)} if asked.vector is not None else {"query": asked.like}
    try:
        return VectorStep.model_validate(given)
    except ValidationError as exc:
        raise UsageError(f"the search cannot be meant: {exc.errors(include_input=False)[0]['msg']}") from None
