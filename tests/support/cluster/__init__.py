"""A stand-in for a Kubernetes cluster: an API that stores and validates objects, and controllers that make them ready.

It is not Kubernetes. Schemas are Kubernetes' own (`openapi.md`); admission is what envclone meets of it: pod security
`restricted`, quotas, limit ranges, namespaces that end. No CEL runs, no RBAC beside the rights that a test takes away,
and no network policy unless a test says that the cluster enforces them.
"""
