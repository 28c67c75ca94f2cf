"""The docker runtime: a branch's stores and services as containers that share one sealed network namespace."""
