"""What a branch's PostgreSQL is asked to find out why a search failed."""
