"""Whether who asks wants a page or a line of JSON, by the header Accept."""

from __future__ import annotations

from starlette.requests import Request

__all__ = ["PAGE", "wants_page"]

PAGE = "page"
"""The mark of an endpoint that answers with a page."""
_PROGRAMS = ("/api/", "/metrics", "/healthz")
_LONGEST = 2000


def wants_page(request: Request, *, otherwise: bool = False) -> bool:
    """Whether an answer is to be a page: who accepts HTML gets one, below the API nobody does.

    `otherwise` is what holds for who names neither HTML nor JSON (`*/*`, or nothing).
    """
    if request.scope["path"].startswith(_PROGRAMS):
        return False
    said = ",".join(request.headers.getlist("accept"))[:_LONGEST].lower()
    page = _weight(said, ("text/html", "application/xhtml+xml", "text/*"))
    line = _weight(said, ("application/json", "application/*"))
    if page is None and line is None:
        return otherwise
    return bool(page) and (page or 0.0) >= (line or 0.0)


def _weight(said: str, kinds: tuple[str, ...]) -> float | None:
    """The largest weight of kinds that are named; None when none is."""
    found = None
    for one in said.split(","):
        kind, *parameters = (part.strip() for part in one.split(";"))
        if kind in kinds:
            found = max(found or 0.0, _quality(parameters))
    return found


def _quality(parameters: list[str]) -> float:
    for one in parameters:
        name, _, value = one.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
