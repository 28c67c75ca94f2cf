"""`pin`, `cases`, `unpin` and `regress`: incidents that are kept as tests, and the gate that they are."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from envclone.cli import completion
from envclone.cli.context import Settings, absolute, emit, json_option, print_table
from envclone.cli.visible import visible

if TYPE_CHECKING:
    from envclone.cases.outcome import CaseOutcome, Outcome
    from envclone.pages.junit import Checked

__all__ = ["cases", "pin", "regress", "unpin"]


@click.command()
@click.argument("incident_id", metavar="INCIDENT", shell_complete=completion.incidents)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="WHAT",
    help="What fixed means, or `reproduces`. May be given more than once; all of them have to hold.",
)
@click.option("--image", metavar="ID", help="The image to keep.  [default: that of the incident's branch]")
@click.option("--pseudonyms", is_flag=True, help="Names in WHAT are the branch's, not production's.")
@click.option("--again", is_flag=True, help="In place of the case that there is.")
@click.option("--allow-chosen", is_flag=True, help="As for `envclone incident mask`.")
@click.option("--allow-computed", is_flag=True, help="As for `envclone incident mask`.")
@json_option
@click.pass_obj
def pin(
    settings: Settings,
    incident_id: str,
    expected: tuple[str, ...],
    image: str | None,
    pseudonyms: bool,
    again: bool,
    allow_chosen: bool,
    allow_computed: bool,
    as_json: bool,
) -> None:
    """Keep INCIDENT as a test: its image, its masked bundle, and what fixed means.

    \b
    --expect reproduces                it fails as it was recorded, and is known to
    --expect search:top-5=88,17        these ids are among the first 5 of the step `search`
    --expect search:ids=88,17          these ids, in this order, and no other
    --expect contains='30 days'        the text of the last step's answer; lacks=, regex=
    --expect seconds=1.5               all steps take no longer
    --expect schema=@answer.json       the answer is JSON of this schema
    --expect judge=hooks/ok.py:right   a function of a hook file says so
    --expect '{kind: similar, text: You get it back, program: embed.py, at_least: 0.8}'
    --expect @fixed.yaml               a list of mappings such as this one

    The case is a directory beside the stack file that can be committed; `envclone gc` keeps its image.
    """
    from envclone.cases.expect import expectations

    found, failing = expectations(list(expected), absolute("."))
    with settings.stack() as stack:
        case = stack.pin(
            incident_id,
            found,
            failing=failing,
            image=image,
            pseudonyms=pseudonyms,
            again=again,
            allow_chosen=allow_chosen,
            allow_computed=allow_computed,
        )
        folder = stack.project.loaded.stack.cases / case.case

    def text() -> None:
        means = f"{len(case.fixed)} expectations" if case.fixed else "it still fails as it was recorded"
        click.echo(f"case {case.case}: image {case.pinned.image} is kept; {means}")
        click.echo(f"written to {_short(folder)}: masked, to be committed")
        click.echo(f"next: envclone regress {case.case}")

    emit(as_json, {**case.model_dump(mode="json"), "directory": str(folder)}, text)


@click.command()
@json_option
@click.pass_obj
def cases(settings: Settings, as_json: bool) -> None:
    """List the pinned cases, and what of them is not there."""
    with settings.stack(show_progress=False) as stack:
        found = stack.cases()

    def text() -> None:
        rows = [
            [one.case, one.environment, one.wants, str(one.expects), one.image,
             "" if one.pinned is None else f"{one.pinned:%Y-%m-%d}", one.flaw or "ready"]
            for one in found
        ]  # fmt: skip
        if rows:
            print_table("", ["CASE", "ENVIRONMENT", "WANTS", "EXPECTS", "IMAGE", "PINNED", ""], rows)
        else:
            click.echo("no case is pinned; envclone pin INCIDENT --expect … keeps one")

    emit(as_json, [asdict(one) for one in found], text)


@click.command()
@click.argument("names", metavar="CASE...", nargs=-1, required=True, shell_complete=completion.cases)
@json_option
@click.pass_obj
def unpin(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """Remove each CASE, and let go of its image. None of that name is no error."""
    with settings.stack(show_progress=False) as stack:
        done = {name: stack.unpin(name) for name in names}

    def text() -> None:
        for name, there in done.items():
            click.echo(f"{name}: {'removed; envclone gc may now remove its image' if there else 'there is none'}")

    emit(as_json, done, text)


@click.command()
@click.argument("names", metavar="[CASE]...", nargs=-1, shell_complete=completion.cases)
@click.option("--env", "environment", metavar="NAME", help="Only the cases of this environment.")
@click.option("--against", metavar="IMAGE", help="Replay on this image, and not on each case's own.")
@click.option("--fresh", is_flag=True, help="Replay on a new image of production as it is now.")
@click.option("--repeat", type=click.IntRange(1, 1000), default=1, show_default=True, help="Replay each so often.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="As for `envclone replay`. Several times.")
@click.option("--runtime", metavar="NAME", help="Where the branches run: local or docker.  [default: the stack file's]")
@click.option("--junit", "report", type=click.Path(dir_okay=False), metavar="FILE", help="Write JUnit's XML too.")
@json_option
@click.pass_obj
def regress(
    settings: Settings,
    names: tuple[str, ...],
    environment: str | None,
    against: str | None,
    fresh: bool,
    repeat: int,
    sets: tuple[str, ...],
    runtime: str | None,
    report: str | None,
    as_json: bool,
) -> None:
    """Replay each CASE, by default all of them, and say whether it is as it should be.

    Each runs in a branch of its image, which is removed at the end. Exit code 0 when all are as they should be: fixed,
    or still failing where that is all that was pinned; 5 when one is not; 6 when one could not run and none is wrong.
    """
    from envclone.cli.variations import variation
    from envclone.errors import UsageError

    wanted = variation(None, sets) if sets else None
    if fresh and against:
        raise UsageError("--fresh makes the image that --against names: give one of them")
    with settings.stack() as stack:
        outcome = stack.regress(
            names,
            environment=environment,
            against=against,
            fresh=fresh,
            repeat=repeat,
            runtime=runtime,
            variation=wanted,
        )
    if report:
        _write(absolute(report), outcome)
    emit(as_json, outcome.to_json(), lambda: _say(outcome))
    if outcome.exit_code:
        sys.stdout.flush()
        raise click.exceptions.Exit(outcome.exit_code)


def _say(outcome: Outcome) -> None:
    from envclone.cases.outcome import lines

    for line in lines(outcome):
        click.echo(visible(line))


def _write(path: Path, outcome: Outcome) -> None:
    from envclone.pages.junit import junit
    from envclone.private import write_public

    write_public(path, junit("envclone regress", [_test(one) for one in outcome.cases]))


def _test(one: CaseOutcome) -> Checked:
    from envclone.cases.outcome import Status
    from envclone.pages.junit import Checked

    kind: Literal["passed", "failure", "error"] = "failure"
    if one.passed or one.status is Status.CANNOT:
        kind = "passed" if one.passed else "error"
    message = f"{one.status}: {one.reasons[0]}" if one.reasons else str(one.status)
    held = {f"holds.{what}": how for what, how in one.holds.items()}
    return Checked(one.case, "envclone.cases", one.seconds[1], kind, message, "\n".join(one.reasons),
                {"status": str(one.status), "wants": one.wants, **held})  # fmt: skip


def _short(path: Path) -> str:
    return os.path.relpath(path)
