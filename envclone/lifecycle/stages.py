"""The steps of the long commands, in their order: what a person is told who waits."""

from __future__ import annotations

from typing import Final

__all__ = ["COPYING", "IMAGE", "RECOVERING", "SCAN", "VERIFY"]

COPYING: Final = "copying production"
RECOVERING: Final = "recovering to the moment"

_PROOF: Final = (
    "comparing rows",
    "checking references",
    "asking the vector indexes",
    "checking the files",
    "accounting for every byte",
)

IMAGE: Final = (COPYING, "opening the copy", "collecting people", "masking", "cleaning the files", *_PROOF, "sealing")
VERIFY: Final = ("reading the image's files", *_PROOF)
SCAN: Final = (COPYING, "opening the copy", "looking at fields", "trying the rules", "looking for what is left")
