"""Every command over every broken stack file: an error with its code and its remedy, and never a bug."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from envclone.cli import main as boundary

_GOOD = """\
version: 1
project: acme
pool: {{path: "{pool}"}}
environments:
  prod:
    stores:
      main: {{kind: postgres, source: {{method: physical, dsn: "{dsn}"}}}}
sanitize: {{rules: {{main: {{public.people.name: person}}}}}}
incidents: incidents/
"""
_CLOSED = "host=127.0.0.1 port=1 user=u dbname=d connect_timeout=2"
_ALIASES = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
STACKS: dict[str, bytes | None] = {
    "there is none": None,
    "empty": b"",
    "a zero": b"\0",
    "a list": b"- 1\n- 2\n",
    "no version": b"project: x\n",
    "another version": b"version: 2\nproject: x\n",
    "no end": b"{version: 1",
    "not UTF-8": b"version: 1\nproject: \xff\xfe\n",
    "UTF-16": "version: 1\n".encode("utf-16"),
    "aliases of aliases": _ALIASES.encode(),
    "a tag": b"version: 1\nproject: !!python/object/apply:os.system [true]\n",
    "a key twice": b"version: 1\nversion: 1\n",
    "tabs": b"version:\t1\n\tproject: x\n",
    "an absent include": b'version: 1\ninclude: ["gone.yaml"]\nproject: x\n',
    "itself": b'version: 1\ninclude: ["envclone.yaml"]\nproject: x\n',
    "an unset variable": b'version: 1\nproject: "${NEVER_SET?say so}"\n',
    "half a variable": b'version: 1\nproject: "${"\n',
    "no environment": b"version: 1\nproject: x\nenvironments: {}\n",
    "an unknown kind": b"version: 1\nproject: x\nenvironments: {prod: {stores: {main: {kind: oracle}}}}\n",
    "deep": b"version: 1\nproject: " + b"[" * 3000 + b"]" * 3000,
    "a large number": b"version: 1\nproject: x\nbranches: {ttl: " + b"9" * 5000 + b"h}\n",
    "a directory": b"\x01",
    "a closed port": _GOOD.format(pool="@POOL@", dsn=_CLOSED).encode(),
    "no DSN": _GOOD.format(pool="@POOL@", dsn="===").encode(),
    "a pool in a file": _GOOD.format(pool="@FILE@", dsn=_CLOSED).encode(),
    "a pool nowhere": _GOOD.format(pool="/proc/none/pool", dsn=_CLOSED).encode(),
}
COMMANDS = (
    "config check", "config schema", "snapshot prod", "snapshot gone", "image prod", "images", "ls", "show x", "env x",
    "stop x", "start x", "reset x", "protect x", "rm x", "gc --dry-run", "verify x", "attestation x",
    "audit log", "audit verify", "scan prod", "hooks list", "profile check prod", "branch prod", "branch ../x",
    "logs x main", "stats x", "parity x", "incident show 1", "replay 1", "branch prod --ttl never",
)  # fmt: skip


@pytest.mark.parametrize("what", STACKS)
def test_no_command_has_a_bug_over_a_broken_file(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pool, file = tmp_path / "pool", tmp_path / "file"
    monkeypatch.setenv("ENVCLONE_POOL", str(pool))
    monkeypatch.setenv("ENVCLONE_MASKING_KEY", "00" * 32)
    file.write_text("")
    content, path = STACKS[what], tmp_path / "envclone.yaml"
    if what == "a directory":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content.replace(b"@POOL@", str(pool).encode()).replace(b"@FILE@", str(file).encode()))
    bad = []
    for command in COMMANDS:
        for more in ((), ("--json",)) if command == "ls" else ((),):
            monkeypatch.setattr(sys, "argv", ["envclone", "-q", "-f", str(path), *command.split(), *more])
            code = boundary.run()
            out, err = capsys.readouterr()
            if code in (1,) or not 0 <= code <= 8 or "Traceback" in out + err or (code and not err and not out):
                bad.append((command, code, (out + err)[-400:]))
    assert not bad
