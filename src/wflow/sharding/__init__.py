"""Populations over several devices: where the rows lie, and nothing else changes."""

from ._shard import shard


__all__ = ["shard"]
