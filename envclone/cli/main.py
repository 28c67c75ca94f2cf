"""`envclone`: the group of commands, each loaded when it is called, and the one place where errors become words."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from typing import Any

import click

from envclone import __version__
from envclone.cli.commands import Lazy
from envclone.cli.leaving import leave
from envclone.errors import EnvcloneError, ResourceError
from envclone.interrupts import Ending, ignore, interruptible

__all__ = ["cli", "main", "run"]


@click.group(
    cls=Lazy,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="envclone")
@click.option("-f", "--file", "stack_file", metavar="PATH", help="The stack file.  [default: envclone.yaml, upwards]")
@click.option("--pool", "pool", metavar="PATH", help="The pool, instead of the stack file's.")
@click.option("--server", metavar="URL", envvar="ENVCLONE_SERVER", help="A service that does it (envclone serve).")
@click.option("--debug", is_flag=True, help="Show the trace of an error.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def cli(
    ctx: click.Context, stack_file: str | None, pool: str | None, server: str | None, debug: bool, quiet: bool
) -> None:
    """Production's exact dirty state, minus the people in it, in a sandbox, in seconds.

    \b
    envclone init                          write a stack file
    envclone branch prod --incident 1234   a sanitized branch, for an incident
    envclone replay 1234                   rerun the failing request there
    envclone rm prod-1234                  and away with it
    """
    from envclone.cli.context import Settings

    ctx.obj = Settings(stack_file=stack_file, pool=pool, debug=debug, quiet=quiet, server=server or None)
    if ctx.invoked_subcommand is None:
        from envclone.cli.standing import stand

        stand(ctx.obj, ctx.get_help())


def main() -> None:
    """The program: run a command and end with its exit code."""
    leave(run())


def run() -> int:
    """Run a command; an expected error is one line and its remedy, only a bug shows a trace. Returns the exit code."""
    with interruptible(_still_cleaning) as ending:
        try:
            code = cli.main(standalone_mode=False)  # an Exit comes back as its code
        except BaseException as exc:  # noqa: BLE001 (the boundary: everything becomes an exit code here)
            if _ended(exc, ending):
                _let_go(exc)
                code = _interrupted(ending.first or signal.SIGINT, clean=_unwound(exc))
            else:
                code = _failed(exc)
        if ending.first is not None:
            ignore()  # the interpreter's own end gives handlers up: a late signal would change the exit code
            _flush()
        return code if isinstance(code, int) else 0


def _ended(exc: BaseException, ending: Ending) -> bool:
    """Whether a signal is the reason; programs that the same signal ended fail in their own ways."""
    return ending.first is not None or isinstance(exc, click.Abort | KeyboardInterrupt)


def _failed(exc: BaseException) -> int:
    """Tell of an error; returns the exit code."""
    debug = "--debug" in sys.argv or bool(os.environ.get("ENVCLONE_DEBUG"))
    as_json = "--json" in sys.argv
    if isinstance(exc, SystemExit):
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    if isinstance(exc, click.exceptions.Exit):
        return exc.exit_code
    if isinstance(exc, click.ClickException):
        if as_json:
            _write_json({"type": "UsageError", "message": exc.format_message(), "exit_code": 2})
        else:
            exc.show()
        return 2
    if isinstance(exc, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away: no trace for that
        return 141
    if isinstance(exc, EnvcloneError):
        _report(exc, as_json=as_json, debug=debug)
        return exc.exit_code
    if isinstance(exc, OSError) and exc.filename and exc.strerror:
        _report(_of_a_file(exc), as_json=as_json, debug=False)
        if debug:
            _trace(exc)
        return ResourceError.exit_code
    if debug:
        _trace(exc)
    elif as_json:
        _write_json({"type": type(exc).__name__, "message": "an error of envclone itself", "exit_code": 1})
    else:
        click.echo(f"error: an error of envclone itself ({type(exc).__name__}); --debug shows the trace", err=True)
    return 1


def _of_a_file(exc: OSError) -> ResourceError:
    """What the system refused to do with a file: nothing that was asked for, and nothing that a trace explains."""
    name = os.fsdecode(exc.filename) if isinstance(exc.filename, str | bytes) else str(exc.filename)
    return ResourceError(
        f"the system refused {name}: {exc.strerror}", hint="see what stands there; --debug shows what it was wanted for"
    )


def _let_go(exc: BaseException) -> None:
    """Close what the interrupted frames still hold.

    A signal can come between a context manager's first half and the block that it is for: nothing calls its second half
    then, and it runs when its generator is closed, which is when no frame of the trace has it any more.
    """
    seen: BaseException | None = exc
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__


def _unwound(exc: BaseException) -> bool:
    """Whether what came out is the signal itself, or what it did to a program: no error of the clean-up after it."""
    if isinstance(exc, click.Abort | KeyboardInterrupt):
        return True
    seen = exc.__context__
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__context__
    return seen is None


def _interrupted(signum: int, *, clean: bool) -> int:
    """Say so and return 128 and the signal's number; a terminal that was closed can no longer be told."""
    code = 128 + signum
    left = "nothing half made is left" if clean else "cleaning up failed: envclone gc removes what is left"
    said = f"ended by {signal.Signals(signum).name}; {left}"
    with contextlib.suppress(OSError):
        if "--json" in sys.argv:
            _write_json({"type": "Interrupted", "message": said, "exit_code": code})
        else:
            click.echo(said, err=True)
    return code


def _flush() -> None:
    """Write what is buffered: a closed terminal takes nothing, and the interpreter would fail on that at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def _still_cleaning(signum: int) -> None:
    with contextlib.suppress(OSError):  # not through `sys.stderr`, which may be in the middle of a line
        os.write(2, b"still cleaning up; it ends by itself\n")


def _report(exc: EnvcloneError, *, as_json: bool, debug: bool) -> None:
    from envclone.cli.visible import visible

    problems = [str(problem) for problem in getattr(exc, "problems", ())]
    if as_json:
        _write_json(
            {
                "type": type(exc).__name__,
                "message": exc.message,
                "problems": problems,
                "hint": exc.hint,
                "exit_code": exc.exit_code,
                **({"findings": exc.context["findings"]} if "findings" in exc.context else {}),
            }
        )
    else:
        click.echo(click.style("error: ", fg="red", bold=True) + visible(exc.message), err=True)
        for problem in problems:
            click.echo(f"  {visible(problem)}", err=True)
        if exc.hint:
            first, *rest = visible(exc.hint).splitlines()
            click.echo(click.style("hint: ", fg="cyan") + "\n      ".join([first, *rest]), err=True)
    if debug:
        _trace(exc)


def _trace(exc: BaseException) -> None:
    from envclone.cli.trace import trace

    click.echo(trace(exc), err=True, nl=False)


def _write_json(error: dict[str, Any]) -> None:
    import json

    click.echo(json.dumps({"error": error}, indent=2))


if __name__ == "__main__":
    main()
