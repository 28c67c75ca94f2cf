"""`scan`: rules proposed for every field that has none."""

from __future__ import annotations

from dataclasses import asdict

import click

from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option, print_table
from envclone.errors import UsageError

__all__ = ["scan"]


@click.command()
@click.argument("environment", shell_complete=completion.environments)
@click.option("--write", "writing", is_flag=True, help="Add the proposals to the stack file.")
@click.option("--all", "everything", is_flag=True, help="Look at fields that have a rule, too.")
@click.option("--review", "reviewing", is_flag=True, help="Ask about each decision made on weak evidence.")
@click.option("--check", "checking", is_flag=True, help="Copy and propose nothing: fail if a field has no rule.")
@click.option("--fresh", is_flag=True, help="Take a new snapshot first.")
@json_option
@click.pass_obj
def scan(
    settings: Settings,
    environment: str,
    writing: bool,
    reviewing: bool,
    everything: bool,
    checking: bool,
    fresh: bool,
    as_json: bool,
) -> None:
    """Propose a rule for every field of ENVIRONMENT that has none, from names, types and sampled values.

    Values are looked at on a private clone of the newest snapshot; of them only a shape is shown. Read the
    proposals before you trust them: a field that is kept is production's.

    With --review it asks, at the terminal, about each rule of the stack file that stands on weak evidence, and looks at
    no production unless --write is given too. Each answer is in the file at once; a second start goes on from there.

    With --check, for CI, production's catalog is read and nothing else: exit code 4 when a field has no rule, 3 when a
    rule is wrong, 7 when production cannot be reached. Keys inside documents are asked about when an image is made.
    """
    if checking:
        if writing or reviewing or everything or fresh:
            raise UsageError("--check proposes and writes nothing: it goes with no other option")
        with settings.stack() as stack:
            stack.check_rules(environment)
        emit(as_json, {"environment": environment, "declared": True}, lambda: click.echo("every field has a rule"))
        return
    if reviewing and (as_json or everything):
        raise UsageError("--review asks a person: it goes with neither --json nor --all")
    if reviewing and not writing:
        from envclone.cli.review import review

        loaded = settings.loaded()
        if environment not in loaded.stack.environments:
            raise UsageError(f"there is no environment '{environment}' in {loaded.path.name}")
        review(loaded.path)
        return
    with settings.stack() as stack:
        writing = writing and not everything
        found = stack.scan(environment, fresh=fresh, everything=everything, writing=writing)
        written = stack.write_rules(found) if writing else 0

    document = {
        "environment": environment,
        "written": written,
        "stores": {store: [asdict(one) | {"personal": one.personal} for one in its] for store, its in found.items()},
    }

    def text() -> None:
        for store, its in found.items():
            ordered = sorted(its, key=lambda one: (not one.personal, one.address, one.path))
            rows = [
                [f"{one.address} {one.path}".strip(), one.domain, f"{one.confidence:.2f}", one.why, one.shape]
                for one in ordered
            ]
            if rows:
                personal = sum(one.personal for one in its)
                print_table(
                    f"{store}: {len(its)} without a rule, {personal} taken for personal",
                    ["FIELD", "RULE", "SURE", "WHY", "SHAPE"],
                    rows,
                )
            else:
                click.echo(f"{store}: every field has a rule")
        if written:
            click.echo(f"{written} rules added to the stack file; read them, then: envclone image {environment}")
        elif any(found.values()):
            click.echo(f"next: envclone scan {environment} --write")

    emit(as_json, document, text)
    if reviewing:
        from envclone.cli.review import review

        review(settings.loaded().path)
