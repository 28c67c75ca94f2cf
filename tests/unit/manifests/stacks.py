"""Stack files that manifests are made of in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envclone.config.load import load
from envclone.manifests.plan import Plan, plan

IMAGE = f"registry.internal:5000/tools/envclone@sha256:{'9f' * 32}"
STACK = """\
version: 1
project: acme
include: [rules/base.yaml]
environments:
  prod:
    stores:
      main:
        kind: postgres
        profile: prod-postgres
        source: {method: physical, dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"}
      kb:
        kind: qdrant
        source: {method: snapshot, url: "${PROD_QDRANT_URL}", api_key: "${PROD_QDRANT_KEY:-}", ca_file: certs/ca.pem}
    keep: {fresh: 2h}
  pre-prod:
    stores:
      main:
        kind: postgres
        source: {method: physical, dsn: "postgresql://reader@db.internal/app"}
sanitize:
  hooks: [hooks/after.sql]
"""
CLUSTER = STACK.replace(
    "    keep: {fresh: 2h}\n",
    f"    keep: {{fresh: 2h}}\n    runtime: kubernetes\n    kubernetes: {{image: {IMAGE}, prefix: shop}}\n",
)
"""The same, with branches that are made in a cluster."""
VOLUMES = CLUSTER.replace(
    """\
        source: {method: physical, dsn: "${PROD_PG_DSN?a DSN with REPLICATION}"}
""",
    """\
        source: {method: volume, dsn: "${PROD_PG_DSN}", volume: {namespace: shop, cluster: shop-db}}
""",
).replace(
    """{method: snapshot, url: "${PROD_QDRANT_URL}", api_key: "${PROD_QDRANT_KEY:-}", ca_file: certs/ca.pem}""",
    "{method: volume, volume: {namespace: vectors, statefulset: kb}}",
)
"""And with a production whose volumes are in the cluster."""
RULES = "sanitize:\n  rules:\n    main: {public.customers.email: email}\n  # a template's braces: {{ .Values.image }}\n"


def directory(path: Path, text: str = STACK) -> Path:
    """A stack file with what it names; returns the file."""
    for name, content in {
        "envclone.yaml": text, "rules/base.yaml": RULES, "profiles/prod-postgres.yaml": "cpus: 2\nmemory: 2GiB\n",
        "certs/ca.pem": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "hooks/after.sql": "-- nothing\n", "incidents/1234.json": "{}",
    }.items():  # fmt: skip
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return path / "envclone.yaml"


def planned(path: Path, text: str = STACK, **options: Any) -> Plan:
    """The plan of a stack file that is written first."""
    return plan(load(directory(path, text), {}), **{"image": IMAGE, **options})
