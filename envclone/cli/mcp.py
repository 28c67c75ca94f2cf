"""`envclone mcp`: a server for an agent, which branches, replays and asks, and sees no more than that."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import click

from envclone.cli import completion
from envclone.cli.context import DURATION, SIZE, Settings, absolute

__all__ = ["mcp"]


@click.command()
@click.option("--env", "environments", multiple=True, metavar="ENV", shell_complete=completion.environments,
              help="An environment that may be branched; several times for several.  [default: all]")  # fmt: skip
@click.option("--allow-writes", is_flag=True, help="Let `sql` write in the session's own branches.")
@click.option("--allow-images", is_flag=True, help="Make an image where there is none, which reads production.")
@click.option("--branches", type=click.IntRange(1, 20), default=1, show_default=True, help="Branches at once.")
@click.option("--ttl", type=DURATION, default="1h", show_default=True, help="How long one outlives a killed server.")
@click.option("--calls", type=click.IntRange(1), default=300, show_default=True, help="Calls in a minute.")
@click.option("--concurrent", type=click.IntRange(1, 64), default=8, show_default=True, help="Calls that run at once.")
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=30.0, show_default=True, help="Of a question.")
@click.option("--rows", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Rows of a result.")
@click.option("--size", type=SIZE, default="256K", show_default=True, help="Size of a result.")
@click.option("--config", is_flag=True, help="Print what a client's configuration needs, and serve nobody.")
@click.pass_obj
def mcp(
    settings: Settings,
    environments: tuple[str, ...],
    allow_writes: bool,
    allow_images: bool,
    branches: int,
    ttl: dt.timedelta,
    calls: int,
    concurrent: int,
    seconds: float,
    rows: int,
    size: int,
    config: bool,
) -> None:
    """Serve an agent's client over standard input and output (Model Context Protocol).

    A session has branches of its own, which go with it. Results hold no login, key or place.
    """
    from envclone.config.find import find
    from envclone.extras import need

    need("mcp", "mcp", "the MCP server")
    if config:
        file = Path(settings.stack_file) if settings.stack_file else find(Path.cwd())
        words = ["-m", "envclone", "--file", str(file.absolute())]
        words += ["--pool", str(absolute(settings.pool))] if settings.pool else []
        given = (
            [word for word in sys.argv[sys.argv.index("mcp") :] if word != "--config"] if "mcp" in sys.argv else ["mcp"]
        )
        server = {"command": sys.executable, "args": [*words, *given]}
        click.echo(json.dumps({"mcpServers": {"envclone": server}}, indent=2))
        return
    from envclone.mcp import secret
    from envclone.mcp.limits import Limits
    from envclone.mcp.outgoing import Outgoing
    from envclone.mcp.server import serve
    from envclone.mcp.session import Powers, Session

    limits = Limits(
        calls_per_minute=calls,
        concurrent=concurrent,
        seconds=seconds,
        rows=rows,
        bytes=size,
        branches=branches,
        ttl=ttl,
    )
    powers = Powers(allow_writes, allow_images, frozenset(environments) if environments else None)
    with settings.stack(show_progress=False) as stack:
        for name in environments:
            stack.project.environment(name)
        outgoing = Outgoing(bytes=limits.bytes, characters=limits.characters, places=secret.places(stack.project))
        with Session(stack, limits, powers, outgoing) as session:
            signum = serve(session)
            left = session.names
    if left:
        click.echo(f"warning: these branches are left: {', '.join(left)}; envclone rm {' '.join(left)}", err=True)
    if signum is not None:
        raise click.exceptions.Exit(128 + signum)
