"""envclone in a cluster as plain YAML, or as a Helm chart: for who applies by GitOps."""
