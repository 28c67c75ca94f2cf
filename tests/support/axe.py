"""axe's rules of accessibility on a page that a browser shows."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from tests.support.browser import Browser

__all__ = ["violations"]


def violations(tab: Browser) -> list[str]:
    """What of the page that is shown breaks a rule of axe's, best practices included; a line for each.

    ENVCLONE_AXE names another axe.min.js than the one that the lock brings.
    """
    named = os.environ.get("ENVCLONE_AXE")
    text = Path(named).read_text() if named else (files("axe_core_python") / "axe.min.js").read_text("utf-8")
    tab.run(f"{text};0")
    found: list[str] = tab.run(_RUN)
    return found


_RUN = """
axe.run(document, {resultTypes: ['violations']}).then(told => told.violations.flatMap(
  rule => rule.nodes.map(node => `${rule.id} (${rule.impact}): ${node.html.slice(0, 120)}`)))
"""
