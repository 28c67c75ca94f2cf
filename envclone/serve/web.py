"""The web page's routes."""

from __future__ import annotations

from starlette.routing import Route

from envclone.serve.service import Service

__all__ = ["routes"]


def routes(service: Service) -> list[Route]:
    """The routes of the web page. Each endpoint is `guard.page(handler, least=…)`, but GET /login, which is open.

    `POST /login` (field `token`) and `POST /logout` are there: `entrance.py`.
    """
    return []
