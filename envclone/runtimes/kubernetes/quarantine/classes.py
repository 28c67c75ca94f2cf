"""Which class makes snapshots of a driver's volumes, and of several at one moment."""

from __future__ import annotations

from envclone.errors import ResourceError
from envclone.runtimes.kubernetes.client import Cluster

__all__ = ["class_of", "group_class"]

_DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"


def class_of(cluster: Cluster, driver: str, asked: str | None) -> str:
    """The VolumeSnapshotClass for a driver's volumes: the one asked for, else the driver's default or its only one.

    Raises ResourceError.
    """
    if asked is not None:
        found = cluster.get("VolumeSnapshotClass", asked)
        if found is None or found["driver"] != driver:
            what = "is not there" if found is None else f"is of {found['driver']}"
            raise ResourceError(
                f"the VolumeSnapshotClass '{asked}' {what}, and the volumes are of {driver}",
                hint="kubernetes.snapshot_class in the stack file; kubectl get volumesnapshotclasses lists them",
            )
        return asked
    every = [one for one in cluster.list("VolumeSnapshotClass") if one["driver"] == driver]
    marked = [one for one in every if (one["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"]
    if len(chosen := marked or every) != 1:
        several = ", ".join(str(one["metadata"]["name"]) for one in chosen)
        raise ResourceError(
            f"{'several VolumeSnapshotClasses are' if chosen else 'no VolumeSnapshotClass is'} of the driver {driver}"
            + (f": {several}" if several else ""),
            hint="kubernetes.snapshot_class in the stack file names one"
            if chosen
            else "make one for this driver; one that makes no snapshots has none: method: physical needs none",
        )
    return str(chosen[0]["metadata"]["name"])


def group_class(cluster: Cluster, drivers: set[str], asked: str | None) -> str | None:
    """The VolumeGroupSnapshotClass for these volumes; None where the API, or their driver, has none.

    Raises ResourceError for one that was asked for and is not there.
    """
    served = cluster.serves("VolumeGroupSnapshotClass")
    every = cluster.list("VolumeGroupSnapshotClass") if served else []
    fitting = [str(one["metadata"]["name"]) for one in every if {one["driver"]} == drivers]
    if asked is None:
        return min(fitting, default=None)
    if asked not in fitting:
        raise ResourceError(
            f"there is no VolumeGroupSnapshotClass '{asked}' for {', '.join(sorted(drivers))}",
            hint="kubernetes.job.group_class in the stack file; without it volumes are taken one after another",
        )
    return asked
