"""A soak of the service: requests that schemathesis makes up, right and wrong, of every route; none may be a bug."""

from __future__ import annotations

import argparse
import json
import time

import pytest

from envclone.serve.api import OPERATIONS
from tests.support.fuzzed import fuzz, waiting


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    began, processor = time.monotonic(), time.process_time()
    with pytest.MonkeyPatch.context() as patched, waiting(patched) as here:
        statuses = fuzz(here, each=-(-arguments.requests // len(OPERATIONS)))
    document = {
        "requests": sum(statuses.values()),
        "routes": len(OPERATIONS),
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "bugs": statuses[500],
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
    }
    print(json.dumps(document, indent=2) if arguments.json else document)


if __name__ == "__main__":
    main()
