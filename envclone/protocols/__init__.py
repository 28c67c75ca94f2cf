"""The extension page: what an adapter must be able to do. No inheritance is needed, only these methods.

A third-party store, copy-on-write driver or runtime registers an entry point in the group `envclone.stores`,
`envclone.cow` or `envclone.runtimes`, and its name can then be used in the stack file.
"""

from __future__ import annotations

from envclone.protocols.cow import CowDriver
from envclone.protocols.examiners import Examiner
from envclone.protocols.masks import FieldMask, Ledger, Look, Mask, Masks
from envclone.protocols.notes import Note, Notes, Noting
from envclone.protocols.progress import Progress
from envclone.protocols.quarantine import Fence, Fencing, Order, Origin, Quarantine
from envclone.protocols.refreshing import Alike, Following, Refreshing, Repeatable, Same, Sharing, Since
from envclone.protocols.runtimes import Insight, Observer, Playing, Runtime, Witness
from envclone.protocols.servers import Contained, Server
from envclone.protocols.steps import ServiceClient, SourceRunner, StepRunner
from envclone.protocols.stores import Settling, Store, StoreSession
from envclone.protocols.tracking import Candidate, Follower, Limits, Tracking

__all__ = [
    "Alike",
    "Candidate",
    "Contained",
    "CowDriver",
    "Examiner",
    "Fence",
    "Fencing",
    "FieldMask",
    "Follower",
    "Following",
    "Insight",
    "Ledger",
    "Limits",
    "Look",
    "Mask",
    "Masks",
    "Note",
    "Notes",
    "Noting",
    "Observer",
    "Order",
    "Origin",
    "Playing",
    "Progress",
    "Quarantine",
    "Refreshing",
    "Repeatable",
    "Runtime",
    "Same",
    "Server",
    "ServiceClient",
    "Settling",
    "Sharing",
    "Since",
    "SourceRunner",
    "StepRunner",
    "Store",
    "StoreSession",
    "Tracking",
    "Witness",
]
