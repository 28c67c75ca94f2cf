"""`completion`: the script that makes a shell complete commands, environments, branches, images and incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envclone.errors import EnvcloneError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from envclone.config.stack import LoadedStack

__all__ = ["branches", "cases", "completion", "environments", "images", "incidents", "runs"]

_SHELLS = ("bash", "zsh", "fish")

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL: bash, zsh or fish.

    \b
    bash: eval "$(envclone completion bash)"  in ~/.bashrc
    zsh:  eval "$(envclone completion zsh)"  in ~/.zshrc, after compinit
    fish: envclone completion fish > ~/.config/fish/completions/envclone.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # a Choice
    click.echo(found(ctx.find_root().command, {}, "envclone", "_ENVCLONE_COMPLETE").source())


def _completes(names: Callable[[str | None, str | None], Iterable[tuple[str, str]]]) -> Complete:
    """What completes an argument by names and a word on each, from the stack file and the pool that are meant.

    A stack that cannot be read completes nothing: the command itself says why.
    """

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        options = ctx.find_root().params
        try:
            found = list(names(options.get("stack_file"), options.get("pool")))
        except (EnvcloneError, OSError):
            return []
        return [CompletionItem(name, help=said) for name, said in found if name.startswith(incomplete)]

    return complete


def _loaded(file: str | None) -> LoadedStack:
    from envclone.config.find import find
    from envclone.config.load import load

    return load(Path(file) if file else find(Path.cwd()))


def _environments(file: str | None, _: str | None) -> Iterable[tuple[str, str]]:
    return [(name, "environment") for name in _loaded(file).stack.environments]


def _incidents(file: str | None, _: str | None) -> Iterable[tuple[str, str]]:
    from envclone.incidents.files import SUFFIXES

    folder = _loaded(file).stack.incidents
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [(path.stem, "incident") for path in found if path.suffix in SUFFIXES and path.is_file()]


def _cases(file: str | None, _: str | None) -> Iterable[tuple[str, str]]:
    from envclone.cases.files import names

    return [(name, "case") for name in names(_loaded(file).stack.cases)]


def _branches(file: str | None, pool: str | None) -> Iterable[tuple[str, str]]:
    from envclone.api import open_stack

    return [(one.name, f"{one.state}, of {one.environment}") for one in open_stack(file, pool=pool).branches()]


def _images(file: str | None, pool: str | None) -> Iterable[tuple[str, str]]:
    from envclone.api import open_stack

    return [(one.id, f"of {one.raw.environment}") for one in open_stack(file, pool=pool).images()]


def _runs(file: str | None, pool: str | None) -> Iterable[tuple[str, str]]:
    from envclone.api import open_stack
    from envclone.pool import runs

    folder = open_stack(file, pool=pool).project.pool.path_of("logs", "")
    return [(one.id, one.ended or "did not end") for one in runs.listed(folder)]


environments = _completes(_environments)
branches = _completes(_branches)
images = _completes(_images)
incidents = _completes(_incidents)
cases = _completes(_cases)
runs = _completes(_runs)
