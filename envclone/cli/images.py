"""`snapshot`, `image`, `images`, `verify`: what a branch is made from."""

from __future__ import annotations

import click

from envclone import records
from envclone.cli.context import Settings, emit, json_option, print_table

__all__ = ["image", "images", "snapshot", "verify"]


@click.command()
@click.argument("environment")
@json_option
@click.pass_obj
def snapshot(settings: Settings, environment: str, as_json: bool) -> None:
    """Copy production's stores into the pool's quarantine, read-only.

    `branch` does this by itself when there is nothing to branch from.
    """
    from envclone.cow.loop import format_size

    with settings.stack() as stack:
        raw = stack.snapshot(environment)

    def text() -> None:
        for name, store in raw.stores.items():
            click.echo(
                f"{name}: {format_size(store.bytes)} in {store.seconds:.1f} s by {store.method}, "
                f"{store.kind} {store.engine_version}, as of {store.consistent_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        agreement = f"{raw.consistency}, {raw.skew_ms} ms apart" if len(raw.stores) > 1 else "one store"
        click.echo(f"snapshot {raw.id} ({agreement})")
        click.echo(f"next: envclone branch {environment}")

    emit(as_json, records.dump(raw), text)


@click.command()
@click.argument("environment")
@click.option("--fresh", is_flag=True, help="Take a new snapshot first.")
@click.option("--again", is_flag=True, help="Make the image anew from the newest snapshot.")
@json_option
@click.pass_obj
def image(settings: Settings, environment: str, fresh: bool, again: bool, as_json: bool) -> None:
    """Sanitize and verify the newest snapshot of ENVIRONMENT, and publish it as an image."""
    with settings.stack() as stack:
        made = stack.image(environment, fresh=fresh, again=again)

    def text() -> None:
        click.echo(f"image {made.id} of {made.environment}, state of {made.raw.created_at:%Y-%m-%d %H:%M} UTC")
        click.echo(f"next: envclone branch {environment}")

    emit(as_json, records.dump(made), text)


@click.command()
@json_option
@click.pass_obj
def images(settings: Settings, as_json: bool) -> None:
    """List the images."""
    with settings.stack() as stack:
        found = stack.images()
    rows = [
        [one.id, one.environment, f"{one.raw.created_at:%Y-%m-%d %H:%M}", ", ".join(one.raw.stores), one.key_id]
        for one in found
    ]
    emit(
        as_json,
        [records.dump(one) for one in found],
        lambda: (
            print_table("", ["IMAGE", "ENVIRONMENT", "STATE OF (UTC)", "STORES", "KEY"], rows)
            if rows
            else click.echo("no images; `envclone branch ENVIRONMENT` makes one")
        ),
    )


@click.command()
@click.argument("image")
@json_option
@click.pass_obj
def verify(settings: Settings, image: str, as_json: bool) -> None:
    """Check IMAGE against its signed attestation: every byte of every file."""
    from envclone import attestation

    with settings.stack() as stack:
        checked = stack.verify(image)
        pool = stack.workspace.pool
        statement = attestation.read(pool.path_of("images", image), pool.path_of("keys", ""))
    emit(
        as_json,
        statement,
        lambda: click.echo(
            f"{checked.id}: {statement['files']['count']} files as attested, signature valid; "
            f"{statement['checks']['files']['originals_searched']:,} originals were searched in "
            f"{statement['checks']['files']['bytes']:,} bytes when it was made, 0 found"
        ),
    )
