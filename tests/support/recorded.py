"""A real server's storage directory, what it was asked and what it answered (`tests/data/qdrant`)."""

from __future__ import annotations

import json
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envclone.incidents.bundle import VectorStep
from envclone.stores.qdrant.search import embedded

__all__ = ["DATA", "RULES", "Question", "answers", "people", "questions", "unpack"]

DATA = Path(__file__).parents[1] / "data" / "qdrant"
RULES = """\
      articles.author.name: person
      articles.author.email: email
      articles.author.phones[*]: phone
      articles.text: text
      articles.comments[*].by: person
      articles.reviewer: person
      articles.quote: text
      articles: {"$['note/with.dots']": email}
      articles.*: keep
      articles.vectors: keep
      articles.point_ids: keep
      hybrid.customer: email
      hybrid.body: text
      hybrid.*: keep
      hybrid.vectors.tokens: keep
      hybrid.vectors.dense: keep
      hybrid.vectors.bm25: keep
      hybrid.point_ids: keep
      plain.who: person
      plain.vectors: keep
      plain.point_ids: keep
      tenants.contact.name: person
      tenants.contact.email: email
      tenants.contact.phone: phone
      tenants.*: keep
      tenants.vectors: keep
      tenants.point_ids: keep
"""
"""A rule for every field of these collections, as a stack file has them."""


@dataclass(frozen=True)
class Question:
    """One request to the server, and its answer: ids, scores and payloads of points in their order."""

    name: str
    path: str
    request: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def collection(self) -> str:
        """The collection that was asked."""
        return self.path.split("/")[2]

    @property
    def kind(self) -> str:
        """What sort of question it is."""
        return self.name.rstrip("0123456789-")

    @property
    def tied(self) -> bool:
        """Whether its answer has equal scores in an order that differs from run to run, in production as well."""
        return self.kind == "hybrid"

    @property
    def masked(self) -> bool:
        """Whether it names a value that is masked."""
        return "@" in json.dumps(self.request.get("filter"))

    @property
    def points(self) -> list[tuple[Any, float | None, Any]]:
        """The answer's points: of groups one group behind the other."""
        hits = self.result.get("points") or [hit for group in self.result.get("groups", ()) for hit in group["hits"]]
        return [(hit["id"], hit.get("score"), hit.get("payload")) for hit in hits]

    def step(self, collection: str | None = None) -> VectorStep | None:
        """The same question as an incident's step; None for a listing, which is no query."""
        asked = dict(self.request)
        if self.path.endswith("/scroll"):
            return None
        query, prefetch = asked.pop("query"), asked.pop("prefetch", [])
        vector = not isinstance(query, dict) or "indices" in query
        return VectorStep.model_validate(
            asked
            | {"vector" if vector else "query": query, "id": self.name, "store": "kb", "kind": "vector"}
            | {"prefetch": prefetch if isinstance(prefetch, list) else [prefetch]}
            | {"collection": collection or self.collection, "with_payload": asked.get("with_payload", False)}
        )


def unpack(into: Path) -> Path:
    """The storage directory below `into`."""
    with tarfile.open(DATA / "storage.tar.xz") as archive:
        archive.extractall(into, filter="data")
    return into / "storage"


def questions() -> list[Question]:
    """Every question that the server answered; two are none that it understands."""
    found = json.loads(lzma.decompress((DATA / "questions.json.xz").read_bytes()))
    answered = [one for one in found if one["status"] == 200]
    return [Question(one["name"], one["path"], one["request"], one["result"]) for one in answered]


def people() -> list[str]:
    """Every name, e-mail address and phone number in the payloads."""
    found = json.loads(lzma.decompress((DATA / "people.json.xz").read_bytes()))
    return sorted({one[key] for one in found for key in ("name", "email", "phone")})


def answers(root: Path, asked: list[Question]) -> dict[str, list[tuple[object, np.float32]]]:
    """Ids and scores, as the embedded engine gives them."""
    found = {}
    with embedded(root) as runner:
        for question in asked:
            step = question.step()
            if step is not None:
                result = runner.run(step)
                assert result.error is None, (question.name, result.error)
                found[question.name] = list(zip(result.ids, map(np.float32, result.scores), strict=True))
    return found
