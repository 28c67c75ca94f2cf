"""Which functions act and which settings a step may have, by name."""

from __future__ import annotations

import pytest

from envclone.stores.postgres.steps.reading.known import acts, may_be_set, tells


@pytest.mark.parametrize(
    "name",
    """pg_terminate_backend pg_switch_wal pg_current_xact_id txid_current query_to_xml table_to_xml_and_xmlschema
    crosstab4 pg_sleep_for pg_advisory_xact_lock_shared pg_try_advisory_lock lo_export lo_from_bytea loread pg_read_file
    pg_read_binary_file pg_ls_logdir pg_stat_file pg_stat_reset_shared pg_create_logical_replication_slot dblink_exec
    pg_replication_slot_advance pg_logical_emit_message pg_restore_relation_stats nextval set_config""".split(),  # noqa: SIM905
)
def test_what_acts(name: str) -> None:
    assert acts(name) and not tells(name, extension=False)


@pytest.mark.parametrize("name", ["now", "lower", "random", "pg_stat_get_activity", "lo_get", "currval", "pg_read"])
def test_what_does_not(name: str) -> None:
    assert not acts(name)


def test_settings() -> None:
    for name in ("hnsw.ef_search", "enable_seqscan", "work_mem", "search_path", "TimeZone", "request.jwt.claims"):
        assert may_be_set(name), name
    for name in (
        "role", "ROLE", "session_authorization", "transaction_read_only", "default_transaction_read_only",
        "session_preload_libraries", "plperl.on_init", "PLV8.start_proc", "standard_conforming_strings", "a b.c",
        "client_encoding", "temp_tablespaces", "log_min_messages", "zero_damaged_pages", "",
    ):  # fmt: skip
        assert not may_be_set(name), name
    assert not may_be_set("statement_timeout", inside=True)
