"""Whether a law moves points, or points with velocities."""

from typing import Any

import jax
from jaxtyping import ArrayLike

from wflow.flows import AbstractContinuousFlow
from wflow.measures import Particles, Phase, UnsupportedMeasureError
from wflow.parameters.learnable import unwrap


def acts_on(flow: AbstractContinuousFlow, mu: Any, t: ArrayLike = 0.0) -> bool:
    """Whether ``flow`` is for measures of the kind of ``mu``.

    Errors of another kind, such as points of a wrong dimension, are those of a flow
    that is.
    """
    try:
        rate = jax.eval_shape(lambda: unwrap(flow).velocity(mu, t))
    except (UnsupportedMeasureError, AttributeError):
        return False
    except (TypeError, ValueError):
        return True
    return jax.tree.structure(rate) == jax.tree.structure(mu.state)


def is_kinetic(flow: AbstractContinuousFlow, mu: Particles, velocities: bool) -> bool:
    """Whether ``flow`` moves a ``Phase`` of particles rather than the particles ``mu``.

    A flow that does both, as ``LangevinFlow``, takes the velocities that are there.
    """
    if not acts_on(flow, mu):
        return True
    return velocities and acts_on(flow, Phase.at_rest(mu))
