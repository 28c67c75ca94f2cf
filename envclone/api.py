"""The library: the same calls as the commands, with typed values in and out.

stack = envclone.open("envclone.yaml")
branch = stack.branch("prod", incident="1234")
report = stack.replay("1234", branch.name)
stack.remove(branch.name)
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envclone import registry
from envclone.errors import EnvcloneError, UsageError
from envclone.lifecycle import branch as branching
from envclone.lifecycle import branches, images, tenure
from envclone.lifecycle.teardown import remove
from envclone.pool import audit, catalog
from envclone.project import Project, silent

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from envclone.cases.case import Case, Expectation
    from envclone.cases.outcome import CaseOutcome, Outcome
    from envclone.config.beginning import Beginning
    from envclone.diagnosis.diagnose import Diagnosis
    from envclone.doctor import Finding
    from envclone.hooks.hooks import Hook, SqlHook
    from envclone.incidents.bundle import Incident
    from envclone.incidents.compare import ReplayReport
    from envclone.incidents.sidebyside import SideBySide
    from envclone.incidents.terms import Terms
    from envclone.incidents.traces.span import Trace
    from envclone.incidents.variation import Variation
    from envclone.lifecycle.again import Verification
    from envclone.lifecycle.begin import Begun
    from envclone.lifecycle.carry import Carried
    from envclone.lifecycle.collect import Garbage
    from envclone.lifecycle.diff import Differing
    from envclone.lifecycle.hooks import Tried
    from envclone.lifecycle.keep import Run
    from envclone.lifecycle.parity import Row
    from envclone.lifecycle.pin import Listed
    from envclone.lifecycle.profile import Captured
    from envclone.lifecycle.trackstatus import Status
    from envclone.models import Branch, Image, RawSnapshot
    from envclone.models.moments import Target
    from envclone.pages.report.values import Report
    from envclone.pool.catalog import Flaw
    from envclone.profiles.profile import Profile
    from envclone.protocols import Insight, Progress
    from envclone.scan.propose import Proposal

__all__ = ["Stack", "begin", "open_stack"]


def begin(
    path: Path, start: Beginning, environment: str, *, pool: Path | None = None, progress: Progress = silent
) -> Begun:
    """Write the stack file of a production that is looked at, read-only."""
    from envclone.lifecycle import begin as beginning

    return beginning.begin(path, start, environment, pool=pool, progress=progress)


def open_stack(path: str | Path | None = None, *, pool: str | Path | None = None, progress: Progress = silent) -> Stack:
    """Open a stack file (by default the nearest envclone.yaml upwards) and its pool. Raises ConfigError."""
    from envclone.config.find import find

    file = Path(path) if path else find(Path.cwd())
    return Stack(Project.open(file, pool=Path(pool) if pool else None, progress=progress))


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack file and its pool, with what can be done there."""

    project: Project

    def snapshot(self, environment: str, *, target: Target | None = None) -> RawSnapshot:
        """Copy production's stores into quarantine; with a `target` recover them to that moment from their track."""
        if target is not None:
            from envclone.lifecycle import moment

            self.project.environment(environment)
            with moment.at(self.project, environment, target) as raw:
                return raw
        from envclone.lifecycle import snapshot

        with snapshot.take(self.project, environment) as raw:
            return raw

    def image(
        self, environment: str, *, fresh: bool = False, again: bool = False, target: Target | None = None
    ) -> Image:
        """The sanitized and verified image that branches of this environment are cloned from, made when needed.

        `fresh` takes a new snapshot first; `again` makes another image of the newest snapshot. With a `target` it is of
        that moment, by the environment's track.
        """
        with images.ready(self.project, environment, fresh=fresh, again=again, target=target) as image:
            return image

    def recorded_answers(self, environment: str, branch: str | None = None) -> tuple[int, int] | None:
        """How many recorded answers changed in the newest replays, and how many were compared; None without any."""
        from envclone.lifecycle import recorded

        if branch is not None:
            return recorded.changed(self.project, self.show(branch))
        return recorded.answers(self.project, environment)

    def track(self, environment: str, tell: Callable[[str], None], ended: Callable[[], bool] = lambda: False) -> None:
        """Follow an environment until `ended` says so: its log into the pool, base backups on a schedule."""
        from envclone.lifecycle.track import track

        track(self.project, environment, tell, ended)

    def track_status(self, environment: str) -> Status:
        """What there is of an environment's track, and how much production holds back for it."""
        from envclone.lifecycle.trackstatus import status

        return status(self.project, environment)

    def track_declared(self, environment: str) -> None:
        """Check that an environment's track is declared, and that there is a store to follow. Raises ConfigError."""
        from envclone.lifecycle import tracks

        tracks.declared(self.project, environment)
        tracks.trackable(self.project, environment)

    def track_drop(self, environment: str) -> Sequence[str]:
        """Give an environment's track up, with its slots in production; returns what was removed."""
        from envclone.lifecycle.track import stop

        return stop(self.project, environment)

    def moment(self, environment: str, incident: str) -> Target | None:
        """The moment of an incident, when its environment is tracked and its bundle says when it was."""
        from envclone.lifecycle import incidents, moment, tracks

        if tracks.found(self.project, environment) is None:
            return None
        return moment.of_incident(incidents.when(self.project, incident))

    def keep(self, environment: str) -> Run:
        """Make an image of production as it is now if one is due, as `environments.NAME.keep` says."""
        from envclone.lifecycle import keep

        return keep.once(self.project, environment)

    def verify(self, image: str, *, files_only: bool = False, full: bool = False) -> Verification:
        """Check an image again: its attestation, every byte of its files, and all checks that were made at first.

        With `full` it is made a second time of its raw snapshot, and the two are compared.
        """
        from envclone.lifecycle.again import verify_again

        return verify_again(self.project, image, files_only=files_only, full=full)

    def attestation(self, image: str) -> dict[str, Any]:
        """The attestation of an image, its signature checked."""
        from envclone import attestation

        with images.using(self.project, image):
            return attestation.read(self.project.pool.path_of("images", image), self.project.keys)

    def events(self) -> Sequence[Mapping[str, Any]]:
        """The pool's audit log, oldest first."""
        return list(audit.events(self.project.audit_log))

    def audit(self) -> str | None:
        """What is wrong with the audit log, in words; None when it is as it was written."""
        return audit.broken(self.project.audit_log, self.project.audit_mirror)

    def audit_suspicion(self) -> str | None:
        """What a short look at the audit log shows to be wrong, in words; None when that is nothing."""
        return audit.suspicion(self.project.audit_log)

    def scan(
        self, environment: str, *, fresh: bool = False, everything: bool = False, writing: bool = False
    ) -> Mapping[str, Sequence[Proposal]]:
        """A rule to propose for every field that has none, per store; with `everything` for all fields.

        With `writing` a stack file that could not be added to is refused first, with ConfigError.
        """
        from envclone.lifecycle import scan

        if writing:
            scan.require_writable(self.project, environment)
        return scan.scan(self.project, environment, fresh=fresh, everything=everything)

    def preflight(self, environment: str) -> Sequence[Finding]:
        """All that would stop an image of this environment, asked without copying anything."""
        from envclone.lifecycle import preflight

        return preflight.examine(self.project, environment)

    def write_rules(self, proposals: Mapping[str, Sequence[Proposal]]) -> int:
        """Add proposed rules to the stack file; returns how many."""
        from envclone.lifecycle import scan

        return scan.write(self.project, proposals)

    def capture_profiles(
        self,
        environment: str,
        *,
        only: str | None = None,
        files: Sequence[Path] = (),
        container: str | None = None,
        offline: bool = False,
        force: bool = False,
    ) -> Sequence[Captured]:
        """Write the resource profiles of an environment's stores and services, read from what production is."""
        from envclone.lifecycle import profile

        return profile.capture(
            self.project, environment, only=only, files=files, container=container, offline=offline, force=force
        )

    def profiles(self, environment: str) -> Mapping[str, Profile]:
        """The profiles that an environment's stores and services name."""
        from envclone.lifecycle import profile

        return profile.profiles_of(self.project, environment)

    def hooks(self) -> Sequence[Hook | SqlHook]:
        """The hooks of the stack file."""
        from envclone.lifecycle import hooks

        return hooks.listed(self.project)

    def try_hook(
        self, name: str, environment: str | None = None, *, rows: int = 5, values: Sequence[str] = ()
    ) -> Tried:
        """What a hook makes of given values, or of the first rows of an environment's newest snapshot."""
        from envclone.lifecycle import hooks

        known = sorted(self.project.loaded.stack.environments)
        if environment is None and len(known) > 1 and not values:
            raise UsageError("there are several environments", hint=f"choose one: --env {known[0]}")
        chosen = environment or known[0]
        self.project.environment(chosen)
        return hooks.try_hook(self.project, name, chosen, rows=rows, values=values, show=True)

    def images(self) -> Sequence[Image]:
        """The project's images, by the state they hold."""
        return catalog.images(self.project.pool, self.project.name)

    def flaws(self) -> Sequence[Flaw]:
        """Everything in the pool whose record is damaged, or names no project: nobody's, and left alone."""
        return list(catalog.flaws(self.project.pool))

    def branch(
        self,
        environment: str,
        *,
        incident: str | None = None,
        name: str | None = None,
        ttl: dt.timedelta | None = None,
        fresh: bool = False,
        port: int | None = None,
        profile: str | None = None,
        allow_degraded: bool = False,
        runtime: str | None = None,
        target: Target | None = None,
        newest: bool = False,
    ) -> Branch:
        """Make a branch of an environment: image when needed, copy-on-write clone, running servers, credentials.

        `name` defaults to environment and incident, `ttl` to the stack file's. The incident's bundle is masked
        before anything is made, so that a wrong one fails early. `profile` replaces the stack file's resource profiles,
        `runtime` its choice of where the branch runs. It is of the moment `target`; without one of the incident's
        moment, where there is a track; with `newest` or `fresh` of the newest snapshot.
        """
        if target is not None and (fresh or newest):
            raise UsageError(
                "a moment is not the newest snapshot", hint="leave out --fresh and --newest, or the moment"
            )

        chosen = name or self._default_name(environment, incident)
        branching.require_free(self.project, chosen)
        lifetime = ttl if ttl is not None else self.project.loaded.stack.branches.ttl
        if incident is not None and target is None and not (fresh or newest):
            target = self.moment(environment, incident)
        with images.ready(self.project, environment, fresh=fresh, target=target) as image:
            if incident is not None:
                from envclone.lifecycle.incidents import masked_incident

                masked_incident(self.project, incident, image)
            return branching.create(
                self.project,
                image,
                chosen,
                ttl=lifetime or None,
                incident=incident,
                port=port,
                profile=profile,
                allow_degraded=allow_degraded,
                runtime=runtime,
            )

    def state_of(self, branch: Branch, since: dt.datetime) -> str:
        """One line: how old the state is that a branch's image holds, and what a newer one costs.

        Empty for an image that was made `since`, for this very branch.
        """
        image = catalog.image(self.project.pool, self.project.name, branch.image)
        if image.created_at >= since or image.raw.moment is not None:
            return ""
        return images.age(self.project, image, dt.datetime.now(dt.UTC))

    def moment_of(self, branch: Branch) -> Sequence[str]:
        """Lines: the moment that a branch is of, or how far its state is from its incident; none without a moment."""
        image = catalog.image(self.project.pool, self.project.name, branch.image)
        if image.raw.moment is None and not branch.incident:
            return []
        from envclone.lifecycle import incidents, moment

        if image.raw.moment is not None:
            return moment.lines(image.raw.moment)
        try:
            at = incidents.when(self.project, branch.incident) if branch.incident else None
        except EnvcloneError:  # it was changed since
            at = None
        return [] if at is None else [moment.far(image.raw, at)]

    def branches(self) -> Sequence[Branch]:
        """The project's branches."""
        return branches.branches(self.project)

    def unreadable(self) -> Sequence[str]:
        """Names among the branches whose record is missing or damaged; `remove(name, force=True)` removes one."""
        return branches.unreadable(self.project)

    def show(self, name: str) -> Branch:
        """One branch."""
        return branches.load(self.project, name)

    def last_replay(self, name: str) -> Mapping[str, Any] | None:
        """The report of the newest replay in a branch, as plain values; None when there was none."""
        from envclone.lifecycle.replay import last

        return last(self.project, self.show(name))

    def parity(self, name: str) -> Sequence[Row]:
        """What of production a running branch has, row by row."""
        from envclone.lifecycle.parity import parity

        return parity(self.project, self.show(name))

    def diff(self, left: str, right: str, *, content: bool = False) -> Sequence[Differing]:
        """What differs between two branches or images, or between an incident and now."""
        from envclone.lifecycle.diff import diff

        return diff(self.project, left, right, content=content)

    def reset(self, name: str, *, born: dt.datetime | None = None) -> Branch:
        """Throw away what was changed in a branch; `born`, here and below, says which one of that name is meant."""
        return branching.reset(self.project, name, born=born)

    def start(self, name: str, *, runtime: str | None = None, born: dt.datetime | None = None) -> Branch:
        """Start a stopped branch, or have it go on in another runtime."""
        return branching.start(self.project, name, runtime=runtime, born=born)

    def touch(self, name: str, *, born: dt.datetime | None = None) -> None:
        """Write down that a branch is used now: it lives its time from here on."""
        tenure.touch(self.project, name, born=born)

    def extend(self, name: str, ttl: dt.timedelta | None, *, born: dt.datetime | None = None) -> Branch:
        """Have a branch live so long from now on; None keeps it until it is removed."""
        return tenure.extend(self.project, name, ttl, born=born)

    def protect(self, name: str, *, on: bool = True) -> Branch:
        """Keep a branch from being collected, or removed without force."""
        return tenure.protect(self.project, name, on=on)

    def insight(self, name: str) -> Insight:
        """A look into a branch's stores and services: what they wrote, what they use."""
        one = self.show(name)
        return registry.observer(one.runtime).insight(one, branches.directory(self.project.pool, name))

    def stop(self, name: str, *, born: dt.datetime | None = None) -> Branch:
        """Stop a branch, its data kept."""
        return branching.stop(self.project, name, born=born)

    def remove(self, name: str, *, force: bool = False, born: dt.datetime | None = None) -> bool:
        """Remove a branch and everything that belongs to it; False when there is none."""
        return remove(self.project, name, force=force, born=born)

    def collect(self, *, dry_run: bool = False, older: bool = False) -> Sequence[Garbage]:
        """Remove what nobody needs any more, or say what that would be; `older` includes what names no project."""
        from envclone.lifecycle import collect

        found = collect.find(self.project, older=older) if dry_run else collect.collect(self.project, older=older)
        return list(found)

    def record(self, bundle: str | Path, terms: Terms | None = None, *, role: str | None = None) -> Incident:
        """Run an incident's steps in production, those that only read, and write what they returned into the bundle.

        `role` is for the SQL steps that name none.
        """
        from envclone.lifecycle.incidents import record

        return record(self.project, Path(bundle), terms, role=role)

    def threads(
        self, branch: str | None = None, *, environment: str | None = None, role: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The threads of LangGraph in a branch, or in an environment's newest image, the newest first, masked."""
        from envclone.lifecycle.threads import in_image, listed

        if branch is not None:
            return listed(self.project, branch, role=role)
        with in_image(self.project, environment or "") as name:
            return listed(self.project, name, role=role)

    def thread(
        self, branch: str | None, ident: str, *, environment: str | None = None, role: str | None = None
    ) -> Trace:
        """The steps and messages of a thread of LangGraph in a branch, or in an environment's newest image."""
        from envclone.lifecycle.threads import in_image, thread

        if branch is not None:
            return thread(self.project, branch, ident, role=role)
        with in_image(self.project, environment or "") as name:
            return thread(self.project, name, ident, role=role)

    def mask(
        self,
        incident: str,
        *,
        environment: str | None = None,
        image: str | None = None,
        allow_chosen: bool = False,
        allow_computed: bool = False,
    ) -> tuple[Incident, Sequence[str]]:
        """Mask an incident's bundle for other hands; needs the masking key. Kept in the pool too.

        By the rules of `image`, or of the newest image of `environment`, by default the bundle's own. Comes with a line
        for each place where the bundle itself chose what becomes a pseudonym, which takes `allow_chosen`. Texts
        that a statement computed are left out unless `allow_computed`.
        """
        from envclone.incidents import files
        from envclone.lifecycle.incidents import mask

        source = files.find(self.project.loaded.stack.incidents, incident)
        if image is None:
            wanted = environment or files.load(source).environment
            self.project.environment(wanted)
            newest = images.find(self.project, wanted)
            if newest is None:
                raise UsageError(
                    f"there is no image of '{wanted}', whose rules the bundle is masked by",
                    hint=f"envclone image {wanted}",
                )
            image = newest.id
        with images.using(self.project, image) as held:
            return mask(
                self.project, incident, held, allow_chosen=allow_chosen, allow_computed=allow_computed, strict=True
            )

    def replay(
        self,
        incident: str,
        branch: str | None = None,
        *,
        profile: str | None = None,
        allow_degraded: bool = False,
        variation: Variation | None = None,
        repeat: int = 1,
    ) -> ReplayReport:
        """Rerun an incident in a branch (by default the one made for it) and compare with production.

        With `profile` the branch's servers run under that resource profile meanwhile, and under their own afterwards.
        `variation` is what is other than in production. Of `repeat` runs one report is made.
        """
        how: dict[str, Any] = {"allow_degraded": allow_degraded, "variation": variation, "repeat": repeat}
        return self.replays(incident, branch, profiles=(profile,), **how)[0]

    def replay_on(
        self,
        incident: str,
        branch: str | None = None,
        *,
        count: int,
        variation: Variation | None = None,
        repeat: int = 1,
    ) -> ReplayReport:
        """Rerun an incident in a branch and in others of its image, `repeat` times in each: what differs is noise."""
        from envclone.lifecycle.manifold import on_branches
        from envclone.lifecycle.replay import branch_for

        chosen = self.show(branch) if branch else branch_for(self.project, incident)
        return on_branches(self.project, incident, chosen, count, variation=variation, repeat=repeat)

    def replay_beside(
        self, incident: str, branch: str | None = None, *, first: Variation, second: Variation, repeat: int = 1
    ) -> SideBySide:
        """Rerun an incident in a branch in two ways, and hold them against production and against each other."""
        from envclone.lifecycle.manifold import side_by_side
        from envclone.lifecycle.replay import branch_for

        chosen = self.show(branch) if branch else branch_for(self.project, incident)
        return side_by_side(self.project, incident, chosen, first, second, repeat=repeat)

    def replays(
        self,
        incident: str,
        branch: str | None = None,
        *,
        profiles: Sequence[str | None],
        allow_degraded: bool = False,
        variation: Variation | None = None,
        repeat: int = 1,
    ) -> Sequence[ReplayReport]:
        """Rerun an incident in one branch under each of these profiles; None is the one that the branch has.

        At the end, also after an error, the branch runs under its own profile again.
        """
        from envclone.lifecycle.clock import shown
        from envclone.lifecycle.lend import lent
        from envclone.lifecycle.replay import branch_for, replay
        from envclone.lifecycle.reprofile import put_back, reprofile

        chosen = self.show(branch) if branch else branch_for(self.project, incident)
        reports = []
        with put_back(self.project, chosen.name):
            for profile in profiles:
                if profile is not None:
                    chosen = reprofile(self.project, chosen.name, profile, allow_degraded=allow_degraded)
                with lent(self.project, chosen.name, variation, shown(self.project, chosen, incident)):
                    reports.append(replay(self.project, incident, chosen, variation=variation, repeat=repeat))
        return reports

    def pin(self, incident: str, expectations: Sequence[Expectation] = (), **how: Any) -> Case:
        """Keep an incident as a case, with what fixed means; the options are those of `lifecycle.pin.pin`."""
        from envclone.lifecycle.pin import pin

        return pin(self.project, incident, expectations, **how)

    def unpin(self, case: str) -> bool:
        """Remove a case and let go of its image; False when there is none."""
        from envclone.lifecycle.pin import unpin

        return unpin(self.project, case)

    def cases(self) -> Sequence[Listed]:
        """The pinned cases, and what of them is not there."""
        from envclone.lifecycle.pin import cases

        return cases(self.project)

    def temporary(self, **of: Any) -> AbstractContextManager[Branch]:
        """A running branch as long as the context; the options are those of `lifecycle.trial.temporary`."""
        from envclone.lifecycle.trial import temporary

        return temporary(self.project, **of)

    def examine(self, case: str, branch: str) -> tuple[CaseOutcome, ReplayReport | None]:
        """A case's verdict on one replay in a running branch, and the replay; none when it cannot run there."""
        from envclone.lifecycle.trial import examine

        return examine(self.project, case, branch)

    def check_rules(self, environment: str) -> None:
        """Raises what stands in the way of an image, above all fields without a rule; nothing is copied."""
        from envclone.lifecycle import preflight

        preflight.require(self.project, environment)

    def export_case(self, case: str, target: str | Path) -> Carried:
        """Write a case with its image into one file, for another pool."""
        from envclone.lifecycle.carry import export

        return export(self.project, case, Path(target))

    def import_case(self, source: str | Path, *, trust: str | None = None, limit: int | None = None) -> Carried:
        """Take a case over from such a file, when its signer is trusted, or is the one that `trust` names."""
        from envclone.lifecycle.carry import LIMIT, import_

        return import_(self.project, Path(source), trust=trust, limit=LIMIT if limit is None else limit)

    def fingerprint(self) -> str:
        """The fingerprint of the pool's signing key, which an importer of its cases compares."""
        from envclone.lifecycle.carry import fingerprint

        return fingerprint(self.project)

    def regress(self, cases: Sequence[str] = (), **how: Any) -> Outcome:
        """Replay cases, by default all of them; the options are those of `lifecycle.regress.regress`."""
        from envclone.lifecycle.regress import regress

        return regress(self.project, cases, **how)

    def report(self, incident: str, branch: str | None = None, *, into: str | Path, **how: Any) -> Report:
        """Write the page of an incident; the options are those of `lifecycle.report.write`."""
        from envclone.lifecycle import report
        from envclone.lifecycle.replay import branch_for

        chosen = self.show(branch) if branch else branch_for(self.project, incident)
        return report.write(self.project, incident, chosen, Path(into), **how)

    def diagnose(
        self,
        incident: str,
        branch: str | None = None,
        *,
        expected: Sequence[str] = (),
        sweeps: bool = False,
        embed: Callable[[str], Sequence[float]] | None = None,
        judge: Callable[[Mapping[str, str]], Sequence[str]] | None = None,
    ) -> Diagnosis:
        """Say why an incident failed, by experiments in a branch (by default the one made for it).

        `expected` are the ids of what should have come, `embed` is the application's own embedder, `judge` says what of
        an answer stands in no document.
        """
        from envclone.lifecycle.diagnose import diagnose
        from envclone.lifecycle.replay import branch_for

        chosen = self.show(branch) if branch else branch_for(self.project, incident)
        return diagnose(self.project, incident, chosen, expected=expected, sweeps=sweeps, embed=embed, judge=judge)

    def _default_name(self, environment: str, incident: str | None) -> str:
        """Environment and incident; with the project before it when another project has a branch of that name."""
        import secrets

        tail = re.sub(r"[^a-z0-9]+", "-", incident.lower()).strip("-") if incident else secrets.token_hex(2)
        name = f"{environment}-{tail}"[:41]
        owner = catalog.owner(self.project.pool, "branches", name)
        return name if owner in (None, "", self.project.name) else f"{self.project.name}-{name}"[:41]
