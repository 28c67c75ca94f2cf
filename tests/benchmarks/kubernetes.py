"""What a branch on a cluster asks of its API, and what that costs: python -m tests.benchmarks.kubernetes --json

So many branches are made, stopped, started and removed on the stand-in for a cluster (`tests/support/cluster`), whose
volumes and pods are ready at once. Requests are counted per branch and step; the seconds of processor time are this
process's, stand-in included. It says nothing of a cluster's own time: its driver's clone, its scheduler, its kubelets.
`--real` counts seconds on the kube-apiserver that `KUBEBUILDER_ASSETS` names, instead.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from envclone import attestation
from envclone.models import Branch, BranchState, Credentials, Preview, Secret, StoreSnapshot
from envclone.runtimes.kubernetes import endpoints, images
from envclone.runtimes.kubernetes.client import Cluster, connect
from envclone.runtimes.kubernetes.objects import Volume
from envclone.runtimes.kubernetes.runtime import KubernetesRuntime
from tests.support.cluster import apiserver
from tests.support.cluster.controllers import controlling
from tests.support.cluster.server import running

LOGIN = Credentials("envclone", Secret("secret"))
STORE = StoreSnapshot(
    "main", "postgres", "physical", "18.4", dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 0, 0, 0,
    details={"database": "app", "superuser": "postgres"},
)  # fmt: skip
SETTINGS = {"image": "registry.example/envclone@sha256:" + "0" * 64, "timeout": "2m"}


@dataclass
class Here:
    """A pool with an image, and how many requests were made so far (None where nobody counts)."""

    pool: Path
    attested: str
    asked: Callable[[], int | None]


def _image(place: Path) -> tuple[Path, Path, Path]:
    pool = place / "pool"
    image, keys = pool / "images" / "img-1", pool / "keys"
    (image / "main").mkdir(parents=True)
    (image / "main" / "file").write_text("x")
    keys.mkdir(mode=0o700)
    attestation.seal(image, {"image": "img-1"}, keys)
    (place / "storage").mkdir()
    return pool, image, keys


def _publish(cluster: Cluster, image: Path, keys: Path, handle: str) -> None:
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "envclone-images"}})
    volume = Volume("data", "csi.example", handle, 1 << 30, {"main": "main"})
    cluster.create(images.described("img-1", "envclone-images", image, keys, [volume]))


@contextlib.contextmanager
def _world(real: bool) -> Iterator[Here]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pool, image, keys = _image(place)
        attested = attestation.digest(image)
        if real:
            with apiserver.serving(place) as server:
                _publish(server.cluster, image, keys, "snap-1")
                yield Here(pool, attested, lambda: None)
            return
        with running() as api:
            os.environ["KUBECONFIG"] = str(api.kubeconfig(place / "kubeconfig"))
            with controlling(api, place / "storage") as controllers, connect(None) as cluster:
                _publish(cluster, image, keys, controllers.snapshot_of(image))
                yield Here(pool, attested, lambda: len(api.requests))


def measure(branches: int, real: bool) -> dict[str, Any]:
    """Make, stop, start and remove so many branches, one after another; all are there at once."""
    runtime = KubernetesRuntime()
    seen: dict[str, list[tuple[float, float, int | None]]] = {}
    with _world(real) as here:
        made: list[tuple[Branch, Path]] = []

        def timed(step: str, work: Callable[[], object]) -> None:
            before, began, used = here.asked(), time.monotonic(), time.process_time()
            work()
            after = here.asked()
            count = None if before is None or after is None else after - before
            seen.setdefault(step, []).append((time.monotonic() - began, time.process_time() - used, count))

        def make(branch: Branch, directory: Path) -> None:
            runtime.prepare(branch, directory, LOGIN, Preview(stores=("main",)), lambda _: None)
            runtime.start(branch, directory, LOGIN)

        for number in range(branches):
            now = dt.datetime.now(dt.UTC)
            branch = Branch(
                f"b{number}", "prod", "img-1", BranchState.CREATING, now, None, {"main": STORE}, runtime="kubernetes",
                settings=SETTINGS, attested=here.attested,
            )  # fmt: skip
            directory = here.pool / "branches" / branch.name
            directory.mkdir(parents=True)
            timed("made", lambda branch=branch, directory=directory: make(branch, directory))  # type: ignore[misc]
            made.append((replace(branch), directory))
            print(f"{number + 1} of {branches}", file=sys.stderr)
        for branch, directory in made:
            timed("stopped", lambda b=branch, d=directory: runtime.stop(b, d))  # type: ignore[misc]
            timed("started", lambda b=branch, d=directory: runtime.start(b, d, LOGIN))  # type: ignore[misc]
        timed("orphans of all", lambda: runtime.orphans(here.pool))
        for branch, directory in made:
            timed("removed", lambda b=branch, d=directory: runtime.remove(b.name, d))  # type: ignore[misc]
            endpoints.shut(directory)
    return {
        step: {
            "requests": sorted({count for _, _, count in each if count is not None}),
            "seconds_median": round(statistics.median(wall for wall, _, _ in each), 3),
            "seconds_most": round(max(wall for wall, _, _ in each), 3),
            "processor_seconds_median": round(statistics.median(used for _, used, _ in each), 3),
        }
        for step, each in seen.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--branches", type=int, default=10, metavar="N", help="Each has a process on this machine (10)."
    )
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print(json.dumps(measure(options.branches, options.real), indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
