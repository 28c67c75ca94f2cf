"""The values that envclone's parts hand to each other: frozen, typed, free of behaviour."""

from __future__ import annotations

from envclone.models.account import (
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
from envclone.models.results import (
    Counters,
    StepResult,
)

__all__ = [
    "Account",
    "Accounted",
    "Branch",
    "BranchState",
    "ByteClass",
    "Cage",
    "Change",
    "Cleaned",
    "Compared",
    "Consistency",
    "Container",
    "Counters",
    "Credentials",
    "Endpoint",
    "Field",
    "FieldKind",
    "FieldRule",
    "Flaw",
    "Held",
    "Image",
    "Integrity",
    "Inventory",
    "JsonRule",
    "Preview",
    "Probe",
    "ProgressEvent",
    "Questions",
    "RawSnapshot",
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
