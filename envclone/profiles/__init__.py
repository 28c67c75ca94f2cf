"""What a store or service may use in production: read from what production is, written down, held against a host."""
