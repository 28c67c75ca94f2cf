"""`hooks`: those of the stack file, and one of them tried."""

from __future__ import annotations

from dataclasses import asdict

import click

from envclone.cli.context import Settings, emit, json_option, print_table

__all__ = ["hooks"]


@click.group()
def hooks() -> None:
    """Hooks of the stack file: list them, try one on a sample."""


@hooks.command("list")
@json_option
@click.pass_obj
def list_hooks(settings: Settings, as_json: bool) -> None:
    """List the hooks and what each is about."""
    from envclone.hooks.hooks import SqlHook

    with settings.stack() as stack:
        found = stack.hooks()
    rows = [
        [
            one.file if isinstance(one, SqlHook) else f"{one.file}:{one.name}",
            one.stage,
            one.store,
            (", ".join(one.writes) if isinstance(one, SqlHook) else one.writes) or "-",
            "-" if isinstance(one, SqlHook) else ", ".join(one.reads) or "-",
        ]
        for one in found
    ]
    documents = [{k: v for k, v in asdict(one).items() if k != "text"} for one in found]
    emit(
        as_json,
        documents,
        lambda: (
            print_table("", ["HOOK", "STAGE", "STORE", "WRITES", "READS"], rows)
            if rows
            else click.echo("no hooks; name their files under sanitize.hooks in the stack file")
        ),
    )


@hooks.command("test", short_help="Run HOOK on a sample, and show values before and after.")
@click.argument("hook")
@click.option(
    "--env", "environment", metavar="NAME", help="Whose newest snapshot to try it on.  [default: the only one]"
)
@click.option("--rows", default=5, show_default=True, help="How many rows to show.")
@click.option("--value", "values", multiple=True, metavar="TEXT", help="A value to try it on, instead of a snapshot's.")
@json_option
@click.pass_obj
def test_hook(
    settings: Settings, hook: str, environment: str | None, rows: int, values: tuple[str, ...], as_json: bool
) -> None:
    """Run HOOK on a sample, on a private clone, and show the values before and after side by side.

    The values are shown here and stored nowhere; what the hook itself prints is shown too.
    """
    from envclone.lifecycle.hooks import as_text

    with settings.stack() as stack:
        tried = stack.try_hook(hook, environment, rows=rows, values=values)

    def text() -> None:
        for address, pairs in tried.fields.items():
            second = "WRONG" if tried.stage == "verify" else "AFTER"
            print_table(
                f"{tried.hook} ({tried.stage}): {address}",
                ["BEFORE", second],
                [[as_text(a), as_text(b)] for a, b in pairs],
            )
        for line in tried.found:
            click.echo(f"{tried.hook} ({tried.stage}): {line}")
        if not tried.fields and not tried.found:
            click.echo(f"{tried.hook} ({tried.stage}): done; it writes no column that it names")

    emit(as_json, asdict(tried), text)
