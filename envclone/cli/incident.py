"""`incident` and `replay`: what failed in production, and whether it fails here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envclone.cli import completion, drafts, recordings, threads, traces
from envclone.cli.context import Settings, absolute, emit, json_option, print_table
from envclone.cli.visible import visible
from envclone.errors import NotReproducedError, UsageError

if TYPE_CHECKING:
    from envclone.incidents.compare import ReplayReport

__all__ = ["incident", "render", "replay"]


@click.group()
def incident() -> None:
    """Write, record and mask the bundle of an incident."""


for _command in (
    drafts.list_,
    drafts.new,
    traces.import_,
    recordings.recordings,
    threads.threads,
    drafts.show,
    drafts.edit,
):
    incident.add_command(_command)


@incident.command(short_help="Run a bundle in production, and write down its answers.")
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False))
@click.option("--role", metavar="NAME", help="The role of SQL steps that name none.")
@click.option(
    "--allow-function",
    "allowed",
    multiple=True,
    metavar="SCHEMA.NAME",
    help="A function of production's that only reads, though that cannot be seen. May be given more than once.",
)
@click.option(
    "--timeout", type=click.FloatRange(0.1, 3600), default=60.0, show_default=True, help="Seconds that a step may take."
)
@click.option(
    "--lock-timeout",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="Seconds that a step may wait for a lock.",
)
@json_option
@click.pass_obj
def record(
    settings: Settings,
    bundle: str,
    role: str | None,
    allowed: tuple[str, ...],
    timeout: float,
    lock_timeout: float,
    as_json: bool,
) -> None:
    """Run the steps of BUNDLE in production and write down what they return. Only what reads is run.

    Each statement is parsed, and what it calls is looked up in production's catalog; a step that does more than read,
    or would run as a superuser, stops everything before anything runs (exit code 4). A step that waits for a lock says
    whose it is; when it waits too long, nothing is recorded (exit code 8).
    """
    from envclone.incidents.terms import Terms

    terms = Terms(seconds=timeout, lock_seconds=lock_timeout, allowed=frozenset(allowed))
    with settings.stack() as stack:
        recorded = stack.record(absolute(bundle), terms, role=role)

    def text() -> None:
        for step in recorded.steps:
            assert step.expect is not None
            count = len(step.expect.rows or step.expect.ids)
            click.echo(visible(f"{step.id}: {step.expect.error or ('1 row' if count == 1 else f'{count} rows')}"))
            if step.expect.error is not None and step.kind == "vector":
                why = "look at its collection, using, vector and filter"
            elif (step.expect.error or "").startswith(_NOT_UNDERSTOOD):
                why = "the statement names something unknown there, or is spelled wrongly"
            else:
                continue
            click.echo(f"warning: {step.id} was recorded as failing in production: {why}", err=True)
        click.echo(f"recorded in {bundle} (mode 0600: it holds raw data)")
        click.echo(f"next: envclone branch {recorded.environment} --incident {recorded.incident}")

    failed = [step.id for step in recorded.steps if step.expect is not None and step.expect.error is not None]
    emit(
        as_json,
        {"incident": recorded.incident, "steps": [step.id for step in recorded.steps], "failed": failed},
        text,
    )


@incident.command()
def schema() -> None:
    """Print the JSON Schema of a bundle, for editors."""
    import json

    from envclone.incidents.jsonschema import json_schema

    click.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


_NOT_UNDERSTOOD = "42"
"""The class of SQLSTATE of syntax errors and unknown names (PostgreSQL's appendix A)."""


@incident.command(short_help="Mask a bundle for somebody who has no key.")
@click.argument("incident_id", metavar="INCIDENT", shell_complete=completion.incidents)
@click.option("--env", "environment", metavar="NAME", help="For the newest image of it.  [default: the bundle's own]")
@click.option("--image", metavar="ID", help="For this image.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write it there too (.yaml or .json)."
)
@click.option(
    "--allow-chosen", is_flag=True, help="Also make pseudonyms of values that the bundle gives and production did not."
)
@click.option(
    "--allow-computed", is_flag=True, help="Also hand over texts that a statement computed, masked as free text."
)
@json_option
@click.pass_obj
def mask(
    settings: Settings,
    incident_id: str,
    environment: str | None,
    image: str | None,
    output: str | None,
    allow_chosen: bool,
    allow_computed: bool,
    as_json: bool,
) -> None:
    """Mask an incident's bundle for somebody who has no key: the operator's command.

    Who sees a bundle before and after learns the pseudonyms of what is in it. So what production did not give, and the
    bundle asks for by a domain of its own, is refused (exit code 4) unless you say --allow-chosen. A text that a
    statement computed can spell a name in any way: it is left out, and not compared, unless you say --allow-computed.
    """
    from envclone.incidents import files

    with settings.stack() as stack:
        masked, chosen = stack.mask(
            incident_id,
            environment=environment,
            image=image,
            allow_chosen=allow_chosen,
            allow_computed=allow_computed,
        )
    if output:
        files.save(masked, absolute(output))

    def text() -> None:
        click.echo(f"incident {incident_id}: masked with the key {masked.masked}, signed, kept in the pool")
        if output:
            click.echo(f"written to {output} (mode 0600)")
        for line in chosen:
            click.echo(visible(f"warning: chosen by the bundle, not by production: {line}"), err=True)
        click.echo(f"next: envclone branch {masked.environment} --incident {incident_id}")

    emit(as_json, {"incident": incident_id, "masked": masked.masked, "chosen": list(chosen), "file": output}, text)


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=completion.incidents)
@click.option("--branch", "branch_name", metavar="NAME", help="The branch.  [default: the one made for the incident]")
@click.option(
    "--profile",
    metavar="NAME",
    help="Replay under this resource profile, then put the branch back; PART=NAME is for one store or service.",
)
@click.option("--compare-profiles", metavar="A,B", help="Replay under each of these profiles, and compare.")
@click.option("--allow-degraded", is_flag=True, help="Take what this host has, and say so on every report.")
@click.option("--from", "begin", metavar="STEP", help="Run this step and those behind it.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Other than in production. Several times.")
@click.option(
    "--repeat", type=click.IntRange(1, 1000), default=1, show_default=True, help="Replay it so often, and tell noise."
)
@click.option("--branches", type=click.IntRange(1, 20), default=1, help="On so many of its image: tells noise.")
@click.option("--against", multiple=True, metavar="NAME=VALUE", help="Replay so, too, and show both side by side.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False), metavar="FILE", help="Write JUnit's XML too.")
@json_option
@click.pass_obj
def replay(
    settings: Settings,
    incident_id: str,
    branch_name: str | None,
    profile: str | None,
    compare_profiles: str | None,
    allow_degraded: bool,
    begin: str | None,
    sets: tuple[str, ...],
    repeat: int,
    branches: int,
    against: tuple[str, ...],
    junit_file: str | None,
    as_json: bool,
) -> None:
    """Rerun an incident in its branch and compare with what production returned. Exit code 5 when it differs.

    A profile's name is that of its file in profiles/; the environment's name stands for the profiles of the stack file.

    \b
    --set ef_search=200          also probes=N, exact=true, and any setting as the server has it: work_mem=1MB
    --set model=NAME             what the application asks of its model is changed on the way to the cassette;
    --set temperature=0          the verdict names the calls that nothing recorded answers any more
    --set prompt=FILE            the system prompt, likewise
    --set env.NAME=VALUE         a variable of the services, which restart with it and without it again
    --against NAME=VALUE         the same once more with this instead, side by side: --set model=a --against model=b
    """
    if settings.server:
        from envclone.cli import remote

        remote.refuse(profile=profile, compare_profiles=compare_profiles, allow_degraded=allow_degraded,
                      set=sets, junit=junit_file, repeat=repeat > 1, against=against, branches=branches > 1,
                      **{"from": begin})  # fmt: skip
        remote.replay(settings, incident_id, branch_name, as_json)
        return
    from envclone.cli.variations import one_of, side_by_side, variation, write_junit

    wanted = variation(begin, sets)
    one_of(compare_profiles=compare_profiles, branches=branches > 1, against=against, profile=profile)
    if compare_profiles:
        if begin or sets or repeat > 1 or junit_file:
            raise UsageError("--compare-profiles takes no other change: give one of --profile, --set, --repeat, --from")
        _compare(settings, incident_id, branch_name, compare_profiles.split(","), allow_degraded, as_json)
        return
    if against:
        if junit_file:
            raise UsageError("--against shows two replays, and --junit writes one")
        side_by_side(settings, incident_id, branch_name, wanted, variation(begin, against), repeat, as_json)
        return
    with settings.stack() as stack:
        if branches > 1:
            report = stack.replay_on(incident_id, branch_name, count=branches, variation=wanted, repeat=repeat)
        else:
            report = stack.replay(
                incident_id,
                branch_name,
                profile=profile,
                allow_degraded=allow_degraded,
                variation=wanted,
                repeat=repeat,
            )
    if junit_file:
        write_junit(absolute(junit_file), report)
    emit(as_json, report.to_json(), lambda: render(report))
    if not report.reproduced:
        if as_json:
            raise click.exceptions.Exit(NotReproducedError.exit_code)
        raise NotReproducedError(f"incident {incident_id} is not reproduced")


def _compare(
    settings: Settings, incident_id: str, branch: str | None, names: list[str], allow_degraded: bool, as_json: bool
) -> None:
    """The same incident in the same branch under several profiles, side by side."""
    from envclone.incidents.report import in_short

    with settings.stack() as stack:
        reports = stack.replays(
            incident_id, branch, profiles=[name.strip() for name in names], allow_degraded=allow_degraded
        )

    def text() -> None:
        for report in reports:
            render(report)
        for line in in_short({report.profile or "": report for report in reports}):
            click.echo(line)

    emit(as_json, [report.to_json() for report in reports], text)


def render(report: ReplayReport) -> None:
    """A replay for a person: the verdict per step, and what differs side by side."""
    from envclone.incidents.compare import explain, side_by_side

    click.echo(visible(explain(report)))
    for verdict in report.steps:
        if not verdict.reproduced:
            rows = [[str(cell) for cell in row] for row in side_by_side(verdict)]
            print_table(f"{verdict.step}: production and branch", ["", "PRODUCTION", "BRANCH"], rows)
