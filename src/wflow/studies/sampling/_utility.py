"""What a draw from a flow towards an exponential mechanism is worth."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from wflow.measures import Grid
from wflow.sampling.privacy.mechanism import kl_flow
from wflow.sampling.privacy.ratio import oscillation
from wflow.sampling.privacy.torus import TorusLoss
from wflow.sampling.privacy.utility import utility_bound, warm_start_kl
from wflow.solvers import solve


def utility(
    loss: TorusLoss,
    epsilon: float,
    alpha: float,
    beta: float,
    initial: Grid,
    times: Sequence[float],
) -> dict[str, np.ndarray]:
    """Mean loss above the least along the flow, its bound, and a draw's from the end.

    From the uniform start.
    """
    mechanism = loss.mechanism(epsilon)
    flow = kl_flow(mechanism, alpha, beta)
    laws = solve(flow, initial, 0.0, times[-1], times=times, max_steps=200_000).measures
    target = dataclasses.replace(initial, density=jnp.exp(initial.evaluate(mechanism)))
    values = initial.evaluate(loss)
    excess = values - values.min()

    def mean(density: Float[Array, "*t n n"]) -> Float[Array, "*t"]:
        return jnp.sum(density * excess, (-2, -1)) / jnp.sum(density, (-2, -1))

    in_v = epsilon / (2 * loss.sensitivity)
    osc_v = in_v * float(oscillation(values))
    intrinsic = float(mean(target.density))
    # From the uniform start log(rho_0/pi) is V, up to a constant.
    kls = [warm_start_kl(t, beta, osc_v) for t in times]
    bounds = [utility_bound(kl, osc_v, in_v * intrinsic) / in_v for kl in kls]
    return {
        "excess_loss": np.asarray(mean(laws.density), float),
        "excess_loss_bound": np.array(bounds),
        "intrinsic_loss": np.full(len(bounds), intrinsic),
    }
