"""Production's volumes on a cluster: found, snapshotted, and made images of by a Job there."""
