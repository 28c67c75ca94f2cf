"""Servers on a data directory: found, configured, started, connected to, stopped."""
