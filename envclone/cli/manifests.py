"""`manifests`: envclone in a cluster, as YAML to apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from envclone.cli import completion
from envclone.cli.context import Settings, emit, json_option
from envclone.errors import UsageError

__all__ = ["manifests"]


@click.command()
@click.option("--image", required=True, metavar="IMAGE", help="The container image with envclone, by its digest.")
@click.option(
    "--env", "environments", multiple=True, metavar="ENV", shell_complete=completion.environments,
    help="Keep this environment; may be given again.  [default: all]",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Write files there.")
@click.option("--helm", is_flag=True, help="Write a Helm chart: templates, values, their schema.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--namespace", default="envclone", show_default=True, help="The namespace of envclone itself.")
@click.option(
    "--production", multiple=True, metavar="CIDR:PORT", help="An address that pods reach production at; again for more."
)
@click.option("--csi-driver", default="", metavar="NAME", help="The CSI driver that volumes are snapshotted with.")
@click.option(
    "--masking-key-secret", "masking_key", default="", metavar="NAME",
    help="A Secret with the masking key.  [default: a key that the pool makes]",
)  # fmt: skip
@click.option("--serve/--no-serve", default=True, help="With the service for engineers, or without.")
@json_option
@click.pass_obj
def manifests(
    settings: Settings,
    image: str,
    environments: tuple[str, ...],
    output: Path | None,
    helm: bool,
    force: bool,
    namespace: str,
    production: tuple[str, ...],
    csi_driver: str,
    masking_key: str,
    serve: bool,
    as_json: bool,
) -> None:
    """Print or write all that runs envclone in a Kubernetes cluster, for who applies by GitOps.

    Secrets stand in it by name only. Without --output the YAML is printed; nothing is asked of a cluster.
    """
    from envclone.manifests.build import objects, stream, texts
    from envclone.manifests.helm import charted
    from envclone.manifests.plan import plan
    from envclone.manifests.write import write

    if helm and output is None:
        raise UsageError("a chart is a directory", hint="--output DIR says where")
    made = plan(
        settings.loaded(), image=image, environments=environments, namespace=namespace, production=production,
        csi_driver=csi_driver, masking_key=masking_key, serve=serve,
    )  # fmt: skip
    document: dict[str, Any] = {"warnings": list(made.warnings)}
    if output is None:
        emit(as_json, {**document, "objects": objects(made)}, lambda: click.echo(stream(made), nl=False))
    else:
        done = write(output, charted(made) if helm else texts(made), force=force)
        document |= {"written": done.written, "unchanged": done.unchanged, "stale": done.stale}

        def text() -> None:
            click.echo(f"{output}: {len(done.written)} files written, {len(done.unchanged)} as they were")
            if not helm:
                click.echo(f"next: kubectl apply --server-side -f {output}")

        emit(as_json, {"directory": str(output), **document}, text)
        for name in done.stale:
            click.echo(f"warning: {output / name} is not made any more: remove it, and its objects", err=True)
    for line in made.warnings:
        click.echo(f"warning: {line}", err=True)
