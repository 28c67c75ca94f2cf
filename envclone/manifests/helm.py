"""The same objects as a Helm chart: templates with settings in place of values, their schema, notes."""

from __future__ import annotations

import json

from envclone import __version__
from envclone.manifests.build import parts
from envclone.manifests.plan import Plan
from envclone.manifests.pods import keys
from envclone.manifests.settings import document, schema
from envclone.manifests.text import chart, plain, reference
from envclone.manifests.values import settings

__all__ = ["charted"]

_HEADER = "{{- /* Written by envclone manifests --helm. %s */ -}}\n"
_HELPERS = """\
{{- /*
The image by its digest. One without a digest is taken as it is, and the notes say so: what it names can change.
*/ -}}
{{- define "envclone.image" -}}
{{- required "image: name the image with envclone, by its digest" .Values.image | toJson -}}
{{- end -}}
"""
_NOTES = """\
{{- if not (contains "@sha256:" .Values.image) }}
WARNING: the image {{ .Values.image }} has no digest: what it names can change.
{{- end }}
{{- if not .Values.network.production }}
WARNING: network.production is empty: the pods reach name servers only, and no production.
{{- end }}
envclone for the project %(project)s is in the namespace {{ .Values.namespaces.system }}.
It reads these Secrets, which no chart makes:
%(secrets)s
What ran: kubectl -n {{ .Values.namespaces.system }} get jobs --sort-by=.metadata.creationTimestamp
"""


def charted(plan: Plan) -> dict[str, str]:
    """The files of the chart, by their paths in it."""
    known = list(settings(plan))
    version = __version__.partition("+")[0]
    about = {
        "apiVersion": "v2",
        "name": f"envclone-{plan.project}",
        "description": f"envclone for {plan.project}: images made ahead, branches, the service for engineers",
        "type": "application",
        "version": _semantic(version),
        "appVersion": __version__,
        "kubeVersion": ">=1.34.0-0",
    }
    found = {
        "Chart.yaml": plain(about, {}),
        "values.yaml": document(known),
        "values.schema.json": json.dumps(schema(known), indent=2) + "\n",
        "templates/_helpers.tpl": _HELPERS,
        "templates/NOTES.txt": _NOTES % {"project": plan.project, "secrets": _secrets(plan)},
    }
    for part in parts(plan):
        body = "---\n".join(chart(one) for one in part.objects)
        if part.when:
            body = f"{{{{- if {reference(part.when)} }}}}\n{body}{{{{- end }}}}\n"
        found[f"templates/{part.name}.yaml"] = _HEADER % part.said + body
    for path, key in keys(plan.files).items():
        found[f"files/{key}"] = plan.files[path]
    return found


def _semantic(version: str) -> str:
    """The version of a chart has three numbers."""
    numbers = [part if part.isdecimal() else "0" for part in version.split(".")[:3]]
    return ".".join([*numbers, "0", "0"][:3])


def _secrets(plan: Plan) -> str:
    variables = sorted({one.name for kept in plan.kept for one in kept.variables} | {one.name for one in plan.shared})
    lines = [f"  {{{{ .Values.secrets.production }}}}: {', '.join(variables) or 'no key'}"]
    if plan.masking_key:
        lines.append("  {{ .Values.secrets.maskingKey }}: masking.key")
    if plan.serve:
        lines.append("  {{ .Values.secrets.tls }}: tls.crt, tls.key")
    return "\n".join(lines)
