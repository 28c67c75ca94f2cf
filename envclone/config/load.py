"""Reading a stack file: YAML and includes, variables, validation; every mistake at once, each at its line."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envclone.config import checks, preview, variables
from envclone.config.document import LIMIT, Document, SyntaxProblem, merge, parse
from envclone.config.explain import explain
from envclone.config.find import find
from envclone.config.problems import Finding, Keys, printable, quoted
from envclone.config.resolve import PATHS, absolute, resolve_environment, resolve_source, sources, uses
from envclone.config.schema import StackFile
from envclone.config.stack import LoadedStack, error, report
from envclone.errors import ConfigError, Problem

__all__ = ["LoadedStack", "check", "find", "load", "resolve_environment", "resolve_source", "settled"]

_INCLUDES = 20
_BUILTIN = frozenset(("postgres", "qdrant"))
"""Kinds of stores that no other package brings."""


def load(path: Path, env: Mapping[str, str] | None = None) -> LoadedStack:
    """Read a stack file. `env` None is the process's environment.

    Variables of a store's source and of a service's environment are read when they are used, not here.
    Raises ConfigError with every problem.
    """
    return _load(path, env, strict=False)


def check(path: Path, env: Mapping[str, str] | None = None) -> LoadedStack:
    """Read a stack file as if all of it were about to be used: every variable is set, every hook and kind is there.

    The compose template beside it is read, too. Raises ConfigError with every problem.
    """
    loaded = _load(path, env, strict=True)
    template = loaded.directory / preview.FILE
    if os.path.lexists(template):
        preview.read(template)
    return loaded


def _load(path: Path, env: Mapping[str, str] | None, *, strict: bool) -> LoadedStack:
    env = os.environ if env is None else env
    base = path.expanduser().absolute().parent
    document = _read_all(path)
    raw: dict[str, Any] = document.data
    unread: list[Finding] = []
    data = _expanded(raw, (), env, unread)
    _resolve_paths(data, base, unread)
    findings: list[Finding] = []
    stack: StackFile | None = None
    try:
        stack = StackFile.model_validate(data)
    except ValidationError as exc:
        findings += explain(exc, StackFile)
    findings += checks.everything(data)
    findings += checks.kinds(data, _kinds(), strict=strict)
    if strict:
        findings += uses(raw, env, base)
    silent = {keys for keys, _ in unread}  # a value that could not be read is one mistake, whatever else it is not
    findings = [*document.findings, *unread, *(finding for finding in findings if finding[0] not in silent)]
    if stack is None or findings:
        raise error(path, report(path, document.lines, findings))
    return LoadedStack(stack, path, env, document.lines, raw)


def _read_all(path: Path) -> Document:
    """The file and what it includes, merged. Raises ConfigError when a file cannot be read as YAML."""
    own = _read(path)
    names = own.data.get("include")
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        return own
    merged = Document(path)
    merged.data = {}
    for index, name in enumerate(names[:_INCLUDES]):
        other = _read(path.parent / name, including=own.lines.get(("include", index)))
        if "include" in other.data:
            del other.data["include"]
            own.findings.append((("include", index), f"{quoted(name)} includes other files, which only this one can"))
        merged.data = merge(merged.data, other.data)
        merged.lines |= other.lines
        merged.findings += other.findings
    if len(names) > _INCLUDES:
        own.findings.append((("include",), f"at most {_INCLUDES} files can be included"))
    merged.data = merge(merged.data, own.data)
    merged.lines |= own.lines
    merged.findings += own.findings
    return merged


def _read(path: Path, including: tuple[Path, int] | None = None) -> Document:
    """One file, a mapping at its root."""
    place = f"{including[0]}:{including[1]}: include: " if including else ""
    hint = None if including else "envclone init writes a commented starter file"
    shown = printable(str(path))
    try:
        if not path.exists():
            raise ConfigError(
                f"{place}there is no stack file {shown}", problems=[f"{place}{shown}: not found"], hint=hint
            )
        if not path.is_file():
            raise ConfigError(f"{place}{shown} is not a file", problems=[f"{place}{shown}: not a file"], hint=hint)
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except (OSError, ValueError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or "not a usable path"
        raise ConfigError(
            f"{place}{shown} cannot be read: {reason}",
            problems=[f"{place}{shown}: {reason}"],
            hint="run envclone as who may read it, or name another with --file"
            if isinstance(exc, PermissionError)
            else None,
        ) from None
    try:
        if len(content) > LIMIT:
            raise SyntaxProblem(f"larger than {LIMIT >> 20} MiB", 1, 1)
        document = parse(_decoded(content), path)
    except SyntaxProblem as exc:
        position = f":{exc.line or 1}:{exc.column or 1}"
        raise error(path, [Problem(f"{path}{position}: {exc.what}")], hint=None) from None
    if document.data is None and not document.findings:
        raise error(path, [Problem(f"{path}:1: is empty")], hint="envclone init writes a commented starter file")
    if not isinstance(document.data, dict):
        shape = "a list" if isinstance(document.data, list) else "a single value"
        findings = document.findings or [((), f"must be a mapping of keys to values, not {shape}")]
        raise error(path, report(path, document.lines, findings))
    return document


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = content[: exc.start]
        line, column = before.count(b"\n") + 1, exc.start - before.rfind(b"\n")
        raise SyntaxProblem("must be text in UTF-8", line, column) from None


def _lazy(keys: Keys) -> bool:
    """Whether variables there are read only when the value is used."""
    if keys[:1] == ("environments",) and (keys[2:3], keys[4:]) == (("services",), ("url",)):
        return True
    if len(keys) < 6 or keys[0] != "environments":
        return False
    return (keys[2] == "stores" and keys[4] == "source" and keys[5] != "method") or _of_service(keys)


def _of_service(keys: Keys) -> bool:
    return len(keys) == 6 and keys[0] == "environments" and (keys[2], keys[4]) == ("services", "environment")


def _expanded(value: Any, keys: Keys, env: Mapping[str, str], findings: list[Finding]) -> Any:
    """The data with its variables read, but for the lazy ones."""
    if isinstance(value, dict):
        return {key: _expanded(item, (*keys, key), env, findings) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item, (*keys, index), env, findings) for index, item in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value
    findings += ((keys, what) for what in variables.malformed(value, stores=_of_service(keys)))
    if _lazy(keys):
        return value
    text, missing = variables.expand(value, env)
    findings += ((keys, what) for what in missing)
    return text


def settled(loaded: LoadedStack) -> bool:
    """Whether the values are the file's alone: no variable was read, and every kind of store is a built-in one."""
    kinds = {store.kind for one in loaded.stack.environments.values() for store in one.stores.values()}
    return kinds <= _BUILTIN and _constant(loaded.raw, ())


def _constant(value: Any, keys: Keys) -> bool:
    if isinstance(value, dict):
        return all(_constant(item, (*keys, key)) for key, item in value.items())
    if isinstance(value, list):
        return all(_constant(item, (*keys, index)) for index, item in enumerate(value))
    return not isinstance(value, str) or "$" not in value or _lazy(keys)


def _resolve_paths(data: dict[str, Any], base: Path, findings: list[Finding]) -> None:
    """Make the paths in `data` absolute, in place; those with unread variables wait."""

    def resolve(holder: Any, key: Any, keys: Keys) -> None:
        if isinstance(holder[key], str) and holder[key]:
            path = absolute(holder[key], base, keys, findings)
            holder[key] = holder[key] if path is None else str(path)

    if isinstance(data.get("pool"), dict) and "path" in data["pool"]:
        resolve(data["pool"], "path", ("pool", "path"))
    for name in ("incidents", "cases"):
        if data.get(name) is None:
            data[name] = f"{name}/"
        resolve(data, name, (name,))
    sanitize = data.get("sanitize")
    hooks = sanitize.get("hooks") if isinstance(sanitize, dict) else None
    if isinstance(hooks, list):
        for index in range(len(hooks)):
            resolve(hooks, index, ("sanitize", "hooks", index))
    for keys, source in sources(data):
        for key in PATHS:
            if isinstance(source.get(key), str) and not variables.present(source[key]):
                resolve(source, key, (*keys, key))


def _kinds() -> Callable[[], Collection[str]]:
    """The kinds of stores that there are; other packages are searched once, and only when one is asked for."""
    found: set[str] = set()

    def known() -> Collection[str]:
        if not found:
            from importlib.metadata import entry_points  # only for kinds that are not built in

            found.update(_BUILTIN, (point.name for point in entry_points(group="envclone.stores")))
        return found

    return known
