"""An agent has an image made where the operator lets it, and is told the operator's command where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from envclone import process
from envclone.errors import EnvcloneError, ResourceError, UnsafeError
from envclone.mcp import session as module
from envclone.mcp.session import Powers, Session


def _session(*, images: bool) -> Any:
    project = SimpleNamespace(loaded=SimpleNamespace(path=Path("envclone.yaml")), pool=SimpleNamespace(path=Path("p")))
    made = SimpleNamespace(stack=SimpleNamespace(project=project), powers=Powers(images=images))
    made._make_image = lambda environment, tell: Session._make_image(made, environment, tell)
    return made


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The images that there are."""
    there: list[Any] = []
    monkeypatch.setattr(module.images, "find", lambda *_: there[-1] if there else None)
    return there


def _image(session: Any, said: list[str]) -> Any:
    return Session._image(session, "prod", None, said.append)


def test_without_the_power_nothing_is_made(found: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "stream", lambda *_, **__: pytest.fail("production was read"))
    with pytest.raises(UnsafeError) as caught:
        _image(_session(images=False), [])
    assert caught.value.hint == "the operator's command: envclone image prod"
    found.append("image-1")
    assert _image(_session(images=False), []) == "image-1", "one that is there is anybody's"


def test_with_it_an_image_is_made_by_a_process_of_its_own(found: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    said: list[str] = []

    def stream(words: list[str], tell: Callable[[str], None], **_: object) -> None:
        ran.append(words)
        tell('{"event": "progress", "what": "secret line"}')
        found.append("image-2")

    monkeypatch.setattr(process, "stream", stream)
    assert _image(_session(images=True), said) == "image-2"
    assert ran[0][-5:] == ["--pool", "p", "image", "prod", "--json"] and said == ["making an image of prod"]
    found.clear()
    monkeypatch.setattr(process, "stream", lambda *_, **__: None)
    with pytest.raises(ResourceError, match="was not made"):
        _image(_session(images=True), [])


def test_what_its_process_said_is_not_repeated(found: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def stream(*_: object, **__: object) -> None:
        raise module.CommandError("no", argv=[], returncode=4, stderr="postgresql://app:s3cret@db/app is not safe")

    monkeypatch.setattr(process, "stream", stream)
    with pytest.raises(EnvcloneError) as caught:
        _image(_session(images=True), [])
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
