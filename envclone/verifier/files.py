"""Every byte of every store's files is accounted for; see `account`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envclone.models import ByteClass, ProgressEvent, StorePlan, StoreSnapshot
from envclone.protocols import Progress, Store
from envclone.verifier.account import Account
from envclone.verifier.fields import FieldFindings

__all__ = ["examine_files"]


def examine_files(
    stores: Mapping[str, tuple[Path, StoreSnapshot, Store, StorePlan]], findings: FieldFindings, progress: Progress
) -> dict[str, Any]:
    """Have each closed clone's store account for its files; returns the figures, in all and per store.

    What is found is added to the findings' leaks.
    """
    figures: dict[str, dict[str, Any]] = {}
    for name, (directory, snapshot, store, plan) in stores.items():
        progress(ProgressEvent(name, 0))
        made = Account(name, directory, findings)
        store.account(directory, snapshot, plan, findings.rows.get(name, {}), made)
        figures[name] = made.settle()
    classes: Counter[str] = Counter()
    for one in figures.values():
        classes.update(one["classes"])
    return {
        "files": sum(one["files"] for one in figures.values()),
        "bytes": sum(classes.values()),
        "classes": {one.value: classes[one.value] for one in ByteClass},
        "values_searched": sum(one["values_searched"] for one in figures.values()),
        "coincidences": sum(one["coincidences"] for one in figures.values()),
        "residue_hits": 0,
        "stores": figures,
    }
