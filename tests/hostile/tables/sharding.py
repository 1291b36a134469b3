"""Populations over devices."""

import jax
import numpy as np

from wflow.measures import Particles
from wflow.sharding import shard

from ..engine import choice, entry, part


ROOM = "wflow.sharding"

MESH = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("rows",))

TABLE = {
    "shard": entry(
        shard,
        population=part(Particles.from_samples(np.zeros((4, 2)))),
        mesh=part(MESH),
        axis=choice("rows", fine=("none",)),
    ),
}
