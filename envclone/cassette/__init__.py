"""A cassette: what an application exchanged with models and tools, played to it again while it is replayed."""
