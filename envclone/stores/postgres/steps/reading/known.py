"""What is known of PostgreSQL's functions and settings beyond the catalog: which of them act, which only tell."""

from __future__ import annotations

import re

from envclone.stores.postgres.steps.reading.grammar import words

__all__ = ["acts", "may_be_set", "tells"]

_TELLS = words(
    """
    clock_timestamp timeofday random random_normal gen_random_uuid uuidv4 uuidv7 setseed current_query currval
    lastval bernoulli system array_sample array_shuffle lo_get pg_relation_size pg_table_size pg_indexes_size
    pg_total_relation_size pg_database_size pg_tablespace_size pg_is_in_recovery pg_last_wal_receive_lsn
    pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_is_wal_replay_paused pg_get_wal_replay_pause_state
    pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_lock_status pg_blocking_pids
    pg_safe_snapshot_blocking_pids pg_prepared_xact pg_partition_tree pg_partition_ancestors pg_jit_available
    pg_sequence_last_value pg_get_sequence_data pg_xact_status txid_status pg_collation_actual_version
    pg_database_collation_actual_version pg_notification_queue_usage pg_xact_commit_timestamp
    pg_xact_commit_timestamp_origin pg_last_committed_xact pg_get_multixact_members pg_get_wait_events
    pg_show_replication_origin_status pg_replication_origin_progress pg_control_checkpoint pg_control_init
    pg_control_recovery pg_control_system
    """
)
_TELLS_LIKE = re.compile(r"pg_stat_get_\w+")
_TELLS_OF_EXTENSIONS = words(
    """
    gen_random_uuid gen_random_bytes gen_salt uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4
    pg_stat_statements pg_stat_statements_info pg_buffercache_pages pg_buffercache_summary
    pg_buffercache_usage_counts normal_rand show_trgm show_limit
    """
)
"""Volatile functions that change nothing outside their transaction, and hold nothing that others wait for."""

_ACTS = re.compile(
    r"txid_current|pg_current_xact_id"  # take a transaction id, which is written
    r"|(?:query|cursor|table|schema|database)_to_xml\w*|ts_stat|ts_rewrite|crosstab\w*|connectby|xpath_table"
    r"|st_findextent|pg_input_is_valid|pg_input_error_info"  # run what a string says, or read what it names
    r"|set_config|pg_sleep\w*|pg_notify|pg_\w*advisory\w*|pg_(?:terminate|cancel)_backend|pg_reload_conf|pg_promote"
    r"|pg_switch_wal|pg_create_\w+|pg_drop_\w+|pg_copy_\w+|pg_replication_(?:slot|origin)_\w+|pg_logical_\w+"
    r"|pg_stat_(?:reset|clear|force)\w*|pg_(?:read|ls|stat)_(?:binary_)?(?:file|dir)\w*|pg_ls_\w+|pg_read_\w+"
    r"|pg_file_\w+|lo_(?!get$)\w+|loread|lowrite|pg_backup_\w+|pg_(?:start|stop)_backup|pg_rotate_logfile\w*"
    r"|pg_wal_replay_\w+|pg_export_snapshot|pg_import_\w+|pg_log_\w+|nextval|setval|binary_upgrade_\w+|dblink\w*"
    r"|brin_(?:de)?summarize\w*|gin_clean_pending_list|pg_(?:restore|clear)_\w+_stats|pg_sync_replication_slots"
    r"|pg_extension_config_dump|pg_nextoid|pg_stop_making_pinned_objects|pg_prewarm|autoprewarm\w*"
)
"""Functions that act whatever the catalog calls them: some are declared stable, and a catalog can be changed."""


def acts(name: str) -> bool:
    """Whether a function of PostgreSQL or of an extension is known to act, whatever volatility it is declared with."""
    return _ACTS.fullmatch(name.lower()) is not None and name not in _TELLS


def tells(name: str, *, extension: bool) -> bool:
    """Whether a volatile function of this name may run: it tells something, and nothing is changed by it."""
    if extension:
        return name in _TELLS_OF_EXTENSIONS
    return name in _TELLS or _TELLS_LIKE.fullmatch(name) is not None


_SETTINGS = re.compile(
    r"enable_\w+|\w+_cost|jit\w*|geqo\w*|(?:from|join)_collapse_limit|plan_cache_mode|cursor_tuple_fraction"
    r"|constraint_exclusion|default_statistics_target|max_parallel_workers(?:_per_gather)?|parallel_leader_participation"
    r"|min_parallel_(?:table|index)_scan_size|effective_cache_size|effective_io_concurrency|hash_mem_multiplier"
    r"|work_mem|temp_buffers|recursive_worktable_factor|debug_parallel_query|force_parallel_mode"
    r"|stats_fetch_consistency|synchronize_seqscans|search_path|timezone|datestyle|intervalstyle|extra_float_digits"
    r"|bytea_output|lc_(?:monetary|numeric|time)|default_text_search_config|xmlbinary|xmloption|application_name"
    r"|row_security|array_nulls|transform_null_equals|gin_fuzzy_search_limit|statement_timeout|lock_timeout"
    r"|idle_in_transaction_session_timeout|client_min_messages|quote_all_identifiers"
)
_CUSTOM = re.compile(r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)+")
_LANGUAGES = re.compile(r"(?:plperlu?|plv8|pltclu?|plpython\w*|pljava|plr|plrust|auto_explain|pgaudit|citus)\..*")


def may_be_set(name: str, *, inside: bool = False) -> bool:
    """Whether a step may set this: how a query is planned and shown, limits of time, and an application's own (`a.b`).

    `inside` a function or a statement it is fewer: no limit may be lifted there.
    """
    lower = name.lower()
    if inside and (lower.endswith("timeout") or lower in ("work_mem", "temp_buffers", "hash_mem_multiplier")):
        return False
    if _CUSTOM.fullmatch(name):
        return _LANGUAGES.fullmatch(lower) is None
    return _SETTINGS.fullmatch(lower) is not None
