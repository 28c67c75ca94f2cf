"""A Qdrant volume on a cluster to an image of it, on the stand-in: masked by the Job, and nobody is left in it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from envclone import attestation
from envclone.pool import catalog
from tests.support.cluster import objects
from tests.support.cluster.controllers import controlling
from tests.support.cluster.processes import Processes, compiled_for
from tests.support.cluster.server import running
from tests.support.cluster.stackhead import HEAD
from tests.support.recorded import RULES, people, unpack
from tests.support.stack import bytes_hold, place

pytestmark = [pytest.mark.real, pytest.mark.root]

STACK = (
    HEAD
    + """\
    stores:
      kb:
        kind: qdrant
        image: "qdrant/qdrant@sha256:DIGEST"
        source: {method: volume, volume: {namespace: shop, labels: {app: kb}}}
sanitize:
  domains: {email: {kind: email, unique: true}}
  rules:
    kb:
""".replace("DIGEST", "0" * 64)
    + RULES
)


def test_a_qdrant_volume_becomes_an_image() -> None:
    kubelet = Processes()
    with place(size="4G") as here, running() as api, compiled_for() as loops:
        here.env.update(KUBECONFIG=str(api.kubeconfig(here.directory / "kubeconfig")))
        here.write(STACK)
        here.open()
        storage = here.pool / "storage"
        storage.mkdir(mode=0o711)
        kubelet.compiled = loops
        volume = storage / "of-kb"
        volume.mkdir()
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(unpack(Path(folder)), volume / "storage")
        with controlling(api, storage, kubelet) as controllers:
            api.connect, api.tail, api.over = kubelet.connect, kubelet.tail, kubelet.is_over
            for name in ("envclone-images", "envclone-quarantine"):
                objects.namespace(api, name, objects.RESTRICTED)
            objects.namespace(api, "shop")
            objects.classes(api)
            objects.volume(api, controllers, "shop", "kb", volume, {"app": "kb"})
            image = here.json("image", "prod")
            pool = here.open().project.pool
            (made,) = catalog.images(pool, "acme")
            assert made.id == image["id"] and made.raw.stores["kb"].method == "volume"
            attestation.check(pool.path_of("images", made.id), here.open().project.keys)
            (handle,) = [
                one["spec"]["source"]["snapshotHandle"]
                for one in api.all("volumesnapshotcontents")
                if one["metadata"]["name"].startswith("envclone-images.")
            ]
            clean = controllers.handles[handle]
            raw = [one.encode() for one in sorted(people())][:5]
            assert bytes_hold(volume, raw) and bytes_hold(clean, raw) == {}
            assert controllers.failures == []
