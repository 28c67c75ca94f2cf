"""The head of a stack file whose environment is on a cluster, up to its stores."""

from __future__ import annotations

__all__ = ["HEAD"]

HEAD = """\
version: 1
project: acme
pool: {path: "{pool}"}
environments:
  prod:
    runtime: kubernetes
    kubernetes:
      image: "registry.example/envclone@sha256:DIGEST"
      timeout: 90s
      job: {cpus: 1, memory: 1GiB}
""".replace("DIGEST", "0" * 64)
