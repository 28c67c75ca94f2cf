"""The style of an incident's page, after that of all pages."""

from __future__ import annotations

from pathlib import Path

__all__ = ["STYLE"]

STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
