"""The values that envclone's parts hand to each other: frozen, typed, free of behaviour.

Each is imported when somebody asks for it: to make these classes takes longer than a branch's clone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envclone.models.account import (
        APART,
        Accounted,
        ByteClass,
        Flaw,
        Values,
    )
    from envclone.models.basic import (
        Account,
        Cage,
        ProgressEvent,
        Secret,
    )
    from envclone.models.branches import (
        Branch,
        BranchState,
        Consistency,
        Credentials,
        Endpoint,
        Fenced,
        Image,
        RawSnapshot,
        StoreSnapshot,
    )
    from envclone.models.containers import (
        Container,
        Preview,
        ServerFiles,
    )
    from envclone.models.data import (
        Change,
        Cleaned,
        Compared,
        Field,
        FieldKind,
        FieldRule,
        Held,
        Integrity,
        Inventory,
        JsonRule,
        Probe,
        Questions,
        RewriteReport,
        Rows,
        RowsDigest,
        StorePlan,
        Unanswered,
    )
    from envclone.models.moments import (
        Moment,
    )
    from envclone.models.results import (
        Cassette,
        Counters,
        Egress,
        Heard,
        StepResult,
    )
    from envclone.models.retrieval import (
        Asked,
        Condition,
        Hits,
        Record,
        Retrieval,
    )

__all__ = [
    "APART",
    "Account",
    "Accounted",
    "Asked",
    "Branch",
    "BranchState",
    "ByteClass",
    "Cage",
    "Cassette",
    "Change",
    "Cleaned",
    "Compared",
    "Condition",
    "Consistency",
    "Container",
    "Counters",
    "Credentials",
    "Egress",
    "Endpoint",
    "Fenced",
    "Field",
    "FieldKind",
    "FieldRule",
    "Flaw",
    "Heard",
    "Held",
    "Hits",
    "Image",
    "Integrity",
    "Inventory",
    "JsonRule",
    "Moment",
    "Preview",
    "Probe",
    "ProgressEvent",
    "Questions",
    "RawSnapshot",
    "Record",
    "Retrieval",
    "RewriteReport",
    "Rows",
    "RowsDigest",
    "Secret",
    "ServerFiles",
    "StepResult",
    "StorePlan",
    "StoreSnapshot",
    "Unanswered",
    "Values",
]

_MODULES = {
    "account": ("APART", "Accounted", "ByteClass", "Flaw", "Values"),
    "basic": ("Account", "Cage", "ProgressEvent", "Secret"),
    "branches": (
        "Branch",
        "BranchState",
        "Consistency",
        "Credentials",
        "Endpoint",
        "Fenced",
        "Image",
        "RawSnapshot",
        "StoreSnapshot",
    ),
    "containers": ("Container", "Preview", "ServerFiles"),
    "data": (
        "Change",
        "Cleaned",
        "Compared",
        "Field",
        "FieldKind",
        "FieldRule",
        "Held",
        "Integrity",
        "Inventory",
        "JsonRule",
        "Probe",
        "Questions",
        "RewriteReport",
        "Rows",
        "RowsDigest",
        "StorePlan",
        "Unanswered",
    ),
    "moments": ("Moment",),
    "results": ("Cassette", "Counters", "Egress", "Heard", "StepResult"),
    "retrieval": ("Asked", "Condition", "Hits", "Record", "Retrieval"),
}
_PLACE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PLACE[name]}"), name)
    globals()[name] = value
    return value
