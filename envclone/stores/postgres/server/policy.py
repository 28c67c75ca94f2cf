"""Which of production's settings a clone keeps: one table of what must not come along, and why.

A setting is kept unless it is named here: it names a place or a key that is not this clone's, reaches out, runs
something, fills logs, or cannot work on this machine. A setting of the form `prefix.name` whose extension is not
installed here belongs to an application and can hold a secret, so it is dropped too.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from envclone.stores.postgres.server.engine import Engine, has_library

__all__ = ["Verdict", "clamp_memory", "is_secret", "judge", "locale_exists", "memory_bytes"]

MEMORY_SHARE = 0.25
"""The most of this machine's memory that a clone's shared_buffers may take."""

_PLACE = "names a place of production's machine"
_OUT = "would reach out of the clone"
_RUNS = "would run a program of production's machine"
_LOGS = "logs go to the clone's own file only"
_TLS = "production's keys and certificates are not copied"
_RECOVERY = "the clone is not a standby and recovers from nothing"

_DROPPED: tuple[tuple[str, str], ...] = (
    (r"data_directory|hba_file|ident_file|config_file|external_pid_file|stats_temp_directory", _PLACE),
    (r"unix_socket_.*|listen_addresses|port|bonjour.*|tcp_keepalives_.*", "the clone listens where envclone says"),
    (r"dynamic_library_path|extension_control_path|jit_provider|geqo_.*_library", _PLACE),
    (r"ssl|ssl_.*|krb_.*|gss_.*|ldap_.*|oauth_.*", _TLS),
    (r"archive_.*", "the clone archives nothing"),
    (r"restore_command|recovery_.*|promote_trigger_file|standby_mode|trigger_file", _RECOVERY),
    (r"primary_.*|sync_replication_slots|synchronized_standby_slots|hot_standby_feedback", _OUT),
    (r"log_.*|logging_collector|syslog_.*|event_source|debug_print_.*|debug_pretty_print", _LOGS),
    (r"db_user_namespace|password_encryption|authentication_timeout|scram_iterations", "logins are the clone's own"),
    (r"huge_page_size|shared_memory_type|dynamic_shared_memory_type|min_dynamic_shared_memory",
     "depends on production's kernel"),
    (r"event_triggers|allow_system_table_mods|ignore_invalid_pages|zero_damaged_pages|restrict_nonsystem_.*",
     "the clone decides itself"),
)  # fmt: skip

_FORCED: Mapping[str, tuple[str, str]] = {
    "archive_mode": ("off", "the clone archives nothing"),
    "archive_command": ("", "the clone archives nothing"),
    "restore_command": ("", _RECOVERY),
    "primary_conninfo": ("", _OUT),
    "primary_slot_name": ("", _OUT),
    "synchronous_standby_names": ("", "there is no standby: commits would wait for ever"),
    "max_logical_replication_workers": ("0", "subscriptions would connect to production's publishers"),
    "autovacuum": ("off", "production's dead rows stay, and its statistics; `settings: {autovacuum: on}` lets it run"),
    "huge_pages": ("try", "huge pages may not be there on this machine"),
    "ssl": ("off", _TLS),
}
"""Always written, whatever production had."""

_ACTING = {
    "pg_cron": "would run production's scheduled jobs",
    "pg_net": "would send HTTP requests",
    "pglogical": "would replicate from production",
    "spock": "would replicate from production",
    "bdr": "would replicate from production",
    "pg_failover_slots": "would connect to production's standby",
    "pg_squeeze": "would rewrite tables",
    "pg_partman_bgw": "would make and drop partitions",
    "timescaledb": "would run production's policies",
    "citus": "would connect to production's other nodes",
    "powa": "would take snapshots of statistics",
    "pgsodium": "would fetch production's key",
    "vault": "would fetch production's key",
}
"""Libraries whose background workers act by themselves, or reach out."""

_SECRET = re.compile(r".*(command|conninfo|password|passwd|secret|token|_key|apikey|credential|passphrase).*|ssl.*")
_EXTENSION_PREFIXES = {
    "hnsw": "vector", "ivfflat": "vector", "auto_explain": "auto_explain", "pg_stat_statements": "pg_stat_statements",
    "pg_trgm": "pg_trgm", "plpgsql": "plpgsql", "pg_hint_plan": "pg_hint_plan", "pgaudit": "pgaudit",
    "pg_prewarm": "pg_prewarm", "autoprewarm": "pg_prewarm", "postgis": "postgis-3", "vchordrq": "vchord",
    "diskann": "vectorscale", "pg_bigm": "pg_bigm", "rum": "rum",
}  # fmt: skip
_LOCALES = {"lc_messages", "lc_monetary", "lc_numeric", "lc_time"}
_PRELOADS = {"shared_preload_libraries", "session_preload_libraries", "local_preload_libraries"}
_UNITS = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one setting: kept as it is, set to `value`, or dropped (the server's default)."""

    action: Literal["keep", "set", "drop"]
    value: str = ""
    reason: str = ""


_KEEP = Verdict("keep")


def forced() -> Mapping[str, tuple[str, str]]:
    """Settings that every clone has, with the reason."""
    return _FORCED


def is_secret(name: str) -> bool:
    """Whether a setting's value may hold a secret, so that it is never read into a snapshot's record."""
    lower = name.lower()
    return bool(_SECRET.fullmatch(lower)) or ("." in lower and lower.partition(".")[0] not in _EXTENSION_PREFIXES)


def judge(name: str, value: str, engine: Engine, *, memory: int | None = None) -> Verdict:
    """What becomes of a setting; `value` carries its unit where it has one (`131072kB`), `memory` is bytes of RAM."""
    lower = name.lower()
    if lower in _FORCED:
        wanted, why = _FORCED[lower]
        return _KEEP if value == wanted else Verdict("set", wanted, why)
    for pattern, why in _DROPPED:
        if re.fullmatch(pattern, lower):
            return Verdict("drop", reason=why)
    if "." in lower:
        library = _EXTENSION_PREFIXES.get(lower.partition(".")[0])
        if library is None or not has_library(engine, library):
            return Verdict("drop", reason="its extension is not known here; it may be an application's secret")
        return _KEEP
    if lower in _PRELOADS:
        return _libraries(value, engine)
    if lower in _LOCALES and not locale_exists(value):
        return Verdict("set", "C", f"the locale {value} does not exist on this machine")
    if lower == "shared_buffers":
        return clamp_memory(value, memory if memory is not None else _memory())
    if lower == "io_method" and value == "io_uring":
        return Verdict("set", "worker", "io_uring may not be allowed on this machine")
    if not _known(engine, lower):
        return Verdict("drop", reason=f"PostgreSQL {engine.version} here does not know it")
    return _KEEP


def clamp_memory(value: str, memory: int) -> Verdict:
    """shared_buffers, at most a quarter of `memory` bytes."""
    limit = int(memory * MEMORY_SHARE)
    if memory_bytes(value, default_unit=8192) <= limit:
        return _KEEP
    return Verdict("set", f"{limit >> 20}MB", f"a quarter of this machine's {memory >> 20} MB of memory")


def memory_bytes(value: str, default_unit: int = 1) -> int:
    """Bytes of a memory setting such as `128MB`; a bare number counts `default_unit`s, 0 when it is none."""
    match = re.fullmatch(r"\s*([0-9.]+)\s*(B|kB|MB|GB|TB)?\s*", value)
    if match is None:
        return 0
    number, unit = match.groups()
    return int(float(number) * (_UNITS[unit] if unit else default_unit))


def locale_exists(name: str) -> bool:
    """Whether the C library of this machine has a locale; the empty name asks for the environment's."""
    if name in ("", "C", "POSIX"):
        return True
    libc = ctypes.CDLL(None)
    libc.newlocale.restype = ctypes.c_void_p
    libc.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    libc.freelocale.argtypes = (ctypes.c_void_p,)
    made = libc.newlocale(1 << 0 | 1 << 3, name.encode(), None)  # LC_CTYPE_MASK | LC_COLLATE_MASK
    if not made:
        return False
    libc.freelocale(made)
    return True


def _libraries(value: str, engine: Engine) -> Verdict:
    names = [part.strip().strip('"') for part in value.split(",") if part.strip()]
    bases = {name: name.removeprefix("$libdir/").removesuffix(".so") for name in names}
    kept = [name for name in names if bases[name] not in _ACTING and has_library(engine, name)]
    if kept == names:
        return _KEEP
    why = [f"{bases[name]} {_ACTING.get(bases[name], 'is not installed here')}" for name in names if name not in kept]
    return Verdict("set", ",".join(bases[name] for name in kept), "; ".join(why))


def _known(engine: Engine, name: str) -> bool:
    """Whether the server's binary holds the parameter's name: at one that it does not know it refuses to start."""
    with (
        (engine.bindir / "postgres").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as binary,
    ):
        # strings end in NUL; linkers store one that is another's tail only once
        return binary.find(_SPELLED.get(name, name).encode() + b"\0") >= 0


_SPELLED = {"datestyle": "DateStyle", "timezone": "TimeZone", "intervalstyle": "IntervalStyle"}
"""The parameters that are stored with capitals."""


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
