"""What decides answers beside the vectors, in a form that can be compared: the parameters of the indexes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envclone.stores.qdrant.layout import Collection, collections

__all__ = ["parameters", "parameters_below"]


def parameters(found: Sequence[Collection]) -> dict[str, str]:
    """Per collection and vector: size, distance, index and quantization, as its segments have them, and how many."""
    made: dict[str, str] = {}
    for collection in found:
        shards = collection.shards()
        made[f"collection {collection.name}"] = (
            f"{len(shards)} shards, {sum(len(shard.segments()) for shard in shards)} segments"
        )
        seen: dict[str, set[str]] = {}
        for _, segment in collection.segments():
            for name, config in (segment.config.get("vector_data") or {}).items():
                seen.setdefault(name, set()).add(_words(config))
            for name, config in (segment.config.get("sparse_vector_data") or {}).items():
                seen.setdefault(name, set()).add(f"sparse {_words(config)}")
        for name, texts in seen.items():
            made[f"index {collection.name}{'.' + name if name else ''}"] = "; ".join(sorted(texts))
    return made


def parameters_below(root: Path) -> dict[str, str]:
    """The same of a storage directory."""
    return parameters(collections(root))


def _words(config: Mapping[str, Any]) -> str:
    kept = {key: config[key] for key in ("size", "distance", "index", "quantization_config") if config.get(key)}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).replace('"', "").strip("{}")
