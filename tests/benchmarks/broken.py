"""Commands over broken inputs, none of which may end in a bug: python -m tests.benchmarks.broken --count 500 --json

A project with a Qdrant collection, a hook, an incident and an image is copied for every combination; then one thing of
it is broken (a value of the stack file or of the bundle, a hook, a key, a file of the pool or of the source), and one
command runs. A combination is bad when it ends with exit code 1, a trace, a signal or without a word, or not at all.
The same seed makes the same combinations.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_SECONDS = 60
_KEY = "00" * 32
_STACK: dict[str, Any] = {
    "version": 1,
    "project": "acme",
    "pool": {"path": "@HERE@/pool", "driver": "copy"},
    "environments": {
        "prod": {
            "stores": {
                "kb": {
                    "kind": "qdrant",
                    "source": {"method": "directory", "path": "@HERE@/storage"},
                    "collections": ["articles"],
                }
            }
        }
    },
    "sanitize": {
        "undeclared": "fail",
        "domains": {"mail": {"kind": "email", "unique": True}},
        "hooks": ["hook.py"],
        "rules": {
            "kb": {
                "articles": {
                    "$.author.email": "mail",
                    "$.author.name": "person",
                    "$.contacts[*].phone": "phone",
                    "$.text": "text",
                    "$.tag": "python:hook.py:tag",
                    "$.price": "keep",
                },
                "articles.vectors": "keep",
                "articles.point_ids": "keep",
            }
        },
        "references": [],
        "presets": [],
    },
    "incidents": "incidents/",
    "branches": {"ttl": "8h", "max": 20},
    "quarantine": {"keep": 1, "max_age": "24h"},
}
_BUNDLE: dict[str, Any] = {
    "version": 1,
    "incident": "1",
    "environment": "prod",
    "note": "nothing was found",
    "steps": [
        {
            "id": "search",
            "kind": "vector",
            "store": "kb",
            "collection": "articles",
            "vector": [0.1, 0.2, 0.3, 0.4],
            "limit": 3,
            "params": {"hnsw_ef": 32},
            "filter": {"must": [{"key": "tag", "match": {"value": "t1"}}]},
            "with_payload": ["tag"],
            "expect": {"columns": ["payload"], "ids": [8, 1], "scores": [0.9, 0.8], "rows": [[{}], [{}]]},
        }
    ],
}
_HOOK = """\
from envclone.hooks import hook


@hook()
def tag(ctx, batch):
    return ctx.mask("email", list(batch.values())[0])
"""
_VALUES: Sequence[Any] = (
    None, True, 0, -1, 10**30, 1.5, float("nan"), "", " ", "\0", "x" * 5000, "../../etc", "/", "~", "${NONE}", "${",
    "$$", "*", "**", "a.b,c", "[", "(", "\u202e", "keep", "null", "python:gone.py:f", "sql:x", [], {}, [[]], [None],
    {"": ""}, {"x": None}, "2026-01-01", "8h", "never", "\ud7ff", "email", "person", {"domain": "email", "by": "a.b"},
)  # fmt: skip
_D = b"from envclone.hooks import hook\n@hook()\n"
_HOOKS: Mapping[str, bytes] = {
    "no Python": b"def (", "raises": b"raise ValueError('x')", "ends": b"import sys; sys.exit(3)", "empty": b"",
    "no such function": b"def other(ctx, batch): return []", "not UTF-8": b"\xff\xfe", "zeros": b"\0" * 100,
    "no writes": b"from envclone.hooks import hook\n@hook()\ndef other(ctx, batch): return batch",
    "writes what is not there": b"from envclone.hooks import hook\n@hook(writes='kb.x.y')\ndef tag(c, b): return []",
    "writes no text": b"from envclone.hooks import hook\n@hook(writes=3)\ndef tag(c, b): return []",
    "returns nothing": _D + b"def tag(ctx, batch): return None", "too few": _D + b"def tag(ctx, batch): return []",
    "numbers": _D + b"def tag(ctx, batch): return [1] * len(list(batch.values())[0])",
    "objects": _D + b"def tag(ctx, batch): return [object()] * len(list(batch.values())[0])",
    "raises late": _D + b"def tag(ctx, batch): raise KeyError('x')",
    "prints": b"print('x' * 100000)\n" + _HOOK.encode(),
    "kills itself": b"import os, signal\ndef tag(ctx, batch): os.kill(os.getpid(), signal.SIGKILL)",
    "another name of a domain": _D + b"def tag(ctx, batch): return ctx.mask('nobody', list(batch.values())[0])",
    "recursion": _D + b"def tag(ctx, batch): return tag(ctx, batch)",
}  # fmt: skip
COMMANDS = (
    "", "--help", "brnch", "config check", "config schema", "config check --json", "doctor", "doctor --env prod",
    "doctor --env gone --json", "init", "init --qdrant @HERE@/storage --force", "init --qdrant @HERE@/gone --force",
    "init --from === --force", "init --from host=127.0.0.1,port=1 --force", "init --project ../x --force",
    "snapshot prod", "snapshot prod --json", "image prod", "image prod --json", "image gone", "images", "images --json",
    "verify @IMAGE@", "verify img-000000000000", "verify ../x", "attestation @IMAGE@", "attestation @IMAGE@ --json",
    "attestation @IMAGE@ --html @HERE@/page.html", "attestation @IMAGE@ --html /proc/none/page", "audit log",
    "audit verify", "audit log --json", "log", "log --json", "log 1", "log ../x", "scan prod", "scan prod --json",
    "scan prod --write", "scan prod --all --json", "scan gone", "hooks list", "hooks list --json",
    "hooks test tag --value x", "hooks test gone", "profile check prod", "profile capture prod",
    "profile capture prod --from @HERE@/hook.py", "branch prod --name b", "branch prod --incident 1", "branch ../x",
    "branch prod --ttl never", "branch prod --incident ../1", "branch prod --profile gone", "branch prod --name X/Y",
    "ls", "ls --json", "show b", "show b --json", "env b", "stop b", "start b", "reset b", "protect b", "rm b",
    "rm --all", "gc --dry-run", "gc", "logs b kb", "stats b", "parity b", "parity b --json", "exec b kb true",
    "psql b", "incident show 1", "incident show 1 --json", "incident show ../1", "incident new 2 --sql @@HERE@/hook.py",
    "incident new 2 --collection articles --vector-file @HERE@/hook.py", "incident new 1 --sql x",
    "incident record incidents/1.yaml", "incident record gone.yaml", "incident mask 1", "incident mask 1 --image x",
    "replay 1", "replay 1 --json", "replay gone", "replay 1 --profile gone", "completion bash", "completion none",
    "pool status", "pool mount", "pool create --size x", "pool unmount", "ls --wat", "branch", "replay 1 2 3",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is broken, how, and the command that runs then."""

    what: str
    command: str
    breaks: Callable[[Path], Mapping[str, str] | None] = field(compare=False)


@dataclass(frozen=True)
class Ended:
    """How a combination ended; `bad` says what is wrong with that, '' when nothing is."""

    code: int
    said: str
    bad: str


@contextlib.contextmanager
def project() -> Iterator[tuple[Path, Path, str]]:
    """A directory to break, the good one that it is made from each time, and the id of the image in it."""
    with tempfile.TemporaryDirectory(prefix="envclone-broken-") as scratch:
        Path(scratch).chmod(0o711)
        good, here = Path(scratch) / "good", Path(scratch) / "here"
        here.mkdir()
        made = f"from tests.support.qdrant import build; build(__import__('pathlib').Path({str(here / 'storage')!r}),"
        subprocess.run([sys.executable, "-c", f"{made} points=30, size=4)"], check=True)  # no copy may have the engine
        write(here, _STACK)
        (here / "hook.py").write_text(_HOOK)
        (here / "incidents").mkdir()
        (here / "incidents" / "1.yaml").write_text(yaml.safe_dump(_BUNDLE))
        done = run(here, "image prod --json", {})
        if done.code:
            raise RuntimeError(done.said)
        image = json.loads(done.said)["id"]
        done = run(here, "branch prod --name b", {})
        if done.code:
            raise RuntimeError(done.said)
        shutil.move(here, good)
        yield here, good, image


def write(here: Path, stack: Any) -> None:
    """Write the stack file."""
    text = yaml.safe_dump(stack, allow_unicode=True, sort_keys=False).replace("@HERE@", str(here))
    (here / "envclone.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")


def cases(count: int, seed: int) -> list[Case]:
    """So many combinations of a broken thing and a command."""
    rng = random.Random(seed)
    kinds = [_stack, _stack, _bundle, _bundle, _hook, _key, _file, _file, _source, _text]
    return [
        Case(what, rng.choice(_fitting(what)), breaks)
        for what, breaks in (kinds[i % len(kinds)](rng) for i in range(count))
    ]


def _fitting(what: str) -> Sequence[str]:
    """Every command, and those that read what is broken more often."""
    words = {
        "bundle": ("incident", "replay", "branch"),
        "hook": ("hooks", "image", "scan", "doctor"),
        "storage": ("snapshot", "scan", "init", "doctor"),
        "pool": ("images", "verify", "ls", "branch", "gc", "log"),
    }
    close = [c for c in COMMANDS if c.startswith(words.get(what.split()[0], ("image", "config", "scan", "doctor")))]
    return [*COMMANDS, *close, *close]


Break = tuple[str, Callable[[Path], Mapping[str, str] | None]]


def _stack(rng: random.Random) -> Break:
    document = copy.deepcopy(_STACK)
    path = _spoil(rng, document)

    def breaks(here: Path) -> None:
        write(here, document)

    return f"stack {path}", breaks


def _bundle(rng: random.Random) -> Break:
    document = copy.deepcopy(_BUNDLE)
    path = _spoil(rng, document)

    def breaks(here: Path) -> None:
        (here / "incidents" / "1.yaml").write_text(yaml.safe_dump(document), errors="surrogatepass")

    return f"bundle {path}", breaks


def _spoil(rng: random.Random, document: Any) -> str:
    """Replace one value of a document by another, take it out, or add a key; says where and how."""
    places = list(_places(document, ()))
    holder, key, path = rng.choice(places)
    how = rng.randrange(8)
    if how == 0:
        del holder[key]
        return f"{path}: gone"
    if how == 1 and isinstance(holder, dict):
        name = rng.choice(["", "x", "a.b", "*", "$.x", "1", "x y", "\0"])
        holder[name] = rng.choice(_VALUES)
        return f"{path}: with {name!r} beside it, {holder[name]!r:.40}"
    holder[key] = rng.choice(_VALUES)
    return f"{path}: {holder[key]!r:.40}"


def _places(node: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any, str]]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield node, key, ".".join([*path, str(key)])
        yield from _places(value, (*path, str(key)))


def _hook(rng: random.Random) -> Break:
    name = rng.choice([*_HOOKS])

    def breaks(here: Path) -> None:
        (here / "hook.py").write_bytes(_HOOKS[name])

    return f"hook {name}", breaks


def _key(rng: random.Random) -> Break:
    name, value = rng.choice(
        [("ENVCLONE_MASKING_KEY", value) for value in ("", "x", "00", "zz" * 32, "\xff", "00" * 4000)]
        + [("ENVCLONE_MASKING_KEY_FILE", value) for value in ("/", "/proc/self/mem", "/gone", "/dev/null", "")]
        + [("ENVCLONE_POOL", value) for value in ("/proc/none", "/dev/null", "", "\n")]
        + [("ENVCLONE_FILE", value) for value in ("/", "/dev/null", "gone.yaml")]
        + [(name, value) for name in ("TERM", "HOME", "TMPDIR", "LANG", "EDITOR") for value in ("", "/proc/none", "x")]
    )
    return f"key {name}={value[:20]!r}", lambda here: {name: value}


def _file(rng: random.Random) -> Break:
    return _damage(rng, "pool")


def _source(rng: random.Random) -> Break:
    return _damage(rng, "storage")


def _text(rng: random.Random) -> Break:
    return _damage(rng, "", ("envclone.yaml", "incidents/1.yaml", "hook.py", "incidents", "storage", "pool"))


def _damage(rng: random.Random, below: str, names: Sequence[str] = ()) -> Break:
    pick, how = (
        rng.random(),
        rng.choice(["gone", "empty", "half", "noise", "a directory", "a link", "a pipe", "mode 0"]),
    )
    noise = rng.randbytes(200)

    def breaks(here: Path) -> None:
        found = [here / name for name in names] or sorted(
            path for path in (here / below).rglob("*") if path.is_file() or path.is_symlink()
        )
        path = found[int(pick * len(found))]
        if how == "mode 0":
            path.chmod(0)
            return
        content = b"" if path.is_dir() else path.read_bytes()[: 1 << 20]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        if how == "a directory":
            path.mkdir()
        elif how == "a link":
            path.symlink_to("/etc/hostname")
        elif how == "a pipe":
            os.mkfifo(path)
        elif how != "gone":
            middle = len(content) // 2
            path.write_bytes(
                {"empty": b"", "half": content[:middle], "noise": content[:middle] + noise + content[middle + 200 :]}[
                    how
                ]
            )

    return f"{below or 'text'} file {pick:.3f} {how}", breaks


def attempt(case: Case, here: Path, good: Path, image: str) -> Ended:
    """Restore the good project, break one thing of it and run one command."""
    shutil.rmtree(here, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", str(good), str(here)], check=True)
    more = case.breaks(here) or {}
    command = case.command.replace("@HERE@", str(here)).replace("@IMAGE@", image)
    return run(here, command, more)


def run(here: Path, command: str, more: Mapping[str, str]) -> Ended:
    """One command in a copy of this process, with its output and how it ended."""
    output = here.with_name("said")
    sys.stdout.flush(), sys.stderr.flush()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _as_a_command(here, command, more, output)
    status = None
    while time.monotonic() - began < _SECONDS:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return Ended(-1, output.read_text(errors="replace"), f"did not end within {_SECONDS} s")
    assert status is not None
    code = os.waitstatus_to_exitcode(status)
    said = output.read_text(errors="replace")
    bad = ""
    if code == 1:
        bad = "an internal error"
    elif not 0 <= code <= 8:
        bad = f"exit code {code}"
    elif "Traceback (most recent call last)" in said and not command.startswith("hooks test"):  # which shows the hook's
        bad = "a trace"
    elif code and not said.strip():
        bad = "no word"
    return Ended(code, said, bad)


def _as_a_command(here: Path, command: str, more: Mapping[str, str], output: Path) -> None:
    code = 70
    try:
        os.setsid()
        out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0), os.dup2(out, 1), os.dup2(out, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # a runner of tests has put others there
        os.chdir(here)
        for name in [name for name in os.environ if name.startswith("ENVCLONE_")]:
            if name not in ("ENVCLONE_BOUNDSCHECK",) and not name.startswith("ENVCLONE_PG_BIN"):
                del os.environ[name]
        os.environ.update({"ENVCLONE_MASKING_KEY": _KEY, "ENVCLONE_POOL": str(here / "pool"), **more})
        from envclone.cli import main as boundary

        os.environ["ENVCLONE_DEBUG"] = ""
        sys.argv = ["envclone", "-q", *command.split()]
        code = boundary.run()  # not `main`, which also does what this process registered for its own end
        sys.stdout.flush(), sys.stderr.flush()
    except BaseException:  # what the boundary itself let through
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def measure(count: int, seed: int, tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Run the combinations; how each kind of exit code came, and every one that is bad."""
    codes: dict[str, int] = {}
    bad: list[dict[str, Any]] = []
    with project() as (here, good, image):
        for number, case in enumerate(cases(count, seed)):
            ended = attempt(case, here, good, image)
            codes[str(ended.code)] = codes.get(str(ended.code), 0) + 1
            if ended.bad:
                bad.append({"what": case.what, "command": case.command, "bad": ended.bad, "said": ended.said[-600:]})
                tell(f"{number}: {case.what} | {case.command}: {ended.bad}\n{ended.said[-600:]}")
    return {"combinations": count, "seed": seed, "codes": dict(sorted(codes.items())), "bad": bad}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.count, options.seed, lambda text: print(text, file=sys.stderr, flush=True))
    print(json.dumps(result, indent=None if options.json else 2))
    return 1 if result["bad"] else 0


if __name__ == "__main__":
    sys.exit(main())
