"""Verbs on what production gave: images, snapshots, what nobody needs any more, the audit log."""

from __future__ import annotations

from typing import Any

from envclone.serve.base import Base
from envclone.serve.calls import verb
from envclone.serve.refusals import NotFound
from envclone.serve.roles import Principal, Role
from envclone.serve.seen import ImageSeen, JobSeen, image_seen

__all__ = ["Tending"]


class Tending(Base):
    """What an operator looks after."""

    @verb("image.list", Role.VIEWER, quiet=True)
    def images(self, who: Principal) -> list[ImageSeen]:
        """The images that there are."""
        project = self.stack.project
        return [
            image_seen(one, project.cow.usage(project.pool.path_of("images", one.id))) for one in self.stack.images()
        ]

    @verb("image.show", Role.VIEWER)
    def attestation(self, who: Principal, image: str) -> dict[str, Any]:
        """What is attested of an image, its signature checked."""
        if image not in {one.id for one in self.stack.images()}:
            raise NotFound("there is no such image", hint="envclone images")
        return dict(self.stack.attestation(image))

    @verb("image.build", Role.OPERATOR)
    def build_image(self, who: Principal, environment: str, *, fresh: bool = False, again: bool = False) -> JobSeen:
        """Have an image made."""
        self.stack.project.environment(environment)
        given = {"environment": environment, "fresh": fresh, "again": again}
        return self._job(self.jobs.submit(who, "image", given))

    @verb("snapshot", Role.OPERATOR)
    def snapshot(self, who: Principal, environment: str) -> JobSeen:
        """Have production's stores copied into quarantine."""
        self.stack.project.environment(environment)
        return self._job(self.jobs.submit(who, "snapshot", {"environment": environment}))

    @verb("gc", Role.OPERATOR)
    def collect(self, who: Principal, *, dry_run: bool = False) -> JobSeen:
        """Have removed what nobody needs any more."""
        return self._job(self.jobs.submit(who, "gc", {"dry_run": dry_run}))

    @verb("audit", Role.OPERATOR)
    def events(self, who: Principal, *, last: int = 200) -> list[dict[str, Any]]:
        """The newest lines of the audit log."""
        return [dict(one) for one in self.stack.events()[-max(1, min(last, 2000)) :]]
