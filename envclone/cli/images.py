"""`snapshot`, `image`, `images`, `verify`, `attestation`: what a branch is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from envclone import rebuilt, records
from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option, print_table, warn, warnings_of
from envclone.cli.moments import moment_options
from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.models import Moment, RawSnapshot, StoreSnapshot
    from envclone.models.moments import Target
    from envclone.protocols import Alike

__all__ = ["alike", "attestation", "image", "images", "snapshot", "verify"]


_SHOWN = 20
"""Entries of a source that `snapshot` names; the rest are in its JSON."""


def _rebuilt(stack: Stack, environment: str, stores: Mapping[str, StoreSnapshot]) -> str:
    """The first line of a report about stores that were dumped and restored; empty without any."""
    names = rebuilt.stores_of(stores)
    return rebuilt.line(names, stack.recorded_answers(environment) if names else None)


def lines_of(raw: RawSnapshot) -> list[str]:
    """The moment that a snapshot was recovered to, for people."""
    from envclone.lifecycle.moment import lines

    return [] if raw.moment is None else lines(raw.moment)


@click.command()
@click.argument("environment", shell_complete=completion.environments)
@moment_options
@json_option
@click.pass_obj
def snapshot(
    settings: Settings,
    environment: str,
    target: Target | None,
    as_json: bool,
) -> None:
    """Copy production's stores into the pool's quarantine, read-only; of a moment, recover them from the track.

    `branch` does this by itself when there is nothing to branch from.
    """
    from envclone.cow.loop import format_size

    with settings.stack() as stack:
        raw = stack.snapshot(environment, target=target)
        first = _rebuilt(stack, environment, raw.stores)

    def text() -> None:
        if first:
            click.echo(first)
        for name, store in raw.stores.items():
            click.echo(
                f"{name}: {format_size(store.bytes)} in {store.seconds:.1f} s by {store.method}, "
                f"{store.kind} {store.engine_version}, as of {store.consistent_at:%Y-%m-%d %H:%M:%S} UTC"
            )
            left_out = store.left_out
            for path in list(left_out)[:_SHOWN]:
                click.echo(f"  left out: {path}")
            if len(left_out) > _SHOWN:
                click.echo(f"  left out: {len(left_out) - _SHOWN} more; --json names them")
        for line in warnings_of(raw.stores):
            click.echo(f"warning: {line}")
        for line in lines_of(raw):
            click.echo(line)
        click.echo(f"snapshot {raw.id} ({_agreement(raw)})")
        click.echo(f"next: envclone branch {environment}")

    emit(as_json, records.dump(raw), text)


def _agreement(raw: RawSnapshot) -> str:
    """How well the stores agree on the moment."""
    if len(raw.stores) < 2:
        return "one store"
    from envclone.cow.sizes import format_size

    written = f", {format_size(raw.skew_wal)} of log written meanwhile" if raw.skew_wal is not None else ""
    return f"{raw.consistency}, {raw.skew_ms} ms apart{written if raw.consistency == 'skewed' else ''}"


@click.command()
@click.argument("environment", shell_complete=completion.environments)
@click.option("--fresh", is_flag=True, help="Take a new snapshot first.")
@click.option("--again", is_flag=True, help="Make another image of the newest snapshot.")
@moment_options
@json_option
@click.pass_obj
def image(
    settings: Settings,
    environment: str,
    fresh: bool,
    again: bool,
    target: Target | None,
    as_json: bool,
) -> None:
    """Sanitize and verify the newest snapshot of ENVIRONMENT, or a moment of it, and publish it as an image."""
    if target is not None and fresh:
        raise UsageError("a moment is not the newest snapshot", hint="leave out --fresh, or the moment")
    with settings.stack() as stack:
        made = stack.image(environment, fresh=fresh, again=again, target=target)
        first = _rebuilt(stack, environment, made.raw.stores)

    def text() -> None:
        if first:
            click.echo(first)
        of = "" if made.raw.moment else f", state of {made.raw.created_at:%Y-%m-%d %H:%M} UTC"
        click.echo(f"image {made.id} of {made.environment}{of}")
        for line in lines_of(made.raw):
            click.echo(f"  {line}")
        click.echo(f"next: envclone branch {environment}")

    emit(as_json, records.dump(made), text)


def _reached(moment: Moment) -> str:
    return f"{max(one.at for one in moment.stores.values()):%Y-%m-%d %H:%M:%S}"


@click.command()
@json_option
@click.pass_obj
def images(settings: Settings, as_json: bool) -> None:
    """List this project's images."""
    if settings.server:
        from envclone.cli import remote

        remote.images(settings, as_json)
        return
    from envclone.cow.loop import format_size

    with settings.stack() as stack:
        found = stack.images()
        flaws = stack.flaws()
        cow, pool = stack.project.cow, stack.project.pool
        sizes = {one.id: cow.usage(pool.path_of("images", one.id)) for one in found}
    rows = [
        [
            one.id,
            one.environment,
            f"{one.raw.created_at:%Y-%m-%d %H:%M}" if one.raw.moment is None else _reached(one.raw.moment),
            ", ".join(one.raw.stores),
            *(format_size(size) for size in sizes[one.id]),
            ("-" if one.fidelity is None else f"{one.fidelity:.1%}")
            + (" (rebuilt)" if rebuilt.stores_of(one.raw.stores) else ""),
            one.key_id,
        ]
        for one in found
    ]
    emit(
        as_json,
        [{**records.dump(one), "bytes": sizes[one.id][0], "own_bytes": sizes[one.id][1]} for one in found],
        lambda: (
            print_table(
                "", ["IMAGE", "ENVIRONMENT", "STATE OF (UTC)", "STORES", "SIZE", "OWN", "FIDELITY", "KEY"], rows
            )
            if rows
            else click.echo("no images; `envclone branch ENVIRONMENT` makes one")
        ),
    )
    warn(flaws, "images")


@click.command()
@click.argument("image", shell_complete=completion.images)
@click.option("--files", "files_only", is_flag=True, help="Only the signature and the bytes of the files.")
@click.option("--full", is_flag=True, help="Also make it a second time, and compare the two byte by byte.")
@json_option
@click.pass_obj
def verify(settings: Settings, image: str, files_only: bool, full: bool, as_json: bool) -> None:
    """Check IMAGE again: signature, every byte of every file, and every check that was made before it was published.

    The comparison with production needs the raw snapshot, the rules and the key that the image was made with; what
    could not be checked is said. --full shows that an image is what its snapshot, its rules and its key make, whatever
    it took over from the one before.
    """
    if full and files_only:
        raise click.UsageError("--full makes the whole image again, --files looks at its files alone: take one of them")
    with settings.stack() as stack:
        done = stack.verify(image, files_only=files_only, full=full)

    def text() -> None:
        click.echo(f"{done.image.id}: {done.files:,} files as attested, signature valid")
        if done.checks:
            files, fields = done.checks["files"], done.checks["fields"]
            rows = sum(count for tables in done.checks["rows"].values() for count in tables.values())
            click.echo(f"  {rows:,} rows are production's under the masks")
            click.echo(f"  {fields['originals']:,} originals in {fields['values_searched']:,} values: 0 left")
            undecoded = files["classes"]["not decoded"]
            click.echo(f"  {files['bytes']:,} bytes accounted for, {undecoded:,} of them searched as they are: 0 left")
        if done.links:
            click.echo(f"  its proof was made for an earlier image of the same bytes, {done.links} snapshots ago")
        for name, one in done.again.items():
            click.echo(f"  {name} was made a second time: {alike(one)}")
        for line in done.not_checked:
            click.echo(f"  not checked: {line}")

    emit(as_json, records.dump(done), text)


def alike(found: Alike) -> str:
    """What of a store that was made a second time is the same, and what need not be."""
    said = [f"{found.same:,} bytes are the same"]
    if found.marked:
        said.append(f"{found.marked:,} but for when their pages were written")
    if found.sampled:
        said.append(f"{found.sampled:,} are statistics of other samples")
    if found.built:
        said.append(f"{found.built:,} are indexes that were built again")
    if found.own:
        files = f"{len(found.own)} files" if len(found.own) > 1 else "a file"
        said.append(f"{files} of the engine's own not compared")
    return ", ".join(said)


@click.command()
@click.argument("image", shell_complete=completion.images)
@click.option("--html", "page", metavar="FILE", type=click.Path(dir_okay=False), help="Write it as a page.")
@json_option
@click.pass_obj
def attestation(settings: Settings, image: str, page: str | None, as_json: bool) -> None:
    """Show what is attested of IMAGE: rules, counts, checks with their figures, and what is not guaranteed."""
    from pathlib import Path

    from envclone.pages.attestation import html, sections

    with settings.stack() as stack:
        statement = stack.attestation(image)
    if page is not None:
        Path(page).write_text(html(statement), encoding="utf-8")
        if not as_json:
            click.echo(f"{page}: the attestation of {image}")
            return

    def text() -> None:
        for section in sections(statement):
            click.echo()
            click.secho(section.title, bold=True)
            if section.text:
                click.echo(section.text)
            if section.rows:
                print_table("", [column.upper() for column in section.columns], [list(row) for row in section.rows])

    emit(as_json, statement, text)
