"""Units of systemd: what has envclone run when nobody is logged in.

Quoting as systemd.service(5) and systemd.syntax(7) describe it.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["following", "keeping"]

_KEEP = """\
[Unit]
Description=envclone makes images of {environment} of {project} ahead
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={command}
# production's credentials, as the stack file names them; readable by this service's user alone
EnvironmentFile=-/etc/envclone/{project}.env
Restart=always
RestartSec=30
# it hands the signal on, and cleans up
KillMode=mixed
TimeoutStopSec=5min
UMask=0077
SuccessExitStatus=143

[Install]
WantedBy=multi-user.target
"""

_TRACK = """\
[Unit]
Description=envclone follows {environment} of {project}
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={command}
# production's credentials, as the stack file names them; readable by this service's user alone
EnvironmentFile=-/etc/envclone/{project}.env
Restart=always
RestartSec=30
# at the limit of what production may hold back, and where the stack file or the source is wrong, somebody has to look
RestartPreventExitStatus=2 3 4 6
KillMode=mixed
TimeoutStopSec=60
SuccessExitStatus=143
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def keeping(command: Sequence[str], project: str, environment: str) -> str:
    """The unit that keeps images of an environment fresh."""
    return _KEEP.format(project=project, environment=environment, command=" ".join(map(_quoted, command)))


def following(command: Sequence[str], project: str, environment: str) -> str:
    """The unit that follows an environment."""
    return _TRACK.format(project=project, environment=environment, command=" ".join(map(_quoted, command)))


def _quoted(word: str) -> str:
    """A word as a command line of a unit has it: `%` and `$` mean nothing there."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if any(c in word for c in " \t'\"\\;") or not word else plain
