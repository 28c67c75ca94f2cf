"""The layer of tools: arguments that do not fit their schema, the same call again and again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from envclone.diagnosis.case import Case
from envclone.diagnosis.conversation import turns_of, used_of
from envclone.diagnosis.finding import Certainty, Finding, Layer
from envclone.diagnosis.schema import misfits

__all__ = ["Tools"]

_AGAIN = 3
"""How often the same call is made for it to be a loop."""


class Tools:
    """What models asked tools for."""

    layer: ClassVar[Layer] = Layer.TOOLS
    causes: ClassVar[tuple[str, ...]] = ("tool_arguments", "tool_loop")

    def test(self, case: Case) -> Iterator[Finding]:
        """Each call against its tool's schema; all calls against each other."""
        schemas = {name: schema for turn in turns_of(case.incident) for name, schema in turn.tools.items()}
        calls = used_of(case.incident)
        command = f"envclone incident show {case.incident.incident}"
        told: set[str] = set()
        for one in calls:
            if one.name in told:
                continue
            if schemas and one.name not in schemas:
                wrong = ["there is no such tool"]
            elif isinstance(one.arguments, str) and one.name in schemas:
                wrong = ["its arguments are no JSON"]
            else:
                wrong = [misfit.text for misfit in misfits(one.arguments or {}, schemas.get(one.name))]
            if wrong:
                told.add(one.name)
                text = f"the call of {one.name} does not fit its schema: {'; '.join(wrong[:3])}"
                yield Finding(Layer.TOOLS, "tool_arguments", text, command, Certainty.SHOWN)
        same = Counter((one.name, json.dumps(one.arguments, sort_keys=True, default=str), one.said) for one in calls)
        for (name, _, _), many in same.items():
            if many >= _AGAIN:
                text = f"{name} was called {many} times with the same arguments, and answered the same"
                yield Finding(Layer.TOOLS, "tool_loop", text, command, Certainty.SHOWN)
