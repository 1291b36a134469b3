"""Populations: learn how they move from snapshots, forecast, compare."""
