"""Populations over several devices, and many solves: the results stay what they are."""

from ._shard import shard
from ._solve_many import Solutions, solve_many


__all__ = ["Solutions", "shard", "solve_many"]
