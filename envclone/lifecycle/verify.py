"""Station 3: prove that the clone is production minus the people, on its rows and on the bytes of its files.

1. Every masked value is the mask of its raw counterpart, every other value is untouched, and every row is at its
   address (except where the report of the rewriting says so): the raw rows under the masks are compared with the
   sanitized ones. Every vector index answers as production's does.
2. No reference is orphaned that was not, every unique constraint holds, and nothing that could reach out of the clone
   or let somebody in is left.
3. No original value stands in a field of any store, masked or kept.
4. The files are whole: pages, rows and TOAST values.
5. No original value stands in the record that is published with the files.
6. Every byte of every file belongs to one class, which says why it is nobody's original: structure, a value that was
   compared, a value that the engine made of others and that was searched, zero. What no class claims is searched as it
   is, and a file that no class claims enters no image.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from envclone import attestation, records, registry
from envclone.accounts import account_of, hand_over
from envclone.errors import UnsafeError
from envclone.forked import together
from envclone.lifecycle.opening import Clone, sessions
from envclone.lifecycle.sanitize import Sanitized, apart
from envclone.memory import give_back
from envclone.models import Integrity, ProgressEvent, StorePlan
from envclone.pool.workdir import workdir
from envclone.project import Project
from envclone.protocols import Progress, StoreSession
from envclone.shelf import Shelf
from envclone.verifier.fidelity import fidelity, unfaithful
from envclone.verifier.field_findings import FieldFindings
from envclone.verifier.fields import examine_fields
from envclone.verifier.files import examine_files
from envclone.verifier.findings import Accepted
from envclone.verifier.record import examine_record
from envclone.verifier.references import dangling

__all__ = ["Verified", "kept", "stores_record", "verify"]


class Verified:
    """A sanitized clone that passed every check; only `verify` makes one, and only `publish` takes one."""

    __slots__ = ("checks", "sanitized")

    def __init__(self, token: object, sanitized: Sanitized, checks: Mapping[str, Any]) -> None:
        if token is not _TOKEN:
            raise TypeError("only verify() makes a Verified")
        self.sanitized = sanitized
        self.checks = checks


_TOKEN = object()
_HINT = (
    "a vector index that need not be proven is named in the stack file: "
    "sanitize.fidelity.accept: [{index: STORE.INDEX, reason: WHY}]"
)


def verify(project: Project, sanitized: Sanitized, *, files: Path | None = None) -> Verified:
    """Run every check on a sanitized clone. Raises UnsafeError listing what failed; a value is never shown.

    The servers that look at the rows run on a clone of it: what they leave in their files is not published.
    `files` is where the bytes are searched when the clone is such a one already. The originals, and what finds them,
    lie in files without a name in a directory of their own, and are gone when this returns.
    """
    with workdir(project.pool, project.cow, "search") as private:
        private.chmod(0o700)
        return _verify(project, sanitized, files, Shelf(private, beside=sanitized.masks.shelf))


def _verify(project: Project, sanitized: Sanitized, files: Path | None, shelf: Shelf) -> Verified:
    project.begin("comparing rows")
    with workdir(project.pool, project.cow, "raw") as counterpart, ExitStack() as held:
        opened = sanitized.directory
        with ThreadPoolExecutor(1) as beside:
            cloning = beside.submit(project.clone_raw, sanitized.raw, counterpart)
            if files is None:
                opened = held.enter_context(workdir(project.pool, project.cow, "rows"))
                for name in sanitized.stores:
                    project.cow.clone(sanitized.directory / name, opened / name)
                    hand_over(opened / name, account_of(opened / name))
            cloning.result()
        closed = files or sanitized.directory
        checks, findings, examined = _examine_rows(project, sanitized, counterpart, opened, closed, shelf)
    checks["record_texts"] = examine_record(
        {"raw": records.dump(sanitized.raw), "stores": stores_record(sanitized)}, findings
    )
    checks["structure"] = {}
    project.begin("checking the files")
    for name, found in examined.items():
        if isinstance(found, UnsafeError):  # what is not whole cannot be accounted for
            findings.leaks.fail([found.message, *found.problems], found.hint)
            findings.leaks.refuse()
        else:
            checks["structure"][name] = found
    give_back()
    project.begin("accounting for every byte")
    checks["files"] = examine_files(
        {
            name: (
                (files or sanitized.directory) / name,
                snapshot,
                registry.store(snapshot.kind),
                sanitized.stores[name].plan,
            )
            for name, snapshot in sanitized.raw.stores.items()
        },
        findings,
        project.progress,
    )
    _nothing_else(files or sanitized.directory, sanitized, findings)
    findings.leaks.refuse()
    checks["accepted"] = findings.leaks.exceptions()
    return Verified(_TOKEN, sanitized, checks)


def _nothing_else(directory: Path, sanitized: Sanitized, findings: FieldFindings) -> None:
    """Beside the stores there is nothing but what a published image is sealed with."""
    own = {*sanitized.raw.stores, attestation.ATTESTATION, attestation.SIGNATURE, attestation.MANIFEST}
    for entry in sorted(directory.iterdir()):
        if entry.name not in own:
            findings.leaks.fail([f"{entry.name} lies beside the stores, and no store accounts for it"])


def exceptions_of(project: Project) -> list[Accepted]:
    """The exceptions that the stack file makes."""
    return [Accepted(one.field, one.kind, one.reason) for one in project.loaded.stack.sanitize.accept]


def kept(plan: StorePlan) -> set[str]:
    """The fields whose values no mask changes: their statistics stay production's."""
    return {address for address, rule in plan.rules.items() if not rule.masked and not rule.derived}


def stores_record(sanitized: Sanitized) -> dict[str, Any]:
    """What the attestation says of each store: the rules, what was written, what was cleaned."""
    return {
        name: {
            "plan": _public(work.plan),
            "rewrite": asdict(work.rewrite),
            "cleaned": [asdict(item) for item in work.cleaned],
        }
        for name, work in sanitized.stores.items()
    }


def _public(plan: StorePlan) -> dict[str, Any]:
    """A plan as it is published: a path of JSON keys as it may be shown."""
    document: dict[str, Any] = records.dump(plan)
    for address, rule in plan.rules.items():
        document["rules"][address]["json"] = [{"path": one.public, "domain": one.domain} for one in rule.json]
    return document


def _decisive(raw: StoreSession, clean: StoreSession, fields: set[str]) -> dict[str, str]:
    """What decides answers and plans in production; the file of what the masks had to write again is not."""
    found = dict(raw.decisive(fields))
    builds = {what for what in found if what.startswith(("build ", "table "))}
    own = clean.decisive(()) if builds else {}
    return {what: text for what, text in found.items() if what not in builds or own.get(what) == text}


def _examine_rows(
    project: Project, sanitized: Sanitized, counterpart: Path, opened: Path, closed: Path, shelf: Shelf
) -> tuple[dict[str, Any], FieldFindings, Mapping[str, dict[str, int] | UnsafeError]]:
    """Checks 1 to 3, with raw and sanitized open side by side in private; what is published is in `closed`.

    The files of each store are examined (check 4) beside, for that needs no server and no original.
    """
    raw_stores = sanitized.raw.stores
    with ExitStack() as stack:
        project.progress(ProgressEvent(f"opening {', '.join(raw_stores)}", 0))
        clones: dict[tuple[str, str], Clone] = {}
        for name, snapshot in raw_stores.items():
            adapter = registry.store(snapshot.kind)
            clones["raw", name] = Clone(adapter, counterpart / name, snapshot, counterpart / f"{name}.log")
            clones["clean", name] = Clone(adapter, opened / name, snapshot, counterpart / f"{name}-clean.log")
        found = stack.enter_context(sessions(clones))
        raws, cleans = ({name: found[side, name] for name in raw_stores} for side in ("raw", "clean"))
        for name in raw_stores:
            cleans[name].reads(closed / name)
        hooks = project.hooks()
        stack.callback(hooks.close)
        stack.callback(sanitized.masks.close)
        problems: list[str] = []
        production = {
            name: _decisive(raws[name], cleans[name], kept(sanitized.stores[name].plan)) for name in raw_stores
        }
        for name in raw_stores:
            hooks.run_sql("before", name, raws[name])
        plans = {name: work.plan for name, work in sanitized.stores.items()}
        alone = apart(raws, plans, sanitized.masks)
        sides: dict[str, dict[str, StoreSession]] = {"raw": raws, "clean": cleans}
        references = project.loaded.stack.sanitize.references

        def fields(progress: Progress) -> FieldFindings:
            return examine_fields(
                raws,
                cleans,
                plans,
                {name: work.rewrite.placed for name, work in sanitized.stores.items()},
                project.domains,
                sanitized.masks,
                progress,
                references=references,
                accepted=exceptions_of(project),
                shelf=shelf,
                apart=alone,
            )

        def beside(progress: Progress) -> _Beside:
            its = {side: {name: them[name] for name in alone} for side, them in sides.items()}
            return _Beside(
                {name: _examined(snapshot.kind, closed / name) for name, snapshot in raw_stores.items()},
                _integrity(its),
                dangling(references, plans, raws, cleans),
            )

        # people are collected by one process for a while: what needs none of them is done by another one meanwhile
        done = together({"fields": fields, "beside": beside}, {"beside"}, project.progress)
        findings, others = done["fields"], done["beside"]
        assert isinstance(findings, FieldFindings) and isinstance(others, _Beside)
        give_back()
        problems += findings.differences
        checks: dict[str, Any] = {"rows": findings.rows, "integrity": {}, "production": production}
        project.begin("checking references")
        left = [name for name in raw_stores if name not in alone]
        here = _integrity({side: {name: them[name] for name in left} for side, them in sides.items()}, project.progress)
        whole = {**others.integrity, **here}
        for name in raw_stores:
            was, now = whole[name, "raw"], whole[name, "clean"]
            problems += _broken(name, was, now)
            problems += [f"{name}: {left}" for left in cleans[name].armed()]
            checks["integrity"][name] = {
                "foreign_keys": now.foreign_keys,
                "orphans": now.orphans,
                "orphans_in_production": was.orphans,
                "unique_indexes": now.unique_indexes,
            }
        for name in raw_stores:
            problems += hooks.verify(name, cleans[name])
        project.begin("asking the vector indexes")
        checks["fidelity"] = fidelity(
            raws,
            cleans,
            {name: work.rewrite.placed for name, work in sanitized.stores.items()},
            project.progress,
            apart=alone,
        )
        asked_for = project.loaded.stack.sanitize.fidelity
        accepted = {one.index: one.reason for one in asked_for.accept}
        changed = {name: frozenset(plan.masked) for name, plan in plans.items()}
        other = unfaithful(checks["fidelity"], asked_for.minimum, accepted, changed)
        problems += other
        checks["references"], lost = others.references
        problems += lost
        findings.leaks.fail(problems, _HINT if other else None)
        checks["fields"] = findings.summary()
        return checks, findings, others.structure


@dataclass(frozen=True, slots=True)
class _Beside:
    """What a copy of this process finds out while people are collected: of each store's files, of the stores that are
    apart, and which references dangle."""

    structure: Mapping[str, dict[str, int] | UnsafeError]
    integrity: Mapping[tuple[str, str], Integrity]
    references: tuple[list[dict[str, Any]], list[str]]


def _examined(kind: str, directory: Path) -> dict[str, int] | UnsafeError:
    """What a store's files are, or why they are not whole: that is told when all else was looked at."""
    try:
        return dict(registry.store(kind).examine(directory))
    except UnsafeError as exc:
        return exc


def _integrity(
    sides: Mapping[str, Mapping[str, StoreSession]], progress: Progress | None = None
) -> dict[tuple[str, str], Integrity]:
    """What each store says of itself, by its name and side.

    A store without references has nothing that production could excuse, unless its clone has a problem.
    """
    found: dict[tuple[str, str], Integrity] = {}
    for name, clean in sides["clean"].items():
        if progress is not None:
            progress(ProgressEvent(name, 0))
        raw = sides["raw"][name]
        now = found[name, "clean"] = clean.integrity()
        asked = bool(raw.links() or now.problems or now.foreign_keys)
        found[name, "raw"] = raw.integrity() if asked else Integrity(foreign_keys=0, orphans=0, unique_indexes=0)
    return found


def _broken(store: str, was: Integrity, now: Integrity) -> list[str]:
    problems = [f"{store}: {problem}" for problem in now.problems if problem not in was.problems]
    if now.orphans > was.orphans:
        problems.append(f"{store}: {now.orphans - was.orphans} references lost what they refer to")
    return problems
