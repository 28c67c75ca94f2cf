"""`envclone serve`: the service for a team, and its tokens."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envclone.cli.context import DURATION, SIZE, Settings, absolute, emit, json_option, print_table
from envclone.errors import UsageError

if TYPE_CHECKING:
    from envclone.api import Stack
    from envclone.serve.oidc import Oidc
    from envclone.serve.signin import SignIn
    from envclone.serve.state import State

__all__ = ["serve"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(invoke_without_command=True, short_help="Serve a team over HTTP: branches, incidents, replays.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8750, show_default=True, help="0 is a free one.")
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="The certificate, with its chain (PEM).")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Its key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front speaks TLS.")
@click.option("--calls", type=click.IntRange(1), default=300, show_default=True, help="Calls in a minute, a token.")
@click.option(
    "--strangers", type=click.IntRange(1), default=120, show_default=True, help="The same without one, an address."
)
@click.option("--branches", type=click.IntRange(1), default=5, show_default=True, help="Branches that one may have.")
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Jobs that run at once.")
@click.option("--ttl", type=DURATION, default="7d", show_default=True, help="The longest life of a branch.")
@click.option("--bundle-size", type=SIZE, default="8M", show_default=True, help="The largest bundle that is taken.")
@click.option("--allow-images", is_flag=True, help="An engineer's branch may have an image made, from production.")
@click.option("--webhook", "webhooks", multiple=True, metavar="URL", help="Is told of each job that ended. Several.")
@click.option("--webhook-secret", type=_FILE, metavar="FILE", help="The file of the secret that signs them.")
@click.option("--oidc-issuer", metavar="URL", help="Also take tokens of this identity provider (OpenID Connect).")
@click.option("--oidc-audience", metavar="NAME", help="What its tokens call this service.")
@click.option("--oidc-claim", default="groups", show_default=True, metavar="CLAIM", help="Which claim says the role.")
@click.option("--oidc-role", "oidc_roles", multiple=True, metavar="VALUE=ROLE", help="A value of it as a role here.")
@click.option("--oidc-client", metavar="NAME", help="Browsers sign in there, too: what it knows the service as.")
@click.option(
    "--oidc-client-secret", type=_FILE, metavar="FILE", help="The file of the client's secret, if it has one."
)
@click.option("--public-url", metavar="URL", help="The address that browsers reach the service by.")
@click.pass_context
def serve(
    ctx: click.Context,
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,
    calls: int,
    strangers: int,
    branches: int,
    jobs: int,
    ttl: dt.timedelta,
    bundle_size: int,
    allow_images: bool,
    webhooks: tuple[str, ...],
    webhook_secret: Path | None,
    oidc_issuer: str | None,
    oidc_audience: str | None,
    oidc_claim: str,
    oidc_roles: tuple[str, ...],
    oidc_client: str | None,
    oidc_client_secret: Path | None,
    public_url: str | None,
) -> None:
    """Serve a team over HTTP, so that engineers need neither root nor the key.

    Who calls has a token: `envclone serve token create NAME`. Without TLS it listens on this machine alone.
    """
    if ctx.invoked_subcommand is not None:
        return
    from envclone.extras import need

    need("starlette", "serve", "the service")
    need("uvicorn", "serve", "the service")
    need("jwt", "serve", "the service")
    from envclone.serve.app import create
    from envclone.serve.options import Options
    from envclone.serve.run import Address, require_safe
    from envclone.serve.run import serve as run
    from envclone.serve.service import Service
    from envclone.serve.webhooks import Webhooks

    address = Address(
        host,
        port,
        absolute(tls_cert) if tls_cert else None,
        absolute(tls_key) if tls_key else None,
        behind_proxy,
    )
    require_safe(address)
    if not ttl:
        raise UsageError("--ttl takes a time, such as 8h or 7d", hint="branches of engineers always end")
    options = Options(
        calls_per_minute=calls,
        strangers_per_minute=strangers,
        branches=branches,
        jobs=jobs,
        ttl=ttl,
        bundle=bundle_size,
        images=allow_images,
        secure=address.secure,
        behind_proxy=behind_proxy,
    )
    key = _webhook_key(webhooks, webhook_secret)
    verifier = _provider(oidc_issuer, oidc_audience, oidc_claim, oidc_roles)
    signin = _signin(verifier, oidc_client, oidc_client_secret, public_url)
    settings: Settings = ctx.obj
    with settings.stack(show_progress=False) as stack:
        told = Webhooks(webhooks, key, place=_state(stack).folder("outbox")) if webhooks else None
        service = Service(stack, options, told)
        app = create(service, verifier=verifier, signin=signin)

        def ready(url: str) -> None:
            for line in service.recover():
                click.echo(line, err=True)
            click.echo(f"serving {stack.project.name} at {url}", err=True)

        run(app, service, address, ready)


def _webhook_key(urls: tuple[str, ...], secret: Path | None) -> bytes:
    """The secret that signs webhooks, where there are any. Raises UsageError, UnsafeError."""
    if not urls:
        return b""
    from envclone.serve.outward import require_outward

    for url in urls:
        require_outward(url)
    if secret is None:
        raise UsageError(
            "a webhook is signed with a secret", hint="--webhook-secret FILE, such as: openssl rand -hex 32"
        )
    try:
        key = absolute(secret).read_bytes().strip()
    except OSError as exc:
        raise UsageError(f"{secret} cannot be read: {exc.strerror}") from None
    if len(key) < 16:
        raise UsageError("the secret of the webhooks is shorter than 16 bytes", hint="openssl rand -hex 32")
    return key


def _provider(issuer: str | None, audience: str | None, claim: str, roles: tuple[str, ...]) -> Oidc | None:
    """The identity provider that the options name. Raises UsageError."""
    if issuer is None:
        if audience or roles:
            raise UsageError("--oidc-audience and --oidc-role want a provider", hint="--oidc-issuer URL")
        return None
    from envclone.serve.oidc import Oidc, Provider
    from envclone.serve.outward import require_outward
    from envclone.serve.roles import Role

    require_outward(issuer)
    mapped = {}
    for one in roles:
        value, _, role = one.rpartition("=")
        if not value or role not in list(Role):
            raise UsageError(f"--oidc-role {one} is no VALUE=ROLE", hint=f"roles: {', '.join(Role)}")
        mapped[value] = Role(role)
    if not audience or not mapped:
        raise UsageError(
            "a provider's tokens need an audience and a role", hint="--oidc-audience NAME --oidc-role VALUE=engineer"
        )
    return Oidc(Provider(issuer, audience, mapped, claim))


def _signin(oidc: Oidc | None, client: str | None, secret: Path | None, url: str | None) -> SignIn | None:
    """How browsers sign in through the provider. Raises UsageError."""
    if client is None:
        if secret or url:
            raise UsageError("--oidc-client-secret and --public-url are for --oidc-client", hint="--oidc-client NAME")
        return None
    from envclone.serve.signin import Client, SignIn, redirect_of

    if oidc is None or url is None:
        raise UsageError(
            "browsers sign in at a provider, which sends them back to an address",
            hint="--oidc-issuer URL --public-url https://envclone.acme.example",
        )
    key = None
    if secret is not None:
        try:
            key = absolute(secret).read_text().strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(f"{secret} cannot be read: {getattr(exc, 'strerror', None) or 'it is no text'}") from None
        if not key:
            raise UsageError(f"{secret} is empty", hint="the secret that the provider gave for the client")
    return SignIn(oidc, Client(client, redirect_of(url), key))


@serve.group()
def token() -> None:
    """Make, list and take back tokens."""


@token.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["metrics", "viewer", "engineer", "operator"]),
    default="engineer",
    show_default=True,
    help="What it may.",
)
@click.option(
    "--expires", type=DURATION, default="30d", show_default=True, help="When it ends, such as 12h, 30d, none."
)
@json_option
@click.pass_obj
def create(settings: Settings, name: str, role: str, expires: dt.timedelta, as_json: bool) -> None:
    """Make a token for NAME. It is shown now, and never again; tokens of one name own the same branches."""
    from envclone.serve.roles import Role
    from envclone.serve.tokens import Tokens

    with settings.stack(show_progress=False) as stack:
        made, text = Tokens(_state(stack)).create(name, Role(role), expires or None)
        stack.project.log("token", {"verb": "create", "id": made.id, "name": name, "role": role})
    document = {"id": made.id, "name": name, "role": role, "expires_at": made.expires_at, "token": text}
    until = f", until {made.expires_at}" if made.expires_at else ", without an end"

    def shown() -> None:
        click.echo(text)
        click.echo(f"token {made.id} of {name}: {role}{until}; it is shown this once", err=True)

    emit(as_json, document, shown)


@token.command("ls")
@json_option
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the tokens; their texts are nowhere."""
    from envclone.serve.tokens import Tokens

    with settings.stack(show_progress=False) as stack:
        found = Tokens(_state(stack)).all()
    now = dt.datetime.now(dt.UTC)
    rows = [
        [one.id, one.name, one.role, one.created_at, (one.expires_at or "-") if one.live(now) else "ended"]
        for one in found
    ]
    emit(
        as_json,
        [
            {"id": one.id, "name": one.name, "role": one.role, "created_at": one.created_at,
             "expires_at": one.expires_at, "live": one.live(now)}
            for one in found
        ],
        lambda: print_table("", ["TOKEN", "NAME", "ROLE", "MADE", "UNTIL"], rows) if rows else click.echo("no tokens"),
    )  # fmt: skip


@token.command()
@click.argument("ident", metavar="TOKEN")
@json_option
@click.pass_obj
def revoke(settings: Settings, ident: str, as_json: bool) -> None:
    """Take a token back, by its id; it holds from the next call on."""
    from envclone.serve.tokens import Tokens

    with settings.stack(show_progress=False) as stack:
        gone = Tokens(_state(stack)).revoke(ident)
        stack.project.log("token", {"verb": "revoke", "id": ident, "name": gone.name, "role": gone.role})
    emit(as_json, {"revoked": ident}, lambda: click.echo(f"token {ident} of {gone.name}: revoked"))


@serve.command()
@json_option
@click.pass_obj
def held(settings: Settings, as_json: bool) -> None:
    """List the incidents that engineers sent and nobody has let in."""
    from dataclasses import asdict

    from envclone.serve import intake

    with settings.stack(show_progress=False) as stack:
        found = [asdict(one) for one in intake.held(_state(stack))]
    rows = [[str(value) for value in one.values()] for one in found]
    emit(
        as_json,
        found,
        lambda: print_table("", ["INCIDENT", "OF", "BY", "AT", "STEPS"], rows) if rows else click.echo("none waits"),
    )


@serve.command()
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--allow-chosen", is_flag=True, help="Also make pseudonyms of values that production did not give.")
@json_option
@click.pass_obj
def release(settings: Settings, incident_id: str, allow_chosen: bool, as_json: bool) -> None:
    """Let an incident in that an engineer sent. Who sent it then learns the pseudonyms of what is in it."""
    from envclone.serve import intake

    with settings.stack(show_progress=False) as stack:
        steps = intake.release(stack, _state(stack), incident_id, allow_chosen=allow_chosen)
    document = {"incident": incident_id, "state": "taken", "steps": steps}
    emit(as_json, document, lambda: click.echo(f"incident {incident_id}: taken, {steps} steps"))


def _state(stack: Stack) -> State:
    from envclone.serve.state import State

    return State(stack.project.pool, stack.project.name)
