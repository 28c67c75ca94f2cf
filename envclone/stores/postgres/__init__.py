"""PostgreSQL: physical snapshots, private sessions, and the files themselves."""
