"""Every byte of every store's files is accounted for; see `account`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from envclone.forked import together
from envclone.models import ByteClass, ProgressEvent, StorePlan, StoreSnapshot
from envclone.protocols import Progress, Store
from envclone.verifier.account import Account
from envclone.verifier.field_findings import FieldFindings

__all__ = ["examine_files"]


def examine_files(
    stores: Mapping[str, tuple[Path, StoreSnapshot, Store, StorePlan]], findings: FieldFindings, progress: Progress
) -> dict[str, Any]:
    """Have each closed clone's store account for its files; returns the figures, in all and per store.

    What is found is added to the findings' leaks. Closed stores are read by copies of this process, side by side.
    """
    accounts = {name: Account(name, directory, findings) for name, (directory, *_) in stores.items()}

    here = os.getpid()

    def work(name: str) -> Callable[[Progress], Sequence[Any]]:
        directory, snapshot, store, plan = stores[name]

        def run(progress: Progress) -> Sequence[Any]:
            progress(ProgressEvent(name, 0))
            account, taken = accounts[name], list[Any]()
            ledger = account if os.getpid() == here else _Kept(account, taken)
            store.account(directory, snapshot, plan, findings.rows.get(name, {}), ledger)
            return [*taken, account.found()]

        return run

    figures: dict[str, dict[str, Any]] = {}
    for name, found in together({name: work(name) for name in stores}, stores, progress).items():
        for one in found:
            accounts[name].take(one)
        figures[name] = accounts[name].settle()
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


class _Kept:
    """A ledger that keeps what copies of this process entered, for the process that adds it up."""

    def __init__(self, account: Account, taken: list[Any]) -> None:
        self.enter, self.found, self.take = account.enter, account.found, taken.append
