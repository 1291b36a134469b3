"""Data where several processes make one run."""

import jax
import numpy as np
from jax.sharding import Mesh

from wflow.learning import Snapshots
from wflow.sharding import shard


def spread(snapshots: Snapshots) -> Snapshots:
    """Snapshots whose rows a training spreads over the devices of all processes."""
    if jax.process_count() == 1:
        return snapshots
    return shard(snapshots, Mesh(np.array(jax.devices()), ("rows",)))
