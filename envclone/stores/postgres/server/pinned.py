"""What every session of envclone's own sends in its startup packet, where no role's and no database's settings reach.

`ALTER DATABASE … SET` and `ALTER ROLE … SET` take effect when a session begins, and the startup packet alone has
precedence over them: a SET that comes later is too late for a library that is loaded at the login, and is itself
already said in a session that production's owner prepared.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["SEARCH_PATH", "connect", "operator", "options", "ordinary", "production", "step"]

SEARCH_PATH = "pg_catalog, pg_temp"
"""The system's own names and nothing else; pg_temp is named so that it is searched last instead of first."""

_NAMES = {
    "search_path": SEARCH_PATH,
    "local_preload_libraries": "",
    "role": "none",
    "row_security": "off",  # what a policy would hide is an error
    "transform_null_equals": "off",
}
_TRANSACTIONS = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
}
_MANNERS = {
    "jit": "off",
    "exit_on_error": "off",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "xmloption": "content",
    "xmlbinary": "base64",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "client_min_messages": "warning",
    "debug_print_parse": "off",
    "debug_print_rewritten": "off",
    "debug_print_plan": "off",
    "default_table_access_method": "heap",
    "default_tablespace": "",
    "temp_tablespaces": "",
}
_UNLIMITED = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
_PATIENCE = {
    **_UNLIMITED,
    "statement_timeout": "10min",
    "lock_timeout": "1min",
    "idle_in_transaction_session_timeout": "10min",
}
"""In production nothing that is asked may hang, or hold anybody up; a session waits idle while a backup is copied."""

_NEWER = {"transaction_timeout": "0"}
"""Known from PostgreSQL 17 on."""

_POWERS = {"session_preload_libraries": ""}
_NEWER_POWERS = {"event_triggers": "off"}
_MAINTENANCE_POWERS = {
    "session_replication_role": "replica",  # no trigger, no rule and no foreign key of production acts
    "dynamic_library_path": "$libdir",
    "lc_messages": "C",
    "ignore_checksum_failure": "off",
    "zero_damaged_pages": "off",
    "log_min_messages": "log",  # the log of a server of our own holds no statement and no value
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
}
"""Settings that a superuser alone may make, also in a startup packet."""

_OPTIONAL = {*_NEWER, *_POWERS, *_NEWER_POWERS}
"""Left out when the server says that it does not know them, or that this login may not set them."""


def operator(major: int | None) -> dict[str, str]:
    """A superuser's session on a server of our own; `major` None when its version is not known yet."""
    newer = {} if major is not None and major < 17 else _NEWER | _NEWER_POWERS
    return _NAMES | _TRANSACTIONS | _MANNERS | _UNLIMITED | _POWERS | _MAINTENANCE_POWERS | newer


def ordinary(major: int | None, keep: Collection[str] = ()) -> dict[str, str]:
    """A session on a server of our own as an ordinary role; what `keep` names stays as the role has it."""
    newer = {} if major is not None and major < 17 else _NEWER
    return _without(_NAMES | _TRANSACTIONS | _MANNERS | _UNLIMITED | newer, keep)


def production(keep: Collection[str] = ()) -> dict[str, str]:
    """A reading session in production, as the DSN's login; what `keep` names stays as the role has it."""
    pins = _NAMES | _TRANSACTIONS | _MANNERS | _PATIENCE | _NEWER | _POWERS | _NEWER_POWERS
    return _without(pins | {"default_transaction_read_only": "on"}, keep)


def step(superuser: bool = True) -> dict[str, str]:
    """A session for a statement that is not ours: its role's and database's settings decide what it means.

    Only what runs code before the first statement is out. What envclone itself asks there must name every schema,
    operators included.
    """
    powers = _POWERS | _NEWER_POWERS if superuser else {}
    return {"local_preload_libraries": "", "default_transaction_read_only": "on", **powers}


def options(pins: Mapping[str, str], before: str = "") -> str:
    """libpq's `options` with these settings behind those of `before`: the last one counts."""
    given = " ".join(f"-c {name}={_escaped(value)}" for name, value in pins.items())
    # a backslash at the end would take the space that separates
    return f"{before}{' ' if len(before) - len(before.rstrip(chr(92))) & 1 else ''} {given}".strip()


def connect(conninfo: str = "", *, pins: Mapping[str, str], **parameters: Any) -> psycopg.Connection[Any]:
    """Connect with these settings in the startup packet; what conninfo or PGOPTIONS sets itself comes before them.

    A replication session takes none, which no such setting reaches.
    A setting that the server does not know, or that this login may not make, is left out when it is one of those
    that belong to a version or to superusers. Raises what psycopg raises.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    given = conninfo_to_dict(conninfo).get("options")
    before = str(given) if given is not None else os.environ.get("PGOPTIONS", "")
    if "replication" in parameters:
        before = ""
    pins = dict(pins)
    while True:
        try:
            return psycopg.connect(conninfo, options=options(pins, before), **parameters)
        except psycopg.OperationalError as exc:
            # the server's language can be any; the name of the setting stands in all of them
            refused = [name for name in pins if name in _OPTIONAL and f'"{name}"' in str(exc)]
            if not refused:
                raise
            if {*refused} & {*_NEWER}:  # anybody may set these: the version does not know them
                refused = [*_NEWER, *_NEWER_POWERS]
            for name in refused:
                pins.pop(name, None)


def _without(pins: Mapping[str, str], keep: Collection[str]) -> dict[str, str]:
    return {name: value for name, value in pins.items() if name not in keep}


def _escaped(value: str) -> str:
    """A value inside libpq's `options`, which splits at white space."""
    return re.sub(r"([\\\s])", r"\\\1", value)
