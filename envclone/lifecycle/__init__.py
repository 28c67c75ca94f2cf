"""The stations of the path, in the order to read them:

snapshot, sanitize, verify, publish, branch, replay, teardown, collect.
"""
