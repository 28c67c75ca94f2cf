"""Whether a replay names the one thing that was changed: python -m tests.benchmarks.changes --json

A RAG service on LangGraph, with OpenAI's client and its conversations in Postgres, runs as production's own and records
itself; the second turn of a conversation is imported, a branch made of an image from before it, and the whole
application replayed in it. That must be exact. Then one thing at a time is other than in production: what the service
is set to, what the branch holds, what a tool gave. `named` says that the verdict's layer has that thing, `first` that
no layer above it differs. Needs root and a Docker Engine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.stack import Place
from tests.support.whole import serve, shop, world


@dataclass(frozen=True)
class Change:
    """One thing changed: by options of the replay, by SQL in the branch, or by an answer in the cassette."""

    kind: str
    layer: str
    said: tuple[str, ...]
    options: tuple[str, ...] = ()
    sql: str = ""
    answer: Any = None


CHANGES = (
    Change("session setting", "state", ("hnsw.ef_search=1 of role",),
           sql="SELECT '[1]'::vector; ALTER ROLE CURRENT_USER SET hnsw.ef_search = 1"),
    Change("ef_search", "retrieval", ("missing (",), options=("--set", "ef_search=1")),
    Change("text of a row", "state", ("tickets: 1 row updated", "messages[5].content", "Nobody gets a refund."),
           sql="UPDATE tickets SET body = 'Nobody gets a refund.' WHERE id = {first}"),
    Change("deleted row", "state", ("tickets: 1 row deleted", "{first}"),
           sql="DELETE FROM tickets WHERE id = {first}"),
    Change("embedding", "state", ("tickets: 1 row updated", "{first}"),
           sql="UPDATE tickets SET embedding = '[90,90,90,90,90,90,90,90]' WHERE id = {first}"),
    Change("index", "state", ("index public.tickets_embedding_idx is gone",), sql="DROP INDEX tickets_embedding_idx"),
    Change("parameter of an index", "state", ("tickets_embedding_idx is hnsw m=4, in production hnsw",),
           sql="ALTER INDEX tickets_embedding_idx SET (m = 4)"),
    Change("index built again", "state", ("tickets_embedding_idx was built again",),
           sql="REINDEX INDEX tickets_embedding_idx"),
    Change("conversation", "state", ("checkpoints: ", "rows deleted", "messages[1].content"),
           sql="DELETE FROM checkpoints"),
    Change("model", "context", ("model (recorded 'chat-1', asked 'chat-2')",),
           options=("--set", "env.MODEL=chat-2")),
    Change("temperature", "context", ("temperature (recorded 0.2, asked 0.9)",),
           options=("--set", "env.TEMPERATURE=0.9")),
    Change("line of the prompt", "context", ("messages[0].content", "Cite nothing."),
           options=("--set", "env.PROMPT=You help customers. Cite nothing.")),
    Change("definition of a tool", "context", ("tools[0].function.description", "Orders of this year"),
           options=("--set", "env.TOOL=Orders of this year")),
    Change("result of a tool", "context", ("messages[7].content", "number", "(recorded 5, asked 6)"),
           answer={"orders": [{"number": 6, "buyer": "Jane Doe"}]}),
    Change("how many chunks", "context", ("messages[5].content",), options=("--set", "env.CHUNKS=2")),
    Change("length of a chunk", "context", ("messages[5].content",), options=("--set", "env.CUT=12")),
)  # fmt: skip
"""What is changed, and what the verdict must say of it."""


def measure(tell: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Record, import, branch, replay; then each change by itself."""
    with shop() as server, world(server) as here:
        serve(here, "graph.py")
        here.call("incident", "import", "recordings", "--id", "91", "--request", "complaint-91", "--service", "api")
        name = "graph"
        here.call("branch", "prod", "--incident", "91", "--name", name)
        exact = here.json("replay", "91", "--branch", name)
        document: dict[str, Any] = {
            "unchanged": {
                "reproduced": exact["reproduced"],
                **{key: exact["played"][key] for key in ("recorded", "asked", "matched")},
                "unmatched": len(exact["played"]["unmatched"]), "packets_out": exact["played"]["egress"]["packets"],
            },
            "changes": [],
        }  # fmt: skip
        bundle = _bundle(here)
        first = _first(bundle)
        for one in CHANGES:
            document["changes"].append(_tried(here, name, one, first))
            tell(json.dumps(document["changes"][-1]))
        document["named"] = sum(one["named"] and one["first"] for one in document["changes"])
        document["of"] = len(CHANGES)
        return document


def _bundle(here: Place) -> Any:
    import yaml

    return yaml.safe_load((here.directory / "incidents" / "91.yaml").read_text())


def _first(bundle: Any) -> int:
    """The id of the ticket that was found first."""
    (step,) = [one for one in bundle["steps"] if "<->" in one.get("sql", "")]
    return int(step["expect"]["rows"][0][0])


def _tried(here: Place, name: str, change: Change, first: int) -> dict[str, Any]:
    here.call("reset", name)  # the service writes down each turn of a conversation
    began, ident = time.monotonic(), "91"
    if change.answer is not None:
        ident = _answering(here, change.answer)
    if change.sql:
        here.call("psql", name, "-c", change.sql.format(first=first))
    done = here.call("replay", ident, "--branch", name, "--json", *change.options, check=False)
    report = json.loads(done.stdout)
    layers = {one["layer"]: (one["verdict"], one["why"]) for one in report["layers"]}
    upper = list(layers)[: list(layers).index(change.layer)]
    said = "; ".join(layers[one][1] for one in dict.fromkeys((change.layer, "retrieval", "context")))
    return {
        "kind": change.kind,
        "layer": change.layer,
        "said": said,
        "named": layers[change.layer][0] == "diverged"
        and all(part.format(first=first) in said for part in change.said),
        "first": all(layers[one][0] != "diverged" for one in upper),
        "reproduced": report["reproduced"],
        "seconds": round(time.monotonic() - began, 1),
    }


def _answering(here: Place, answer: Any) -> str:
    """The incident again, with another answer of a tool; its id."""
    import yaml

    bundle = _bundle(here)
    for one in bundle["exchanges"]:
        if one["url"].split("?")[0].endswith("/orders"):
            one["answer"] = answer
    bundle["incident"] = "92"
    (here.directory / "incidents" / "92.yaml").write_text(yaml.safe_dump(bundle))
    return "92"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    document = measure(lambda line: print(line, file=sys.stderr, flush=True))
    if arguments.json:
        print(json.dumps(document, indent=2))
        return
    print(f"unchanged: {document['unchanged']}")
    for one in document["changes"]:
        word = "named" if one["named"] and one["first"] else "NOT NAMED"
        print(f"{one['kind']:22} {word:10} {one['layer']}: {one['said']}")


if __name__ == "__main__":
    main()
