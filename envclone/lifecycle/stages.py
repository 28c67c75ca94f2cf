"""The steps of the long commands, in their order: what a person is told who waits."""

from __future__ import annotations

from typing import Final

__all__ = ["AGAIN", "COPYING", "IMAGE", "RECOVERING", "SCAN", "VERIFY", "VERIFY_FULL"]

COPYING: Final = "copying production"
RECOVERING: Final = "recovering to the moment"
AGAIN: Final = "comparing the two"

_PROOF: Final = (
    "comparing rows",
    "checking references",
    "asking the vector indexes",
    "checking the files",
    "accounting for every byte",
)

_MAKING: Final = ("opening the copy", "collecting people", "masking", "cleaning the files")

IMAGE: Final = (COPYING, *_MAKING, *_PROOF, "sealing")
VERIFY: Final = ("reading the image's files", *_PROOF)
VERIFY_FULL: Final = (*VERIFY, *_MAKING, AGAIN)
SCAN: Final = (COPYING, "opening the copy", "looking at fields", "trying the rules", "looking for what is left")
