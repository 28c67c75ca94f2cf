"""What the servers say of themselves: PostgreSQL's settings, Qdrant's telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from envclone.errors import ConfigError

if TYPE_CHECKING:
    import psycopg

__all__ = ["SETTINGS", "from_postgres", "from_telemetry"]

SETTINGS = (
    "shared_buffers", "work_mem", "maintenance_work_mem", "hash_mem_multiplier", "effective_cache_size", "temp_buffers",
    "temp_file_limit", "max_connections", "max_worker_processes", "max_parallel_workers",
    "max_parallel_workers_per_gather", "max_parallel_maintenance_workers", "parallel_setup_cost", "parallel_tuple_cost",
    "min_parallel_table_scan_size", "min_parallel_index_scan_size", "random_page_cost", "seq_page_cost",
    "cpu_tuple_cost", "cpu_index_tuple_cost", "cpu_operator_cost", "effective_io_concurrency",
    "default_statistics_target", "from_collapse_limit", "join_collapse_limit", "geqo", "geqo_threshold", "jit",
    "jit_above_cost", "plan_cache_mode", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
    "huge_pages", "io_method", "hnsw.ef_search", "hnsw.iterative_scan", "hnsw.max_scan_tuples", "ivfflat.probes",
    "ivfflat.iterative_scan",
)  # fmt: skip
"""PostgreSQL's settings that decide plans, memory and time limits."""


def from_postgres(conn: psycopg.Connection[Any]) -> dict[str, Any]:
    """A profile's values from a running server: its version, and those of SETTINGS that it knows, with their units."""
    rows = conn.execute(
        "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings"
        " WHERE name OPERATOR(pg_catalog.=) ANY (%s) ORDER BY name",
        [list(SETTINGS)],
    ).fetchall()
    version = conn.execute("SELECT pg_catalog.current_setting('server_version')").fetchone()
    return {"settings": dict(rows), "version": str(version[0]).split()[0] if version else None}


def from_telemetry(document: Any) -> dict[str, Any]:
    """A profile's values from Qdrant's `GET /telemetry?details_level=2`.

    Raises ConfigError when it is something else.
    """
    result = document.get("result", document) if isinstance(document, Mapping) else None
    app = result.get("app") if isinstance(result, Mapping) else None
    if not isinstance(app, Mapping) or app.get("name") != "qdrant":
        raise ConfigError("this is not Qdrant's telemetry", hint="GET /telemetry?details_level=2")
    assert isinstance(result, Mapping)
    system = app.get("system") or {}
    host: dict[str, Any] = {}
    if system.get("cores"):
        host["cpus"] = system["cores"]
    if system.get("ram_size"):
        host["memory"] = system["ram_size"] * 1024  # Qdrant counts KiB here
    settings: dict[str, str] = {}
    for one in (result.get("collections") or {}).get("collections") or ():
        optimizers = ((one.get("config") or {}).get("optimizer_config")) or {}
        for name in ("max_optimization_threads", "memmap_threshold", "indexing_threshold", "default_segment_number"):
            if optimizers.get(name) is not None:
                settings[f"{one.get('id', '')}.{name}"] = str(optimizers[name])
        hnsw = (one.get("config") or {}).get("hnsw_config") or {}
        for name in ("m", "ef_construct", "full_scan_threshold", "on_disk"):
            if hnsw.get(name) is not None:
                settings[f"{one.get('id', '')}.hnsw.{name}"] = str(hnsw[name])
    return {"version": app.get("version"), "host": host, "settings": settings}
