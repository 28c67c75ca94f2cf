"""Which operation of which provider a request is: told by its path, so that the base address makes no difference."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Operation", "kind_of", "recognised"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked of whom; `volatile` are members of the body that change nothing in the answer.

    `named` are what the path says beside the operation: a model or a deployment. The host and what stands before the
    operation in the path count only where nothing was recognised. An answer that depends on its input alone is `pure`:
    asked more often than it was recorded, it is the same again.
    """

    provider: str
    name: str
    volatile: frozenset[str] = frozenset()
    named: tuple[tuple[str, str], ...] = ()
    pure: bool = False

    @property
    def known(self) -> bool:
        """Whether it is one of a provider's, and not any request over HTTP."""
        return self.provider != "http"


_OPENAI = frozenset(
    ("user", "safety_identifier", "prompt_cache_key", "stream_options", "metadata", "store", "service_tier")
)
_ANTHROPIC = frozenset(("metadata", "service_tier"))
_GEMINI = frozenset(("labels",))
_OLLAMA = frozenset(("keep_alive",))
_COHERE = frozenset(("client_name", "user", "stream_options"))
_ANY = frozenset(
    ("request_id", "requestId", "trace_id", "traceId", "timestamp", "ts", "nonce", "idempotency_key", "idempotencyKey",
     "sent_at")
)  # fmt: skip

_KNOWN: tuple[tuple[str, frozenset[str], re.Pattern[str]], ...] = (
    (
        "gemini",
        _GEMINI,
        re.compile(
            r"/models/(?P<model>[^/:]+):(?P<name>generateContent|streamGenerateContent|embedContent|batchEmbedContents"
            r"|countTokens|predict)$"
        ),
    ),
    ("ollama", _OLLAMA, re.compile(r"/api/(?P<name>chat|generate|embed|embeddings|tags|show|version)$")),
    ("anthropic", _ANTHROPIC, re.compile(r"/(?P<name>messages(?:/count_tokens)?)$")),
    ("cohere", _COHERE, re.compile(r"/v[12]/(?P<name>chat|embed|tokenize|classify)$")),
    ("rerank", _COHERE, re.compile(r"/(?P<name>rerank)$")),
    (
        "openai",
        _OPENAI,
        re.compile(
            r"(?:/deployments/(?P<deployment>[^/]+))?/(?P<name>chat/completions|completions|responses|embeddings"
            r"|moderations|images/generations|audio/(?:speech|transcriptions|translations))$"
        ),
    ),
)
_PURE = frozenset(
    ("embeddings", "embed", "embedContent", "batchEmbedContents", "rerank", "countTokens", "tokenize", "moderations",
     "messages/count_tokens", "tags", "show", "version")
)  # fmt: skip


def recognised(method: str, path: str) -> Operation:
    """The operation that a request's method and path are of."""
    if method in ("POST", "GET"):
        for provider, volatile, pattern in _KNOWN:
            if found := pattern.search(path):
                said = {key: value for key, value in found.groupdict().items() if value}
                name = said.pop("name")
                return Operation(provider, name, volatile, tuple(said.items()), pure=name in _PURE or method == "GET")
    return Operation("http", f"{method} {path}", _ANY, pure=method in ("GET", "HEAD", "OPTIONS"))


_EMBEDDINGS = ("embeddings", "embed", "embedContent", "batchEmbedContents")
_OTHERS = ("countTokens", "tokenize", "classify", "moderations", "tags", "show", "version", "messages/count_tokens")


def kind_of(method: str, path: str) -> Literal["llm", "embedding", "rerank", "http"]:
    """What a request asks: a model, an embedding, another order, or anything else."""
    found = recognised(method, path)
    if not found.known or found.name in _OTHERS or found.name.startswith(("images/", "audio/")):
        return "http"
    if found.name in _EMBEDDINGS:
        return "embedding"
    return "rerank" if found.name == "rerank" else "llm"
