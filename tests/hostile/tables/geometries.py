"""How force becomes motion."""

import jax.numpy as jnp
import lineax as lx
import numpy as np

from wflow.energies import Potential
from wflow.geometries import (
    Block,
    Euclidean,
    FisherRao,
    HellingerKantorovich,
    Riemannian,
    Sphere,
    Stein,
    Wasserstein,
)
from wflow.kernels import GaussianKernel
from wflow.measures import Grid, Particles, Point

from ..engine import (
    array,
    asked,
    count,
    entry,
    given,
    masses,
    non_negative,
    part,
)


ROOM = "wflow.geometries"

X = np.array([[0.1, 0.4], [1.0, -0.3], [-0.7, 0.2]])
CLOUD = Particles.from_samples(X, [0.2, 0.5, 0.3])
GRID = Grid(jnp.ones((3, 4)), 0.0, 1.0)
ENERGY = Potential(lambda x: jnp.sum(x**2))


def velocity(geometry, mu=CLOUD):
    return asked(geometry.velocity, mu, asked(ENERGY.differential, mu))


TABLE = {
    "Block": entry(
        lambda geometry, moving: velocity(Block(geometry, moving)),
        geometry=part(Wasserstein()),
        moving=count(1),
    ),
    "Euclidean": entry(
        lambda mu: Euclidean().velocity(mu, ENERGY.differential(Point(jnp.ones(2)))),
        mu=part(Point(jnp.ones(2)), words=["Euclidean does not act on"]),
    ),
    "FisherRao": entry(
        FisherRao, conserve_mass=given(True, text="spoiled", none=None, number=2)
    ),
    "HellingerKantorovich": entry(
        HellingerKantorovich,
        alpha=non_negative(1.0),
        beta=non_negative(2.0),
        conserve_mass=given(True, text="spoiled", none=None, number=2),
    ),
    "Riemannian": entry(
        lambda metric, solver: velocity(Riemannian(metric, solver)),
        metric=given(
            lambda x: jnp.eye(2) * (1 + x @ x),
            text="spoiled",
            other=1.5,
            none=None,
            vector=lambda x: x,
            small=lambda x: jnp.eye(1),
        ),
        solver=given(None, text="spoiled", other=1.5),
    ),
    "Riemannian.point": entry(
        lambda metric, solver: velocity(Riemannian(metric, solver), Point(jnp.ones(2))),
        metric=given(
            lambda x: lx.DiagonalLinearOperator(jnp.ones(2)),
            text="spoiled",
            matrix=lambda x: jnp.eye(2),
        ),
        solver=given(lx.Diagonal(), text="spoiled", other=1.5),
    ),
    "Sphere": entry(
        lambda value: Sphere().point(value).value,
        value=array([1.0, 2.0], fine=("shape", "negative", "short")),
    ),
    "Stein": entry(
        lambda kernel: velocity(Stein(kernel)),
        kernel=given(
            GaussianKernel(1.0),
            text="spoiled",
            other=1.5,
            none=None,
            kind=GaussianKernel,
            rule=lambda x: 1.0,
        ),
    ),
    "Wasserstein": entry(
        lambda mobility: velocity(Wasserstein(mobility)),
        mobility=non_negative(1.0),
    ),
    "Wasserstein.axes": entry(
        lambda mobility: velocity(Wasserstein(mobility)),
        mobility=masses([1.0, 2.0], fine="zero"),
    ),
    "Wasserstein.matrix": entry(
        lambda mobility: velocity(Wasserstein(mobility)),
        mobility=masses([[1.0, 0.3], [0.3, 2.0]], fine="zero"),
    ),
    "Wasserstein.grid": entry(
        lambda mobility: velocity(Wasserstein(mobility), GRID),
        mobility=masses([1.0, 2.0], fine="zero"),
    ),
    "Wasserstein.function": entry(
        lambda mobility: velocity(Wasserstein(mobility)),
        mobility=given(
            lambda x: 1 + x**2,
            long=lambda x: jnp.ones(3),
            cube=lambda x: jnp.ones((2, 2, 2)),
            kind=GaussianKernel,
        ),
    ),
    "AbstractGeometry": "a contract",
}
