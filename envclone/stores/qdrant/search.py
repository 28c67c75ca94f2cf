"""Runs an incident's vector searches: on a branch's shards in process, or on a server with the same steps."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError, EnvcloneError, UnreachableError, UsageError
from envclone.extras import need
from envclone.incidents.bundle import VectorStep
from envclone.models import Secret, StepResult
from envclone.stores.qdrant import engine, identity, queries, requests
from envclone.stores.qdrant.diversity import diverse
from envclone.stores.qdrant.filters import filter_of, params_of
from envclone.stores.qdrant.layout import Collection, collections
from envclone.stores.qdrant.queries import engine_vector
from envclone.stores.qdrant.unindexed import as_a_server_reads

if TYPE_CHECKING:
    from envclone.incidents.bundle import Step
    from envclone.incidents.terms import Terms

__all__ = ["Bounded", "EmbeddedRunner", "ServerRunner", "embedded", "to_server"]

_HIGHER_IS_BETTER = ("Cosine", "Dot")


class EmbeddedRunner:
    """Searches the shards of a storage directory; each is loaded at the first step that needs it, until `close`.

    While it is loaded the engine's own lock keeps other processes out, who wait and then are told so; a private clone
    would cost a copy where the file system shares no blocks.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stack = contextlib.ExitStack()
        self._loaded: dict[str, list[Any]] = {}

    def run(self, step: Step) -> StepResult:
        """Run one search; what the engine says against it is the result's `error`."""
        search = _vector_step(step)
        began = time.monotonic()
        collection = self.collection(search.collection)
        try:
            points = self._search(collection, as_a_server_reads(search, collection))
        except queries.NoPointError as exc:
            return StepResult(error=str(exc), seconds=round(time.monotonic() - began, 6))
        except ConfigError as exc:
            raise _of_step(search, exc) from exc
        except EnvcloneError:
            raise
        except Exception as exc:  # noqa: BLE001 - the binding raises bare Exception
            return StepResult(error=_message(exc), seconds=round(time.monotonic() - began, 6))
        return _result(points, time.monotonic() - began)

    def close(self) -> None:
        """Release the shards."""
        self._loaded.clear()
        self._stack.close()

    def _search(self, collection: Collection, step: VectorStep) -> list[Any]:
        import qdrant_edge as q

        shards = self.shards(collection)
        if not step.plain:
            return self._query(collection, shards, step)
        found: list[Any] = []
        several = len(shards) > 1
        for shard in shards:
            request = q.SearchRequest(
                query=q.Query.Nearest(engine_vector(step.vector), step.using or None),
                # each shard gives what the merged result may take from it
                limit=step.limit + step.offset if several else step.limit,
                offset=0 if several else step.offset,
                filter=filter_of(step.filter),
                params=params_of(step.params),
                with_payload=queries.selected(step.with_payload),
                with_vector=False,
                score_threshold=step.score_threshold,
            )
            found += shard.search(request)
        if not several:
            return found
        found.sort(key=lambda point: point.score, reverse=_descending(collection, step.using))
        return found[step.offset : step.offset + step.limit]

    def _query(self, collection: Collection, shards: list[Any], step: VectorStep) -> list[Any]:
        """Any other form of query than the nearest of one vector."""
        if (sparse := queries.diverse_sparse(step, shards)) is not None:
            return self._diverse(collection, shards, step, sparse)
        if len(shards) > 1:
            return self._merged(collection, shards, step)
        if step.group_by is None:
            found = list(shards[0].query(queries.request(step, shards[0])))
            diverse_ones = step.asked is not None and step.asked.mmr is not None
            # a server chooses as many as the limit says, and the offset leaves out of these
            return found[: max(step.limit - step.offset, 0)] if diverse_ones else found
        smaller = queries.by_distance(step.asked) and not _descending(collection, step.using)
        return queries.grouped(step, shards[0], smaller_is_better=smaller)

    def _diverse(self, collection: Collection, shards: list[Any], step: VectorStep, sparse: Any) -> list[Any]:
        """The most relevant and most diverse of the candidates of all shards.

        As many as the limit are chosen, and the offset leaves out of these: a server does no more.
        """
        asked = step.asked
        assert asked is not None and asked.mmr is not None  # that is why this is asked
        nearest = asked.model_copy(update={"mmr": None})
        update = {"query": nearest, "vector": None, "limit": asked.mmr.candidates_limit or step.limit, "offset": 0}
        candidates = self._merged(collection, shards, step.model_copy(update=update), vectors=True)
        found = diverse(candidates, sparse, step.using, relevance=1 - asked.mmr.diversity, limit=step.limit)
        return found[step.offset :]

    def _merged(
        self, collection: Collection, shards: list[Any], step: VectorStep, *, vectors: bool = False
    ) -> list[Any]:
        """The best of what each shard answers, as a server merges them."""
        if len(shards) == 1:
            return list(shards[0].query(queries.request(step, shards[0], vectors=vectors)))
        if not queries.merges(step):
            raise ConfigError(
                f"results of the {len(shards)} shards of '{collection.name}' are fused, grouped or ordered, which a "
                "server does and the embedded engine does not",
                hint="replay it in a branch that has a server: QDRANT_BIN names its program, or --runtime docker",
            )
        whole = step.model_copy(update={"limit": step.limit + step.offset, "offset": 0})
        found = [
            point
            for shard in shards
            for point in shard.query(queries.request(whole, shard, among=shards, vectors=vectors))
        ]
        if step.asked is None:
            found.sort(key=lambda point: queries.by_id(point.id))
        else:
            nearer = queries.by_distance(step.asked) and not _descending(collection, step.using)
            found.sort(key=lambda point: point.score, reverse=not nearer)
        return found[step.offset : step.offset + step.limit]

    def collection(self, name: str) -> Collection:
        """The collection of this name or alias. Raises ConfigError naming the collections there are."""
        named = identity.aliases(self._root, [each.name for each in collections(self._root)])
        return collections(self._root, [named.get(name, name)])[0]

    def shards(self, collection: Collection) -> list[Any]:
        """Its shards, loaded until `close`."""
        if collection.name not in self._loaded:
            self._loaded[collection.name] = [
                self._stack.enter_context(engine.loaded(shard)) for shard in collection.shards()
            ]
        return self._loaded[collection.name]


@contextlib.contextmanager
def embedded(root: Path) -> Iterator[EmbeddedRunner]:
    """A runner on the storage directory `root`."""
    runner = EmbeddedRunner(root)
    try:
        yield runner
    finally:
        runner.close()


class ServerRunner:
    """Searches a running server through its API, with the same steps and results; `client` is a `QdrantClient`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def client(self) -> Any:
        """What it asks the server with."""
        return self._client

    def run(self, step: Step) -> StepResult:
        """Run one search; what the server says against it is the result's `error`."""
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        search = _vector_step(step)
        try:
            queries.understood(search)  # what the client itself refuses would pass for production's own answer
        except ConfigError as exc:
            raise _of_step(search, exc) from exc
        began = time.monotonic()
        try:
            points = requests.ask(self._client, search)
        except ResponseHandlingException as exc:
            raise UnreachableError(f"the Qdrant server does not answer: {_message(exc)}") from exc
        except UnexpectedResponse as exc:
            return StepResult(error=_said(exc), seconds=round(time.monotonic() - began, 6))
        except ValueError as exc:
            return StepResult(error=_message(exc), seconds=round(time.monotonic() - began, 6))
        return _result(points, time.monotonic() - began)


class Bounded:
    """A runner on production: every step is a search, and its answer has a size that can be recorded."""

    def __init__(self, runner: EmbeddedRunner | ServerRunner, terms: Terms) -> None:
        self._runner = runner
        self._terms = terms

    def settled(self, step: Step) -> Step:
        """The step as it is: nobody asks but this connection."""
        return step

    def examine(self, step: Step) -> list[str]:
        """Nothing speaks against a search. Raises UsageError for a step of another kind."""
        _vector_step(step)
        return []

    def run(self, step: Step) -> StepResult:
        """Run one search. Raises UsageError when it returns more than is recorded."""
        found = self._runner.run(step)
        size = sum(len(json.dumps(row, ensure_ascii=False, default=str)) for row in found.rows)
        if len(found.rows) > self._terms.rows or size > self._terms.bytes:
            raise UsageError(
                f"the step '{step.id}' returns more than {self._terms.rows} points or {self._terms.bytes >> 20} MiB",
                hint="give it a smaller `limit`, or name the payload keys in `with_payload`",
            )
        return found


@contextlib.contextmanager
def to_server(
    url: str, api_key: Secret | None = None, *, seconds: float = 60, ca_file: Path | None = None
) -> Iterator[ServerRunner]:
    """A runner on the server at `url`, to record what production answers. Only searches are sent, nowhere else."""
    need("qdrant_client", "qdrant", "a running Qdrant server")
    from qdrant_client import QdrantClient

    with warnings.catch_warnings():
        if url.startswith("http://127.0.0.1:"):  # a key that goes over no network
            warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        client = QdrantClient(
            url=url,
            api_key=api_key.reveal() if api_key else None,
            timeout=max(1, int(seconds)),
            check_compatibility=False,
            follow_redirects=False,
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
        )
    try:
        yield ServerRunner(client)
    finally:
        client.close()


def _vector_step(step: Step) -> VectorStep:
    if not isinstance(step, VectorStep):
        raise UsageError(f"the step '{step.id}' is SQL, and its store '{step.store}' is a Qdrant")
    return step


def _of_step(step: VectorStep, exc: ConfigError) -> ConfigError:
    return ConfigError(f"the step '{step.id}': {exc.message}", hint=exc.hint)


def _descending(collection: Collection, using: str) -> bool:
    for _, segment in collection.segments():
        dense = segment.config.get("vector_data") or {}
        if using in dense:
            return dense[using].get("distance") in _HIGHER_IS_BETTER
    if any(using in (segment.config.get("sparse_vector_data") or {}) for _, segment in collection.segments()):
        return True
    raise ConfigError(f"the collection '{collection.name}' has no vector named {using!r}")


def _result(points: list[Any], seconds: float) -> StepResult:
    """The same parts for both runners: ids as JSON has them, scores, and one column with the payload."""
    return StepResult(
        columns=("payload",),
        origins=("",),
        rows=tuple((point.payload if point.payload is not None else {},) for point in points),
        ids=tuple(point.id if isinstance(point.id, int) else str(point.id) for point in points),
        scores=tuple(float(point.score) for point in points),
        seconds=round(seconds, 6),
    )


_SORT = re.compile(r"(?:Wrong input|Bad request|Not found|Service internal error|Forbidden|Timeout): (?=\S)")
"""What a server puts before the words of its engine."""


def _said(exc: Any) -> str:
    """What a server says against a request, in the words that the embedded engine has for it, too."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        said = json.loads(exc.content)["status"]["error"]
        if isinstance(said, str) and said.strip():
            return _SORT.sub("", said.strip(), count=1).splitlines()[0]
    return _message(exc)


def _message(exc: Exception) -> str:
    return str(exc).splitlines()[0] if str(exc) else type(exc).__name__
