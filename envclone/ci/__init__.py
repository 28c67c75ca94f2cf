"""Templates of CI services that run the gate of pinned incidents."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["SERVICES", "template"]

SERVICES = ("github", "gitlab")
"""The services that there is a template for."""


def template(service: str) -> str:
    """The template of one of SERVICES, as text."""
    return (files(__package__) / f"{service}.yml").read_text(encoding="utf-8")
