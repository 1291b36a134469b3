"""Plans that are smooth, or meet their marginals in part, outside ``jit``."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from wflow.transport.exact import exact_plan
from wflow.transport.relaxed import sinkhorn_plan


# Of the largest marginal: every point keeps a partner, however far.
_LEAST = 1e-9

_compiled = eqx.filter_jit(sinkhorn_plan)


def relaxed_plan(
    cost: Float[np.ndarray, "n m"],
    a: Float[np.ndarray, " n"],
    b: Float[np.ndarray, " m"],
    *,
    epsilon: float,
    penalty: float = math.inf,
    threshold: float = 1e-3,
    max_iterations: int = 500,
) -> Float[np.ndarray, "n m"]:
    r"""An entropic plan between masses, met exactly or at a price.

    The plan P of least $\langle P, C\rangle + \epsilon\,\mathrm{KL}(P|ab^T/\bar m)
    + \lambda\,\mathrm{KL}(P_1|a) + \lambda\,\mathrm{KL}(P_2|b)$.

    $\bar m$ is the geometric mean of the two masses, so that the plan scales with them;
    with ``penalty`` infinite, a and b of one mass are met. Sinkhorn's iterations end
    at the threshold or at ``max_iterations``. Runs outside ``jit``.

    Args:
        cost: C, ``(n, m)``, finite.
        a: masses >= 0, ``(n,)``.
        b: masses >= 0, ``(m,)``.
        epsilon: strength > 0 of the entropy, in the unit of the cost.
        penalty: $\lambda > 0$, in the unit of the cost.
        threshold: error of the marginals at which the iterations end.
        max_iterations: the most of them.

    Reference: Chizat, Peyre, Schmitzer, Vialard, Mathematics of Computation 87 (2018).
    """
    n, m = cost.shape
    scale = math.sqrt(a.sum() * b.sum())
    # Few shapes are few programs: sizes are powers of two, the rest weighs nothing.
    size = 1 << (max(n, m) - 1).bit_length()
    padded = np.full((size, size), cost.max())
    padded[:n, :m] = cost
    rows, columns = np.zeros(size), np.zeros(size)
    rows[:n], columns[:m] = a / scale, b / scale
    dtype = jnp.result_type(float)
    plan, _ = _compiled(
        jnp.asarray(padded, dtype),
        jnp.asarray(rows, dtype),
        jnp.asarray(columns, dtype),
        float(epsilon),
        float(penalty),
        float(threshold),
        int(max_iterations),
    )
    return np.asarray(plan, np.float64)[:n, :m] * scale


def sharpened(
    plan: Float[np.ndarray, "n m"], cost: Float[np.ndarray, "n m"]
) -> Float[np.ndarray, "n m"]:
    r"""The exact plan of ``cost`` between the marginals of ``plan``.

    That of least $\langle P, C\rangle + \lambda\,\mathrm{KL}(P_1|a) + \lambda\,
    \mathrm{KL}(P_2|b)$ is one between its own marginals, which a little entropy leaves
    nearly as they are while it blurs the plan over neighbors.
    """
    mass = plan.sum()
    marginals = [
        np.maximum(side, _LEAST * side.max()) for side in (plan.sum(1), plan.sum(0))
    ]
    p, q = (side / side.sum() for side in marginals)
    return mass * exact_plan(p, q, cost)
