"""Qdrant: shards on the server's directory layout, run in process by `qdrant_edge`, rewritten in place."""
