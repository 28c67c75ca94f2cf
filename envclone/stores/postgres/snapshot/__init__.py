"""Production's files taken into quarantine, from a running server or a stopped directory."""
