"""Which statements only read: parsed by PostgreSQL's own grammar, and looked up in production's catalog."""
