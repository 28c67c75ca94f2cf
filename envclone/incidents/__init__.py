"""Incidents: the failing request of production, recorded, masked, rerun in a branch and compared."""
