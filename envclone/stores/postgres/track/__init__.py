"""Production's log kept in the pool, and a base backup recovered with it to a moment."""
