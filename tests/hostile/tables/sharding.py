"""Populations over devices."""

import jax
import numpy as np

from wflow.energies import Potential
from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.measures import Particles
from wflow.sharding import shard, solve_many

from ..engine import choice, entry, given, number, part


ROOM = "wflow.sharding"

MESH = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("rows",))

CLOUDS = jax.vmap(Particles.from_samples)(np.ones((2, 4, 2)))


def half_square(x):
    return x @ x / 2


def last_x(**arguments):
    return solve_many(**arguments).measures.x


TABLE = {
    "Solutions": "what solve_many gives back",
    "shard": entry(
        shard,
        population=part(Particles.from_samples(np.zeros((4, 2)))),
        mesh=part(MESH),
        axis=choice("rows", fine=("none",)),
    ),
    "solve_many": entry(
        last_x,
        flow=part(GradientFlow(Potential(half_square), Wasserstein())),
        mu0=part(CLOUDS),
        t0=number(0.0),
        t1=number(1.0, fine=()),
        in_axes=given((None, 0), text="spoiled", number=1.5, one=1, long=(0, 0, 0)),
        mesh=given(None, text="spoiled", number=1.5),
        batch_size=given(2, zero=0, negative=-1, fraction=1.5, text="spoiled"),
        key=given(None, text="spoiled", number=0, raw=np.zeros((2, 2))),
        dt0=0.5,
        throw=choice(False),
    ),
}
