"""Haystack's spans, whose component says what was called, and whose input and output are one attribute each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from envclone.incidents.traces.span import Span, loose

__all__ = ["by_component"]

_KINDS = (("retriever", "retrieval"), ("embedder", "embedding"), ("ranker", "rerank"), ("generator", "llm"),
          ("toolinvoker", "tool"), ("agent", "agent"))  # fmt: skip
_PREFIX = "haystack.component."


def by_component(span: Span) -> Span:
    """A span of a component with its parts under their names; any other as it is."""
    its = span.attributes
    if f"{_PREFIX}type" not in its or span.said.get("kind"):
        return span
    type_ = str(its[f"{_PREFIX}type"])
    kind = next((kind for word, kind in _KINDS if word in type_.lower()), "chain")
    put, got = dict(loose(its.get(f"{_PREFIX}input"))), dict(loose(its.get(f"{_PREFIX}output")))
    meta_of = got.get("meta")
    metas: list[Any] = list(meta_of) if isinstance(meta_of, list) else [meta_of]
    replies = got.get("replies")
    metas += [loose(one).get("_meta") or loose(one).get("meta") for one in replies or () if isinstance(one, Mapping)]
    meta = next((one for one in map(loose, metas) if one), {})
    vector = put.get("query_embedding") or got.get("embedding")
    settings: dict[str, Any] = {**loose(put.get("generation_kwargs"))}
    settings |= {name: put[name] for name in ("top_k", "filters", "score_threshold") if put.get(name) is not None}
    given = next((put[key] for key in ("messages", "prompt", "query", "text") if put.get(key)), None)
    said = {
        "kind": kind, "input": given if given is not None else {key: value for key, value in put.items()
                                                                if key not in settings and key != "query_embedding"},
        "output": replies or {key: value for key, value in got.items() if key not in ("documents", "embedding",
                                                                                       "meta")},
        "documents": got.get("documents"), "vectors": [vector] if vector else None, "settings": settings,
        "model": meta.get("model"), "usage": dict(loose(meta.get("usage"))),
        "finish": [meta["finish_reason"]] if meta.get("finish_reason") else None,
    }  # fmt: skip
    spent = (f"{_PREFIX}input", f"{_PREFIX}output") if put or got else ()
    left = {key: value for key, value in its.items() if key not in spent}
    more = {f"{_PREFIX}input.{key}": value for key, value in put.items() if value is not given and key not in settings
            and key not in ("query_embedding", "generation_kwargs") and given is not None}  # fmt: skip
    beside = {f"{_PREFIX}output.{key}": value for key, value in got.items() if replies and key not in (
        "replies", "documents", "embedding")}  # fmt: skip
    name = str(its.get(f"{_PREFIX}name") or span.name)
    return replace(span, name=name, attributes={**left, **more, **beside}, said={**said, **span.said})
