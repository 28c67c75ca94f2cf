"""Which names PostgreSQL itself makes in each directory of a data directory, and which of them a clone needs.

Read from the sources of PostgreSQL 14 to 18 (`slru.c`, `relpath.c`, `xlog_internal.h`, `snapbuild.c`, `basebackup.c`).
What a base backup leaves out is left out here too.
"""

from __future__ import annotations

import re

from envclone.stores.intake import Judge, Verdict

__all__ = ["judge_backup", "judge_data", "judge_space"]

_TAKE, _SKIP, _STRAY, _LINK = Verdict.TAKE, Verdict.SKIP, Verdict.STRAY, Verdict.LINK
_WRITTEN = Verdict.WRITTEN

_SHORT = {
    "RELATION": r"\d+(_(fsm|vm|init))?(\.\d+)?",
    "TEMPORARY": r"t\d+_\d+(_(fsm|vm|init))?(\.\d+)?|pgsql_tmp.*|pg_internal\.init(\.\d+)?",
    "SLRU": r"[0-9A-F]{4,6}|[0-9A-F]{15}",
    "SPACE": r"pg_tblspc/\d+/PG_MAJOR_\d{9}",
}
"""What words in the patterns stand for; MAJOR is the server's major version."""

_FOLDERS: tuple[tuple[str, Verdict], ...] = (
    (r"base|global|pg_multixact|pg_multixact/(members|offsets)|pg_xact|pg_twophase|pg_tblspc|pg_logical", _TAKE),
    (r"pg_(commit_ts|dynshmem|notify|replslot|serial|snapshots|stat|stat_tmp|subtrans)", _TAKE),
    (r"pg_logical/(mappings|snapshots)|pg_wal/(archive_status|summaries)", _TAKE),
    (r"base/\d+|SPACE/\d+|SPACE", _TAKE),
    (r"pg_wal|pg_tblspc/\d+", _LINK),
    (r"(base|SPACE)/pgsql_tmp|pg_replslot/[a-z0-9_]+", _SKIP),
)  # fmt: skip
"""Directories; those of which a clone needs no content are made, and their files are judged below."""

_FILES: tuple[tuple[str, Verdict], ...] = (
    (r"PG_VERSION", _TAKE),
    (r"postgresql(\.auto)?\.conf|pg_hba\.conf|pg_ident\.conf", _WRITTEN),
    (r"postmaster\.(pid|opts)|current_logfiles|backup_manifest|\.s\.PGSQL\.\d+\.lock|autoprewarm\.blocks", _SKIP),
    (r"\.s\.PGSQL\.\d+", Verdict.SOCKET),
    (r"global/(pg_control|pg_filenode\.map)", _TAKE),
    (r"(global|base/\d+|SPACE/\d+)/(RELATION)", _TAKE),
    (r"(global|base/\d+|SPACE/\d+)/(TEMPORARY)", _SKIP),
    (r"(base/\d+|SPACE/\d+)/(PG_VERSION|pg_filenode\.map)", _TAKE),
    (r"(pg_xact|pg_multixact/members|pg_multixact/offsets)/(SLRU)", _TAKE),
    (r"(pg_commit_ts|pg_notify|pg_serial|pg_subtrans)/(SLRU)", _SKIP),  # true times, and what ends with a server
    (r"pg_twophase/([0-9A-F]{8}|[0-9A-F]{16})", _TAKE),
    (r"pg_logical/replorigin_checkpoint", _TAKE),
    (r"pg_logical/mappings/map-[0-9a-f]+-[0-9a-f]+-[0-9A-F]+_[0-9A-F]+-[0-9a-f]+-[0-9a-f]+", _SKIP),
    (r"pg_logical/snapshots/[0-9A-F]+-[0-9A-F]+\.snap|pg_snapshots/[0-9A-F]+-[0-9A-F]+-\d+", _SKIP),
    (r"pg_dynshmem/mmap\.\d+|pg_replslot/[a-z0-9_]+/.*", _SKIP),
    (r"pg_stat(_tmp)?/(pgstat|global|db_\d+|pg_stat_statements|pgss_query_texts)\.stat", _SKIP),  # queries' text
    (r"pg_wal/([0-9A-F]{24}|[0-9A-F]{8}\.history)", _TAKE),
    (r"pg_wal/([0-9A-F]{24}\.(partial|[0-9A-F]{8}\.backup)|xlogtemp\.\d+)", _SKIP),
    (r"pg_wal/(archive_status/[0-9A-F.]+(history|partial|backup)?\.(ready|done)|summaries/[0-9A-F]{40}\.summary)",
     _SKIP),
)  # fmt: skip

_OF_BACKUP = re.compile(r"backup_label")
"""What a base backup has and a stopped server's directory has not: recovery would begin where it says."""


def judge_data(major: int) -> Judge:
    """The judge of a stopped server's data directory, its tablespaces behind `pg_tblspc` included.

    `backup_label`, `tablespace_map` and recovery's signal files are strays: a cleanly stopped server has none, and
    they would tell a clone where to begin, and where to make links.
    """
    folders, files = _compiled(_FOLDERS, major), _compiled(_FILES, major)

    def judge(path: str, folder: bool) -> Verdict:
        return next((verdict for pattern, verdict in (folders if folder else files) if pattern.fullmatch(path)), _STRAY)

    return judge


def judge_backup(major: int) -> Judge:
    """The judge of what a base backup wrote: a data directory, and the label that its recovery begins at."""
    data = judge_data(major)

    def judge(path: str, folder: bool) -> Verdict:
        if not folder and _OF_BACKUP.fullmatch(path):
            return _TAKE
        return data(path, folder)

    return judge


def judge_space(major: int) -> Judge:
    """The judge of one tablespace's directory by itself."""
    data = judge_data(major)
    return lambda path, folder: data(f"pg_tblspc/1/{path}", folder)


def _compiled(patterns: tuple[tuple[str, Verdict], ...], major: int) -> list[tuple[re.Pattern[str], Verdict]]:
    def spelled(pattern: str) -> str:
        for word, meaning in (*_SHORT.items(), ("MAJOR", str(major))):
            pattern = pattern.replace(word, meaning)
        return pattern

    return [(re.compile(spelled(pattern), re.ASCII), verdict) for pattern, verdict in patterns]
