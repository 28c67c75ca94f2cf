"""PostgreSQL's files, read and written without a server: pages, tuples, varlenas, TOAST, checksums."""
