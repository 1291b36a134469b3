"""Sizes of interpolating networks, and the rates at which they are approached."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from wflow.checks import instance, shape

from .data import ReLUData, positive_part
from .neurons import LogNeurons


def min_norm_squared(data: ReLUData) -> Float[Array, ""]:
    r"""Least $\sum_j (a_j^2 + |w_j|^2)$ over all interpolators of any width.

    $2(Y_+ + Y_-)$ with $Y_\pm^2 = \sum_{\pm y_k > 0} y_k^2 / |x_k|^2$: two neurons.

    Raises:
        ValueError: inputs that are not orthogonal.

    Reference: Boursier, Pillaud-Vivien, Flammarion, arXiv:2206.00939.
    """
    instance("min_norm_squared", "data", data, ReLUData, "a ReLUData")
    data.require_orthogonal("min_norm_squared")
    return _least(data)


@eqx.filter_jit
def _least(data: ReLUData) -> Float[Array, ""]:
    squares = data.y**2 / data.squared_norms
    total = jnp.zeros((), data.y.dtype)
    for side in (data.y > 0, data.y < 0):
        square = jnp.sum(jnp.where(side, squares, 0))
        some = square > 0
        total = total + jnp.where(some, jnp.sqrt(jnp.where(some, square, 1)), 0)
    return 2 * total


def tangent_kernel(data: ReLUData, neurons: LogNeurons) -> Float[Array, "n n"]:
    r"""K with $\dot r = -\frac1N K r$: $\sum_j (a_j^2 P_j G P_j + u_j^+ u_j^{+\top})$.

    $P_j$ keeps the units that are on, $u_j^+$ are the activations. A lone aligned
    neuron of orthonormal inputs has the eigenvalues R and, once, 2 R.

    Raises:
        TypeError: data or neurons that are none.
        ValueError: neurons of other data.
    """
    instance("tangent_kernel", "data", data, ReLUData, "a ReLUData")
    instance("tangent_kernel", "neurons", neurons, LogNeurons, "LogNeurons")
    shape("tangent_kernel", "neurons", neurons.ratio, (neurons.m, data.n))
    masses = jnp.exp(2 * neurons.level)
    on = neurons.active.astype(masses.dtype)
    gram = jnp.diag(data.gram) if data.gram.ndim == 1 else data.gram
    both_on = (masses[:, None] * on).T @ on
    activations = positive_part(neurons.ratio)
    return both_on * gram + (masses[:, None] * activations).T @ activations
