"""A running Qdrant server as a source: its shards over HTTP, as snapshots that are made there and removed."""
