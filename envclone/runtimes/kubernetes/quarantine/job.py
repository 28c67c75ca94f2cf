"""The program of a Job in quarantine: recovers, masks, proves and signs an image, and hands over what is said of it.

What the snapshots hold is only read. It works in a pool on a volume of its own, and a pod that comes after one that was
killed goes on there. The image's files go to a third volume, which was empty: a volume on which something raw was ever
written still has it in its free blocks. They are compared with the attestation once more where they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from envclone import attestation
from envclone.errors import ConfigError, EnvcloneError, UnsafeError
from envclone.models import Image, ProgressEvent
from envclone.private import write_private
from envclone.project import Project
from envclone.runtimes.kubernetes.quarantine import handover

__all__ = ["made", "main"]

ROOM = Path("/run/secrets/envclone")
_DEPTH = 3


def tell(**document: Any) -> None:
    """A line of the log, which who waits for the Job reads."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _progress(event: ProgressEvent) -> None:
    tell(progress=asdict(event))


def data_of(mount: Path, kind: str, folder: str | None) -> Path:
    """The data directory on a volume. Raises ConfigError when it is not there, or several are."""
    mark = "global/pg_control" if kind == "postgres" else "collections"
    if folder is not None:
        if not (mount / folder / mark).exists():
            raise ConfigError(
                f"the volume has no data directory '{folder}'", hint="correct source.volume.folder, or leave it out"
            )
        return mount / folder
    found: list[Path] = []
    level = [mount]
    for _ in range(_DEPTH):
        found += [one for one in level if (one / mark).exists()]
        level = [inner for one in level if one not in found for inner in _folders(one)]
    if len(found) != 1:
        listed = ", ".join(str(one.relative_to(mount)) for one in found)
        raise ConfigError(
            f"the volume has {'several data directories: ' + listed if found else 'no data directory of ' + kind}",
            hint="source.volume.folder names it",
        )
    return found[0]


def _folders(place: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(one for one in place.iterdir() if one.is_dir() and not one.is_symlink())
    return []


def made(order: dict[str, Any], work: Path, clean: Path, room: Path) -> tuple[Project, Image]:
    """Make the image of an order, or take the one that an earlier pod made; its files are in `clean` then."""
    from envclone import preloaded

    preloaded.take()  # before a module with loops is imported
    from envclone.lifecycle import publish, snapshot
    from envclone.pool import catalog
    from envclone.pool import collect as leftovers

    stack = _written(order, work)
    project = Project.open(stack, pool=work / "pool", progress=_progress)
    keys = project.keys
    for name in ("project.key", "signing.key"):
        if not (keys / name).exists():
            write_private(keys / name, (room / name).read_text())
    if project.rules_digest != order["rules"]:
        raise UnsafeError(
            "the rules in the Job are not those of the stack file",
            hint="is the envclone of kubernetes.image the one that asks? Its versions must be the same",
        )
    for one in leftovers.leftovers(project.pool):
        leftovers.remove(project.pool, project.cow, one)
    with contextlib.ExitStack() as held:
        if project.pool.path_of("raw", order["raw"]).is_dir():
            raw = catalog.snapshot(project.pool, project.name, order["raw"])
            held.enter_context(project.pool.using("raw", raw.id))
        else:
            raw = held.enter_context(snapshot.take(project, order["environment"], ident=order["raw"]))
        there = [one for one in catalog.images(project.pool, project.name) if one.raw.id == raw.id]
        image = there[-1] if there else held.enter_context(publish.make(project, raw, again=bool(order.get("again"))))
        _laid_out(project, image, clean)
    return project, image


def _written(order: dict[str, Any], work: Path) -> Path:
    """The stack file and the hooks, with each store where its snapshot is mounted."""
    import yaml

    place = work / "stack"
    for name, text in order["files"].items():
        target = place / name
        if not target.resolve().is_relative_to(place.resolve()):
            raise UnsafeError(f"the order names a file outside of its place: {name}")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    stack = order["stack"]
    for name, one in order["mounts"].items():
        store = stack["environments"][order["environment"]]["stores"][name]
        store["source"]["path"] = str(data_of(Path(one["at"]), store["kind"], one["folder"]))
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = place / "envclone.yaml"
    file.write_text(yaml.safe_dump(stack, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def _laid_out(project: Project, image: Image, clean: Path) -> None:
    """Put an image's files on the volume that is kept, and compare each with what was attested."""
    project.begin("laying out the image")
    source = project.pool.path_of("images", image.id)
    for entry in sorted(clean.iterdir()):
        if entry.name == "lost+found":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for entry in sorted(source.iterdir()):
        if entry.is_dir():
            shutil.copytree(entry, clean / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, clean / entry.name)
    with contextlib.suppress(OSError):
        (clean / "lost+found").rmdir()  # a file system's own, and empty: no store accounts for it
    attestation.check(clean, project.keys, content=True)
    os.sync()


def main(file: str, work: str, clean: str) -> int:
    """Carry out the order in `file`; returns an exit code as the command line's."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the first process of a container has no default
    os.umask(0o077)
    try:
        order = json.loads(Path(file).read_text())
        project, image = made(order, Path(work), Path(clean), Path(file).parent)
        place, raw = project.pool.path_of("images", image.id), project.pool.path_of("raw", image.raw.id)
        digest = project.rules_digest[:16]
        files = {
            handover.ATTESTATION: place / attestation.ATTESTATION,
            handover.SIGNATURE: place / attestation.SIGNATURE,
            handover.MANIFEST: place / attestation.MANIFEST,
            handover.IDENTITIES: raw / f"identities-{digest}",
            handover.PLAN: raw / f"plan-{digest}",
        }
        listening = socket.create_server(("127.0.0.1", handover.PORT))
        tell(made=image.id)
        handover.serve(listening, (Path(file).parent / "token").read_text().strip(), files, lambda name: None)
    except EnvcloneError as exc:
        problems = [str(one) for one in getattr(exc, "problems", ())]
        tell(error={"type": type(exc).__name__, "message": exc.message, "hint": exc.hint, "problems": problems})
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
