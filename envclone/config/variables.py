"""`${VAR}` in the stack file: environment variables, defaults, reasons, and references to a branch's stores.

    ${VAR}             its value; a problem when it is not set
    ${VAR?reason}      its value; a problem that shows the reason when it is not set or empty (also `:?`)
    ${VAR:-default}    its value, or the default when it is not set or empty
    ${stores.main.url} a branch's store, only in a service's environment
    $$                 a dollar sign

Any other dollar sign stands for itself, so `$.user.email` needs no escape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

__all__ = ["expand", "malformed", "named", "present", "references", "written"]

_TOKEN = re.compile(
    r"\$(?:(?P<escape>\$)"
    r"|\{(?:(?P<store>stores(?:\.[^{}$]*)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:?\?|:-)(?P<rest>[^}]*))?)\}"
    r"|(?P<broken>\{))"
)


def present(text: str) -> bool:
    """Whether expanding would change this text."""
    return "$" in text and _TOKEN.search(text) is not None


def malformed(text: str, *, stores: bool = False) -> Iterator[str]:
    """What is wrong with the text's references, whatever the environment holds; `stores` allows those to stores."""
    if "$" not in text:
        return
    for match in _TOKEN.finditer(text):
        if match["broken"]:
            yield "'${' begins no variable: write ${VAR}, ${VAR?reason} or ${VAR:-default}, or $${ for the characters"
        elif match["store"] and not stores:
            yield "a reference to a store is only known in a service's environment"


def references(text: str) -> Iterator[str]:
    """The references to stores in a text, such as `stores.main.url`."""
    if "${" in text:
        yield from (match["store"] for match in _TOKEN.finditer(text) if match["store"])


def named(text: str) -> Iterator[tuple[str, bool]]:
    """The environment variables in a text, each with whether it has to be set."""
    if "$" in text:
        yield from ((match["name"], match["how"] != ":-") for match in _TOKEN.finditer(text) if match["name"])


def written(text: str, variable: str) -> str:
    """What stands in the text itself, defaults included; each reference without a default is `variable`."""

    def value(match: re.Match[str]) -> str:
        if match["escape"] or match["broken"]:
            return "$"
        return str(match["rest"]) if match["how"] == ":-" else variable

    return _TOKEN.sub(value, text)


def expand(text: str, env: Mapping[str, str], *, store: Callable[[str], str] | None = None) -> tuple[str, list[str]]:
    """The text with its variables' values, and what is missing. What a variable holds is not expanded again.

    `store` gives the value of a reference to a store; without it such references stay as they are.
    """
    if "$" not in text:
        return text, []
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        if match["escape"]:
            return "$"
        if match["store"]:
            return store(match["store"]) if store else match.group()
        if match["broken"]:
            return match.group()
        name, how, rest = match["name"], match["how"], match["rest"]
        found = env.get(name)
        if how == ":-":
            return found or rest
        if found is None or (how and not found):
            state = "is not set" if found is None else "is empty"
            reason = " ".join(rest.split()) if rest else ""
            missing.append(f"the environment variable {name} {state}" + (f": {reason}" if reason else ""))
            return ""
        return found

    return _TOKEN.sub(value, text), missing
