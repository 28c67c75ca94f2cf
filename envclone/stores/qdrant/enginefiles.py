"""Which names Qdrant itself makes in each directory of a collection.

Read from Qdrant 1.13 to 1.19 and qdrant_edge 0.9: `lib/segment`, `lib/shard`, `lib/blobstore`, `lib/sparse`, `lib/wal`.
"""

from __future__ import annotations

import re

from envclone.stores.intake import Verdict

__all__ = ["judge"]

_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_GRIDSTORE = r"config\.json|tracker\.dat|tracker_journal\.dat|log_tracker\.dat|bitmask\.dat|gaps\.dat|page_\d+\.dat"
_FLAGS = r"status\.dat|flags_[ab]\.dat"
_CHUNKS = r"config\.json|status\.dat|chunk_\d+\.mmap"
_SEGMENT = (
    r"version\.info|segment\.json|id_tracker\.(mappings|deleted|versions|i2e|e2i|is_uuid)"
    r"|mutable_id_tracker\.(mappings|versions)"
)
_VECTORS = r"matrix\.dat|deleted\.dat|tq_vectors\.dat|quantized\.(config\.json|data|meta\.json|offsets\.data)"
_GRAPH = (
    r"hnsw_config\.json|graph\.bin|links(_compressed|_comp_vec)?\.bin"
    r"|sparse_index_config\.json|inverted_index\.dat|inverted_index_config\.json|indices_tracker\.json|version\.info"
)
_INDEX = (
    r"values_to_points\.bin|point_to_values\.bin|deleted(_mask)?\.bin|mmap_field_index_(config|stats)\.json"
    r"|data(_block_index)?\.bin|histogram_config\.json|histogram_borders\.bin"
    r"|counts_per_hash(_block_index)?\.bin|points_map(_block_index|_ids)?\.bin"
    r"|postings\.dat|vocab\.dat|point_to_tokens_count\.dat|deleted_points\.dat|prefix_index\.bin|version\.info"
)
_KEY = r"payload_index/[^/]+[-_](map|numeric|text|bool|null|geo)"
_STORAGE = r"vector_storage(-[^/]*)?"
_CHUNKED = rf"{_STORAGE}/(vectors|offsets|tq_vectors|tq_offsets|quantized_data|quantized_offsets_data)"

_SEGMENT_FOLDERS = re.compile(
    rf"payload_storage|payload_index|{_STORAGE}|vector_index(-[^/]*)?|{_CHUNKED}|{_STORAGE}/(deleted|store)"
    rf"|{_KEY}|{_KEY}/(has_values|is_null|trues|falses)"
)
_SEGMENT_FILES = re.compile(
    rf"{_SEGMENT}|payload_storage/({_GRIDSTORE})|payload_index/config\.json|{_STORAGE}/({_VECTORS})"
    rf"|{_CHUNKED}/({_CHUNKS})|{_STORAGE}/deleted/({_FLAGS})|{_STORAGE}/store/({_GRIDSTORE})"
    rf"|vector_index(-[^/]*)?/({_GRAPH})|{_KEY}/({_INDEX}|{_GRIDSTORE})"
    rf"|{_KEY}/(has_values|is_null|trues|falses)/({_FLAGS})"
)
_FOLDERS = re.compile(rf"\d+|\d+/(segments|wal)|\d+/segments/{_UUID}")
_FILES = re.compile(
    r"(config|payload_index|shard_key_mapping|resharding_state)\.json|version\.info|shard_\d+\.initializing"
    r"|\d+/(edge_config|shard_config|replica_state)\.json"
    r"|\d+/wal/((open|closed)-\d+|tmp-open-\d+|first-index)"
)
_OF_SEGMENT = re.compile(rf"\d+/segments/{_UUID}/(.+)")


def judge(path: str, folder: bool) -> Verdict:
    """The judge of one collection's directory; an engine's layout has no symbolic link."""
    inner = _OF_SEGMENT.fullmatch(path)
    if inner is not None:
        known = _SEGMENT_FOLDERS if folder else _SEGMENT_FILES
        return Verdict.TAKE if known.fullmatch(inner[2]) else Verdict.STRAY
    return Verdict.TAKE if (_FOLDERS if folder else _FILES).fullmatch(path) else Verdict.STRAY
