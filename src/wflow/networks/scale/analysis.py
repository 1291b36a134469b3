"""What the flow of a layer keeps, and how its scales speed it up and sharpen it."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import scipy.sparse.linalg
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from wflow.checks import (
    at_least_single,
    finite,
    instance,
    non_negative,
    positive,
    shape,
    to_real,
)
from wflow.energies import AbstractEnergy
from wflow.measures import Point
from wflow.solvers import Solution

from .layers import ScaledLinear
from .scales import AbstractScale, MagnitudeDirection


# Parameters up to which the Hessian is a matrix.
_DENSE = 2000


def imbalance(
    weight: Float[Array, "m d"], scale: Float[Array, " d"], rho: ArrayLike = 1.0
) -> Float[Array, " d"]:
    r"""What training keeps of the split between a weight and its scale vector.

    $c_j = \rho\lVert W_j\rVert^2 - g_j^2$, constant under the flow of $\ell(W D_g)$.

    Args:
        weight: W, with all branches that share g stacked.
        scale: g.
        rho: the rate of g over that of W.

    Raises:
        ValueError: shapes that do not fit, arrays that are not finite, or a rate that
            is not positive.
    """
    weight = at_least_single(to_real(weight, "weight"))
    scale = at_least_single(to_real(scale, "scale"))
    shape("imbalance", "weight", weight, ("m", "d"))
    shape("imbalance", "scale", scale, weight.shape[1:])
    finite("imbalance", "weight", weight)
    finite("imbalance", "scale", scale)
    _check_rate("imbalance", rho)
    return rho * jnp.sum(weight**2, axis=0) - scale**2


def invariants(layer: ScaledLinear, rho: ArrayLike = 1.0) -> dict[str, Array]:
    r"""What Euclidean gradient flow of any $\ell(D_r W D_g)$ keeps, by branch.

    Of a direct scale the imbalance of every column (row, for r); of a magnitude and
    direction $\rho\lVert W\rVert_F^2 - s^2$ and $\lVert v\rVert^2$.

    Args:
        layer: at any time. What has less than single precision is summed in it.
        rho: the rate of all scales over that of W.

    Raises:
        TypeError: no ``ScaledLinear``.
        ValueError: a rate that is not positive.

    The setting is that of arXiv:2605.26895.
    """
    instance("invariants", "layer", layer, ScaledLinear, "a ScaledLinear")
    _check_rate("invariants", rho)
    layer = jax.tree.map(
        lambda leaf: at_least_single(leaf) if eqx.is_inexact_array(leaf) else leaf,
        layer,
    )
    found: dict[str, Array] = {}
    for name, (weight, scale) in _columns(layer).items():
        found |= _kept(f"{name} columns", weight, scale, rho)
    rows = layer.split(layer.weight).items()
    for (name, weight), scale in zip(rows, layer.scales_out or (), strict=False):
        found |= _kept(f"{name} rows", weight.T, scale, rho)
    return found


def invariant_drift(solution: Solution) -> Float[Array, ""]:
    """Largest change of an invariant over the saved times, from the first of them.

    Args:
        solution: of a flow whose ``Point`` is a ``ScaledLinear`` with scales.

    Raises:
        TypeError: it is of something else.
        ValueError: the layer has no scales.
    """
    measures = getattr(solution, "measures", None)
    layer = measures.value if isinstance(measures, Point) else None
    if not isinstance(layer, ScaledLinear):
        raise TypeError(
            "invariant_drift: expected solution of a Point of a ScaledLinear, "
            f"found {type(measures or solution).__name__} of {type(layer).__name__}."
        )
    if not (layer.scales_in or layer.scales_out):
        raise ValueError(
            "invariant_drift: expected solution of a layer with scales, found one "
            "without, which has no invariants."
        )
    values = solution.evaluate(_invariants)
    drifts = [jnp.max(jnp.abs(kept - kept[:1])) for kept in values.values()]
    return jnp.max(jnp.stack(drifts))


class ScaleReport(NamedTuple):
    r"""How the input scale of one branch, or of several, acts, channel by channel.

    Attributes:
        imbalance: $c_j = \lVert W_j\rVert^2 - g_j^2$.
        along: $g_j^2 + \lVert W_j\rVert^2$, the preconditioner along $M_j$.
        across: $g_j^2$, its other eigenvalues.
        amplification: ``along`` over that of the initial layer; one without it.
        dead: whether $g_j$ and $W_j$ are zero: such a channel stays so.
        decay_share: the scale's part of the decay penalty at equal rates.
    """

    imbalance: Float[Array, " d"]
    along: Float[Array, " d"]
    across: Float[Array, " d"]
    amplification: Float[Array, " d"]
    dead: Bool[Array, " d"]
    decay_share: Float[Array, ""]


def scale_report(
    layer: ScaledLinear, initial: ScaledLinear | None = None, tolerance: float = 0.0
) -> dict[str, ScaleReport]:
    """A report on every input scale of a layer, by the branches that it feeds.

    Of a scale in magnitude and direction, and of a layer with output scales, these are
    the numbers of the vector g beside W, not eigenvalues of their preconditioner.

    Args:
        layer: trained, or on the way.
        initial: where it started.
        tolerance: below which ``along`` counts as zero.

    Raises:
        TypeError: a layer that is no ``ScaledLinear``.
        ValueError: no input scales, an initial layer of other branches, or a negative
            tolerance.
    """
    instance("scale_report", "layer", layer, ScaledLinear, "a ScaledLinear")
    if initial is not None:
        instance("scale_report", "initial", initial, ScaledLinear, "a ScaledLinear")
    shape("scale_report", "tolerance", tolerance, ())
    non_negative("scale_report", "tolerance", tolerance)
    if not layer.scales_in:
        raise ValueError(
            "scale_report: expected layer with input scales, found one without."
        )
    now = _columns(layer)
    start = now if initial is None else _columns(initial)
    if start.keys() != now.keys():
        raise ValueError(
            f"scale_report: expected initial with the branches {', '.join(now)}, found "
            f"{', '.join(start) or 'no input scales'}."
        )
    reports = {}
    for name, (weight, scale) in now.items():
        squares, across = jnp.sum(weight**2, axis=0), scale.vector**2
        along = across + squares
        first, g = start[name]
        before = jnp.sum(first**2, axis=0) + g.vector**2
        total = jnp.sum(along)
        reports[name] = ScaleReport(
            squares - across,
            along,
            across,
            jnp.where(before > 0, along / jnp.where(before > 0, before, 1), 1),
            along <= tolerance,
            jnp.where(total > 0, jnp.sum(across) / jnp.where(total > 0, total, 1), 0),
        )
    return reports


def dead_channels(layer: ScaledLinear, tolerance: float = 0.0) -> Bool[Array, " d"]:
    r"""Inputs that no branch reads any more: $g_j = 0$ and $W_j = 0$ in each.

    That is a saddle which no gradient leaves.

    Args:
        layer: with input scales.
        tolerance: below which $g_j^2 + \lVert W_j\rVert^2$ counts as zero.
    """
    reports = scale_report(layer, tolerance=tolerance).values()
    return jnp.all(jnp.stack([report.dead for report in reports]), axis=0)


def sharpness(energy: AbstractEnergy, mu: Point) -> Float[Array, ""]:
    """The largest eigenvalue of the Hessian of an energy in all that moves.

    Of the dense Hessian up to 2000 parameters; by Lanczos' method (ARPACK) with
    products of the Hessian above, which runs outside ``jit`` only.

    Args:
        energy: any energy of a ``Point``; leave out decay terms for that of the loss.
        mu: where.

    Raises:
        TypeError: no energy, or no Point.
        ValueError: more than 2000 parameters under ``jit``.
    """
    instance("sharpness", "energy", energy, AbstractEnergy, "an energy")
    instance("sharpness", "mu", mu, Point, "a Point")
    state, _ = jax.flatten_util.ravel_pytree(mu.state)
    if state.size <= _DENSE:
        return jnp.linalg.eigvalsh(_hessian(energy, mu))[-1]
    if isinstance(state, Tracer):
        raise ValueError(
            f"sharpness: expected at most {_DENSE} parameters under jit, found "
            f"{state.size}; call it outside."
        )
    operator = scipy.sparse.linalg.aslinearoperator(_Hessian(energy, mu))
    # A start of its own: by default ARPACK's is random.
    start = np.random.default_rng(0).normal(size=state.size)
    top = scipy.sparse.linalg.eigsh(
        operator, 1, which="LA", v0=start, return_eigenvectors=False
    )
    return jnp.asarray(top[0], state.dtype)


def _check_rate(owner: str, rho: ArrayLike) -> None:
    shape(owner, "rho", rho, ())
    positive(owner, "rho", rho)


class _Hessian:
    """The Hessian as SciPy asks for it."""

    def __init__(self, energy: AbstractEnergy, mu: Point):
        state, self.unravel = jax.flatten_util.ravel_pytree(mu.state)
        self.energy, self.mu = energy, mu
        self.shape, self.dtype = (state.size, state.size), state.dtype

    def matvec(self, vector: np.ndarray) -> np.ndarray:
        """The product with one vector."""
        tangent = self.unravel(jnp.asarray(vector.ravel(), self.dtype))
        return np.asarray(_product(self.energy, self.mu, tangent))


@eqx.filter_jit
def _hessian(energy: AbstractEnergy, mu: Point) -> Float[Array, "p p"]:
    state, unravel = jax.flatten_util.ravel_pytree(mu.state)
    return jax.hessian(lambda flat: energy.value(mu.with_state(unravel(flat))))(state)


@eqx.filter_jit
def _product(energy: AbstractEnergy, mu: Point, tangent: Any) -> Float[Array, " p"]:
    gradient = jax.grad(lambda state: energy.value(mu.with_state(state)))
    _, product = jax.jvp(gradient, (mu.state,), (tangent,))
    return jax.flatten_util.ravel_pytree(product)[0]


def _invariants(mu: Point, t: Array) -> dict[str, Array]:
    del t
    return invariants(mu.value)


def _columns(layer: ScaledLinear) -> dict[str, tuple[Array, AbstractScale]]:
    """Every input scale, and the matrix that it feeds."""
    scales = layer.scales_in or ()
    if len(scales) == 1:
        return {"+".join(layer.branches): (layer.weight, scales[0])}
    weights = layer.split(layer.weight).items()
    return {
        name: (weight, scale)
        for (name, weight), scale in zip(weights, scales, strict=False)
    }


def _kept(
    name: str, weight: Float[Array, "m d"], scale: AbstractScale, rho: ArrayLike
) -> dict[str, Array]:
    if isinstance(scale, MagnitudeDirection):
        return {
            f"{name}, magnitude": rho * jnp.sum(weight**2) - scale.magnitude**2,
            f"{name}, direction": jnp.sum(scale.direction**2),
        }
    return {name: imbalance(weight, scale.vector, rho)}
