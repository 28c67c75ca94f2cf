"""`case`: a pinned incident with its image in one file, for another pool."""

from __future__ import annotations

from dataclasses import asdict

import click

from envclone.cli import completion
from envclone.cli.context import SIZE, Settings, absolute, emit, json_option
from envclone.errors import UsageError

__all__ = ["case"]


@click.group()
def case() -> None:
    """Take a pinned incident to another pool, in one file."""


@case.command(short_help="Write a case with its image into one file.")
@click.argument("name", metavar="CASE", shell_complete=completion.cases)
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
@click.pass_obj
def export(settings: Settings, name: str, file: str, as_json: bool) -> None:
    """Write CASE into FILE: image, attestation, masked bundle and what fixed means, signed by this pool.

    FILE holds no raw value and no key, but masked data of production: treat it as you treat a branch.
    """
    with settings.stack() as stack:
        done = stack.export_case(name, absolute(file))

    def text() -> None:
        from envclone.cow.sizes import format_size

        click.echo(f"case {name} with its image {done.image}: {file}, {format_size(done.bytes)}")
        click.echo(f"there: envclone case import {file} --trust {done.signer}")

    emit(as_json, {**asdict(done), "file": file}, text)


@case.command("import", short_help="Take a case over from such a file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--trust", metavar="FINGERPRINT", help="Take over, now and later, what this pool has signed.")
@click.option("--limit", type=SIZE, help="The most that the image's files may have, holes included.  [default: 64G]")
@json_option
@click.pass_obj
def import_(settings: Settings, file: str, trust: str | None, limit: int | None, as_json: bool) -> None:
    """Take over the case in FILE with its image, when a pool has signed it that is trusted here.

    What is in it is taken for masked because its signer says so. So ask them for the fingerprint (`envclone case
    fingerprint`), by another way than the file came. Nothing is written before all of FILE's table was checked, and
    nothing is kept when a byte is not what was attested.
    """
    with settings.stack() as stack:
        done = stack.import_case(absolute(file), trust=trust, limit=limit)

    def text() -> None:
        click.echo(f"case {done.case}: image {done.image} {'was there' if done.there else 'taken over'}, and is kept")
        click.echo(f"next: envclone regress {done.case}")

    emit(as_json, asdict(done), text)


@case.command(short_help="Show by what this pool's signature is known.")
@json_option
@click.pass_obj
def fingerprint(settings: Settings, as_json: bool) -> None:
    """Print the fingerprint of this pool's signing key, for somebody who imports its cases."""
    with settings.stack(show_progress=False) as stack:
        found = stack.fingerprint()
    if not found:
        raise UsageError("this pool has signed nothing yet", hint="envclone image ENVIRONMENT makes the first image")
    emit(as_json, {"fingerprint": found}, lambda: click.echo(found))
