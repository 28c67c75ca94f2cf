"""What a server was started with, by the file `postmaster.opts` that it leaves in its data directory.

A container's `command: postgres -c work_mem=64MB` is in no configuration file, and wins over them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["of_the_last_start", "place_of_configuration"]

_MOST = 1 << 16
_ARGUMENT = re.compile(r' "([^"]*)"')
_SHORT = {"-B": "shared_buffers", "-N": "max_connections"}
_PLACE = "-D"


def of_the_last_start(data: Path) -> dict[str, str]:
    """The settings of the command line, by name in lower case; `-D` is what it was given for."""
    try:
        with (data / "postmaster.opts").open("rb") as file:
            text = file.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    words = _ARGUMENT.findall(text)
    while words:
        word = words.pop(0)
        if word in ("-c", *_SHORT, _PLACE) and words:
            value = words.pop(0)
            word = f"-c{value}" if word == "-c" else f"-c{_SHORT.get(word, word)}={value}"
        if match := re.fullmatch(r"(?:-c\s*|--)(-D|[A-Za-z_][\w.$-]*)=(.*)", word, re.DOTALL):
            name = match[1] if match[1] == _PLACE else match[1].replace("-", "_").lower()
            found[name] = match[2]
    return found


def place_of_configuration(data: Path, options: Mapping[str, str]) -> str:
    """The directory of postgresql.conf that a command line names, when it is not the data directory; else ''."""
    file, place = options.get("config_file", ""), options.get(_PLACE, "")
    where = file.rpartition("/")[0] if file.startswith("/") else place
    return where if where.startswith("/") and Path(where).resolve() != data.resolve() else ""
