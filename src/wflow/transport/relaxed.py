"""A plan that is smooth, or meets its marginals in part: Sinkhorn's, through OTT."""

import math
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


# Below 2; of Sinkhorn's steps, see Thibault et al., Algorithms 14 (2021).
_RELAXATION = 1.5


def sinkhorn_plan(
    cost: Float[Array, "n m"],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    epsilon: float,
    penalty: float,
    threshold: float,
    max_iterations: int,
) -> tuple[Float[Array, "n m"], Bool[Array, ""]]:
    r"""An entropic plan whose marginals are met nearly, at a price.

    Of all P the one of least $\langle P, C\rangle + \epsilon\,\mathrm{KL}(P|ab^T)
    + \lambda\,\mathrm{KL}(P_1|a) + \lambda\,\mathrm{KL}(P_2|b)$ for a ``penalty``
    $\lambda$, under ``jit`` too, and whether it converged.

    Reference: Chizat, Peyre, Schmitzer, Vialard, Mathematics of Computation 87 (2018).
    """
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.acceleration import Momentum
    from ott.solvers.linear.sinkhorn import Sinkhorn

    tiny = jnp.finfo(cost.dtype).tiny
    tau = 1.0 if math.isinf(penalty) else penalty / (penalty + epsilon)
    problem = LinearProblem(
        Geometry(cost, epsilon=epsilon),
        # Weight zero pads; its logarithm is kept finite.
        jnp.maximum(a, tiny),
        jnp.maximum(b, tiny),
        tau_a=tau,
        tau_b=tau,
    )
    # The masses of pieces that do not meet settle one by one, the total at once.
    solver = Sinkhorn(
        threshold=threshold,
        max_iterations=max_iterations,
        # Over-relaxed: half the iterations where little entropy makes them many.
        momentum=Momentum(value=_RELAXATION),
        recenter_potentials=tau < 1,
    )
    out: Any = solver(problem)
    return out.matrix, out.converged
