"""The debiased Sinkhorn divergence, through OTT-JAX."""

import functools
import warnings
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from wflow import checks
from wflow.measures.torus import check_period

from . import inputs
from .cost import pair_cost
from .potentials import Options, Potentials, potentials
from .streamed import streamed_cost


# Pairs from which on the cost is made anew, block by block, at every iteration.
_DENSE = 2**24


class SinkhornResult(NamedTuple):
    """A divergence and whether its potentials meet the marginals to the threshold."""

    value: Float[Array, ""]
    converged: Bool[Array, ""]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _transport_cost(
    options: Options, cost: Array, a: Array, b: Array, epsilon: Array, threshold: Array
) -> tuple[Array, Array]:
    r"""The least entropic cost between two weighted clouds.

    $\min_P \langle P, C\rangle + \epsilon\,\mathrm{KL}(P | a b^T)$ and a flag.
    """
    found: Potentials = potentials(options, cost, a, b, epsilon, threshold)
    f, g, error = found
    return f @ a + g @ b, error < threshold


@_transport_cost.defjvp
def _(options: Options, primals: tuple, tangents: tuple) -> tuple[tuple, tuple]:
    # The envelope theorem: no derivative of the potentials. They are not stopped
    # either, so that second derivatives are OTT's implicit ones, not silently wrong.
    cost, a, b, epsilon, threshold = primals
    dcost, da, db, depsilon, _ = tangents
    found: Potentials = potentials(options, *primals)
    f, g, error = found
    converged = error < threshold
    log_ratio = (f[:, None] + g - cost) / epsilon
    # Equal to a b exp(log_ratio), which overflows between points of weight zero that
    # lie apart from the others, and where the potentials dwarf epsilon.
    plan = b * jax.nn.softmax((f[:, None] - cost) / epsilon + jnp.log(a)[:, None], 0)
    tangent = (
        jnp.sum(plan * dcost) + f @ da + g @ db + jnp.sum(plan * log_ratio) * depsilon
    )
    flat = np.zeros(jnp.shape(converged), jax.dtypes.float0)
    return (f @ a + g @ b, converged), (tangent, flat)


# Compiled here: run eagerly, OTT's loops would be compiled anew at every call.
@eqx.filter_jit
def _divergence(
    x: Array,
    y: Array,
    a: Array,
    b: Array,
    blur: Array,
    threshold: Array,
    p: int,
    max_iterations: int,
    period: Array | None,
) -> SinkhornResult:
    a, b = a / jnp.sum(a), b / jnp.sum(b)
    epsilon = blur**p

    def least(x: Array, y: Array, a: Array, b: Array, same: bool) -> tuple:
        options = Options(same, max_iterations)
        if len(x) * len(y) > _DENSE:
            problem = (x, y, a, b, epsilon, threshold)
            return streamed_cost(options, p, period, *problem)
        cost = pair_cost(x, y, p, period, own=0 if same else None)
        return _transport_cost(options, cost, a, b, epsilon, threshold)

    across, xy = least(x, y, a, b, same=False)
    within_x, xx = least(x, x, a, a, same=True)
    within_y, yy = least(y, y, b, b, same=True)
    return SinkhornResult(across - (within_x + within_y) / 2, xy & xx & yy)


def sinkhorn_divergence(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    weights_x: Float[Array, " n"] | None = None,
    weights_y: Float[Array, " m"] | None = None,
    blur: ArrayLike,
    p: Literal[1, 2] = 2,
    max_iterations: int = 2000,
    threshold: ArrayLike = 1e-3,
    period: ArrayLike | None = None,
) -> SinkhornResult:
    r"""A smooth distance of two clouds, whose gradients train models.

    $S_b(\mu, \nu) = T_b(\mu, \nu) - \frac12 T_b(\mu, \mu) - \frac12 T_b(\nu, \nu)$.

    $T_b = \min_P \langle P, |x - y|^p / p\rangle + b^p\,\mathrm{KL}(P|\mu\otimes\nu)$.
    The blur b is a length, whatever p. For p = 2, $S_b \to W_2^2 / 2$ as b goes to 0
    (half of OTT's divergence at regularization $2 b^2$); for p = 1, $S_b \to W_1$.

    Up to 4096 points a cloud the costs of all pairs are kept; beyond they are made anew
    at every iteration, in blocks, and memory is O(n + m). Snapshots of unequal sizes
    are padded with points of weight zero, and go under ``jax.lax.map`` or ``jax.vmap``
    (on a CPU the first is twice as fast: each stops when it has converged).

    Where the spread of the clouds is large against the blur, the blur is annealed: it
    comes down from the spread, and is halved as soon as the marginals are nearly met.
    ``converged`` is judged by the marginals of the potentials that the value is made
    of. Outside ``jit`` a value that has not converged is warned of.

    Gradients, in positions, weights and blur, are those of the envelope theorem: exact
    at convergence, no loop is differentiated. At a point of weight zero the gradient in
    its weight is finite and right. Second derivatives (reverse mode only) solve OTT's
    implicit equations; they need float64, positive weights, a tight threshold and costs
    that are kept.

    Args:
        x: points, ``(n, d)``.
        y: points, ``(m, d)``.
        weights_x: weights >= 0, ``(n,)``, normalized here; None is uniform. Zero pads.
        weights_y: likewise, ``(m,)``.
        blur: b > 0, a length.
        p: 1 or 2.
        max_iterations: of each of the three problems.
        threshold: on the L1 error of the marginals.
        period: of the coordinates, a length or one per axis (infinite where there is
            none): distances are then the shortest ones on a torus.

    Returns:
        The value, scalar, and whether all three problems converged.

    Raises:
        TypeError: an argument that is no array of numbers.
        NotImplementedError: a second derivative where costs are not kept.
        ValueError: wrong shapes, p or max_iterations; and, outside ``jit`` and other
            transformations, points that are not finite, weights negative or summing to
            zero, blur, threshold or a period <= 0. Inside, these give the value nan or
            ``converged`` False: look at it.

    References: Feydy et al., AISTATS 2019, equation (3); geomloss for the convention.
    """
    owner = "sinkhorn_divergence"
    p = inputs.power(owner, p)
    x, y = inputs.cloud(owner, "x", x), inputs.cloud(owner, "y", y)
    inputs.check_dimensions(owner, x, y)
    weights_x = inputs.masses(owner, "weights_x", weights_x, len(x))
    weights_y = inputs.masses(owner, "weights_y", weights_y, len(y))
    blur, threshold = (
        checks.to_real(blur, "blur"),
        checks.to_real(threshold, "threshold"),
    )
    for name, value in (("blur", blur), ("threshold", threshold)):
        checks.shape(owner, name, value, ())
        checks.positive(owner, name, value)
    checks.count(owner, "max_iterations", max_iterations)
    if period is not None:
        period = checks.to_real(period, "period")
        check_period(owner, period, x.shape[1])
    dtype = jnp.result_type(x, y)
    x, y = x.astype(dtype), y.astype(dtype)
    a, b = (
        jnp.ones(len(points), dtype) if weights is None else weights.astype(dtype)
        for points, weights in ((x, weights_x), (y, weights_y))
    )
    result = _divergence(
        x,
        y,
        a,
        b,
        blur.astype(dtype),
        threshold.astype(dtype),
        p,
        int(max_iterations),
        period,
    )
    _warn(result, blur, max_iterations)
    return result


def _warn(result: SinkhornResult, blur: Array, max_iterations: int) -> None:
    """Of a value that has not converged, where that is known."""
    # As a float: derivatives may be taken of it, and are stripped.
    found = checks.known(result.converged.astype(float))
    if found is None or found == 1:
        return
    length = checks.known(blur)
    at = "" if length is None else f" {length.item():g}"
    warnings.warn(
        f"sinkhorn_divergence: not converged after {max_iterations} iterations at the "
        f"blur{at}, which is small against the spread of the points; take a larger "
        "blur or max_iterations, or exact transport.",
        stacklevel=3,
    )
