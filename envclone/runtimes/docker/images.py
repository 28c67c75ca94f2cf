"""Images by what they contain: a tag is looked up once, and from then on the branch knows its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envclone.errors import ResourceError
from envclone.models import ProgressEvent
from envclone.protocols import Progress
from envclone.runtimes.docker import sandbox
from envclone.runtimes.docker.engine import explained

if TYPE_CHECKING:
    import docker

__all__ = ["ensure_sandbox", "resolve"]


def resolve(client: docker.DockerClient, name: str, progress: Progress) -> str:
    """The content that a name stands for, pulled when it is not here. Raises ResourceError when there is none.

    An image from a registry is pinned by the registry's digest, which other machines know too; another by its id.
    """
    from docker.errors import APIError, ImageNotFound

    with explained(f"the image {name} cannot be used"):
        try:
            image = client.images.get(name)
        except ImageNotFound:
            progress(ProgressEvent(f"pulling {name}", 0))
            try:
                _pull(client, name, progress)
                image = client.images.get(name)
            except (ImageNotFound, APIError) as exc:
                raise ResourceError(
                    f"the image {name} is not on this machine and cannot be pulled",
                    hint=f"docker pull {name} says why; docker load brings one from a file",
                ) from exc
    digests = [digest for digest in image.attrs.get("RepoDigests") or () if "@sha256:" in digest]
    wanted = next((digest for digest in digests if digest.partition("@")[0] == name.partition("@")[0]), None)
    repository = name.partition("@")[0].rpartition(":")[0] or name
    pinned = wanted or next((digest for digest in digests if digest.partition("@")[0] == repository), None)
    return pinned or str(image.id)


def _pull(client: docker.DockerClient, name: str, progress: Progress) -> None:
    """Pull an image, saying how far it is (bytes)."""
    layers: dict[str, tuple[int, int]] = {}
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] and "@" not in name else (name, "", "")
    for line in client.api.pull(repository, tag=tag or None, stream=True, decode=True):
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            layers[line["id"]] = (detail["current"], detail["total"])
            done, total = (sum(pair[i] for pair in layers.values()) for i in (0, 1))
            progress(ProgressEvent(f"pulling {name}", done, total, "bytes"))


def ensure_sandbox(client: docker.DockerClient) -> str:
    """The image that holds a branch's namespace, made here when it is not there yet; its name."""
    from docker.errors import ImageNotFound

    name = sandbox.name_of()
    with explained("the sandbox's image cannot be made"):
        try:
            client.images.get(name)
        except ImageNotFound:
            repository, _, tag = name.rpartition(":")
            client.api.import_image_from_data(
                sandbox.image_of(),
                repository=repository,
                tag=tag,
                changes=[f'ENTRYPOINT ["{sandbox.PROGRAM}"]', 'LABEL io.envclone.part="sandbox"'],
            )
    return name
