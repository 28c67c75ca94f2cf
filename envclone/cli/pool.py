"""`envclone pool`: a copy-on-write pool on a host whose file system has none."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envclone.cli.context import SIZE, Settings, absolute, emit, json_option

if TYPE_CHECKING:
    from envclone.cow.loop import LoopPool

__all__ = ["pool"]

PATH = click.option("--path", metavar="PATH", help="Where it is mounted.  [default: the stack file's pool]")


@click.group()
def pool() -> None:
    """Make and mount a loop-mounted XFS pool, so that branches share blocks on any Linux host."""


@pool.command()
@click.option("--size", type=SIZE, required=True, help="Its largest size, such as 20G; it takes what it holds.")
@PATH
@json_option
@click.pass_obj
def create(settings: Settings, size: int, path: str | None, as_json: bool) -> None:
    """Make a pool and mount it. Needs root."""
    from envclone.cow import loop

    _tell(loop.create(_path(settings, path), size), as_json)


@pool.command()
@PATH
@json_option
@click.pass_obj
def mount(settings: Settings, path: str | None, as_json: bool) -> None:
    """Mount a pool again, after a reboot for example."""
    from envclone.cow import loop

    _tell(loop.mount(_path(settings, path)), as_json)


@pool.command()
@PATH
@json_option
@click.pass_obj
def unmount(settings: Settings, path: str | None, as_json: bool) -> None:
    """Unmount a pool; what it holds stays."""
    from envclone.cow import loop

    place = _path(settings, path)
    loop.unmount(place)
    emit(as_json, {"path": str(place), "mounted": False}, lambda: click.echo(f"{place}: not mounted"))


@pool.command()
@PATH
@click.option("--force", is_flag=True, help="Also when it holds snapshots, images or branches.")
@json_option
@click.pass_obj
def remove(settings: Settings, path: str | None, force: bool, as_json: bool) -> None:
    """Unmount a pool and delete it with all that it holds."""
    from envclone.cow import loop

    place = _path(settings, path)
    loop.remove(place, force=force)
    emit(as_json, {"path": str(place), "removed": True}, lambda: click.echo(f"{place}: removed"))


@pool.command()
@PATH
@json_option
@click.pass_obj
def status(settings: Settings, path: str | None, as_json: bool) -> None:
    """Show a pool's driver and what is free."""
    from envclone.cow import choose, loop
    from envclone.pool import Pool

    place = _path(settings, path)
    found = loop.status(place)
    if found is not None:
        _tell(found, as_json)
        return
    opened = Pool.open(place)
    driver = choose.choose("auto", place).name
    free = opened.free_bytes()
    emit(
        as_json,
        {"path": str(place), "driver": driver, "free": free},
        lambda: click.echo(f"{place}: driver {driver}, {loop.format_size(free)} free"),
    )


def _path(settings: Settings, path: str | None) -> Path:
    """The path given, else the pool of the stack file, else the default one."""
    from envclone.config.load import find, load
    from envclone.errors import ConfigError
    from envclone.pool import default_path

    if path or settings.pool:
        return absolute(path or settings.pool or "")
    try:
        named = load(absolute(settings.stack_file) if settings.stack_file else find(Path.cwd())).stack.pool.path
    except ConfigError:
        if settings.stack_file:
            raise
        named = None  # no stack file hereabouts: pools are made before it, too
    return named or default_path()


def _tell(one: LoopPool, as_json: bool) -> None:
    from envclone.cow.loop import format_size

    document: dict[str, Any] = {
        key: str(value) if isinstance(value, Path) else value for key, value in asdict(one).items()
    }

    def text() -> None:
        state = f"mounted, {format_size(one.used)} used, {format_size(one.free)} free" if one.mounted else "not mounted"
        click.echo(f"{one.path}: {state}")
        click.echo(f"  image {one.image}: {format_size(one.size)} at most, {format_size(one.allocated)} on disk now")
        if one.warning:
            click.echo(f"warning: {one.warning}", err=True)

    emit(as_json, document, text)
