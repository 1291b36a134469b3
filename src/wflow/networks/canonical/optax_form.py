"""Arc ridge in a training loop: the path of any optimizer, and where it stops."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, PyTree

from wflow.checks import instance, non_negative, shape, within
from wflow.flows.base import safe_sqrt


class ArcRidgeState(NamedTuple):
    r"""What ``arc_ridge`` knows of the path so far.

    Attributes:
        inner: state of the wrapped optimizer.
        average: $\bar\theta_k$, the weights on which the path is measured, in float32
            at least.
        arc: $s_k$, the length of that path.
        slope: loss lost per unit length, $-\langle g_k, \hat\tau_k\rangle$.
        stopped: whether the rule has held; from then on every update is zero.

    Average, length and slope rest after the stop, at their values there.
    """

    inner: Any
    average: PyTree[Array]
    arc: Float[Array, ""]
    slope: Float[Array, ""]
    stopped: Bool[Array, ""]

    @property
    def strength(self) -> Float[Array, ""]:
        r"""The strength $\lambda = $ slope$/s$ that would stop here; inf at the start.

        Written down along one run with ``arc_ridge(inner, 0.0)`` it gives the weights
        of every strength: those at which it first falls to it.
        """
        moved = self.arc > 0
        return jnp.where(moved, self.slope / jnp.where(moved, self.arc, 1), jnp.inf)


def arc_ridge(
    inner: optax.GradientTransformation, strength: ArrayLike, *, decay: float = 0.0
) -> optax.GradientTransformationExtraArgs:
    r"""Early stopping of any Optax optimizer by the length of the path it took.

    It runs ``inner`` until $-\langle\nabla L, \hat\tau\rangle \leq \lambda s$ on its
    path.

    That is the first stationary point of $L + \frac\lambda2 s^2$ along the path that
    ``inner`` takes anyway, with $s$ its length and $\hat\tau$ its tangent; for gradient
    descent $|\nabla L| = \lambda s$, which one step back interpolates between the last
    two weights. Weights move along no fiber for the sake of the penalty: before the
    stop they are the unregularized ones, after it they rest and ``state.stopped`` says
    that the loop may end.

    Minibatches and large steps make a path jitter, and $s$ grow with every jitter.
    ``decay`` measures it on $\bar\theta_k = \beta\bar\theta_{k-1} + (1 - \beta)
    \theta_k$, where independent noise adds less by the factor
    $\sqrt{(1 - \beta)/2}$; the tangent is that of $\bar\theta$, so that the noise of
    the present gradient has mean zero in the slope, which is averaged alike. The stop
    is then a point of $\bar\theta$'s path.
    ``decay=0`` is for full batches; 0.99 to 0.999 for small ones.

    Args:
        inner: any optimizer, its learning rate included, with parameters as an
            argument of ``update``.
        strength: $\lambda \geq 0$ in units of the loss over squared length; 0 never
            stops, and may be an array under ``jit`` or ``vmap``.
        decay: $\beta \in [0, 1)$.

    Raises:
        ValueError: a strength that is negative, nan or no single number, a decay out
            of range; at ``init`` a leaf that is no floating-point array; at
            ``update`` no parameters, or others than at ``init``.

    Reference: after Whittle et al., arXiv:2605.18180.
    """
    if jnp.ndim(strength):
        raise ValueError(
            "arc_ridge: expected one strength, found an array of shape "
            f"{jnp.shape(strength)}: map over several with jax.vmap."
        )
    non_negative("arc_ridge", "strength", strength, infinite=True)
    shape("arc_ridge", "decay", decay, ())
    within("arc_ridge", "decay", decay, 0, 1, closed="low")
    kind = optax.GradientTransformation
    instance("arc_ridge", "inner", inner, kind, "an Optax optimizer")
    inner = optax.with_extra_args_support(inner)
    rate = 1 - decay

    def init(params: PyTree[Array]) -> ArcRidgeState:
        dtype = _length_dtype(params)
        zero = jnp.zeros((), dtype)
        # A copy: loops that donate their parameters must not donate the average twice.
        average = jax.tree.map(
            lambda p: jnp.array(p, jnp.result_type(p, jnp.float32)), params
        )
        return ArcRidgeState(
            inner.init(params), average, zero, zero, jnp.zeros((), bool)
        )

    def update(
        updates: PyTree[Array],
        state: ArcRidgeState,
        params: PyTree[Array] | None = None,
        **extra: Any,
    ) -> tuple[PyTree[Array], ArcRidgeState]:
        _check(params, state.average)
        dtype = state.arc.dtype
        gap = jax.tree.map(jnp.subtract, params, state.average)
        length = safe_sqrt(_dot(gap, gap, dtype))
        moved = length > 0
        # Before the first move there is no tangent: that of gradient descent stands in.
        steepest = safe_sqrt(_dot(updates, updates, dtype))
        along = -_dot(updates, gap, dtype) / jnp.where(moved, length, 1)
        slope = jnp.where(moved, along, steepest)
        slope = jnp.where(state.arc > 0, decay * state.slope + rate * slope, slope)
        step = rate * length

        excess = slope - _threshold(strength, state.arc + step)
        before = state.slope - _threshold(strength, state.arc)
        crossed = (excess <= 0) & (jnp.asarray(strength) > 0) & ~state.stopped
        # Both are linear in the length between two steps, but for the path's bend.
        inside = crossed & (before > 0)
        share = jnp.where(inside, before / jnp.where(inside, before - excess, 1), 0)
        # Of this step's move of the average: all before the stop, none after it.
        share = jnp.where(crossed, share, jnp.where(state.stopped, 0, 1))
        stopped = state.stopped | crossed
        slope = state.slope + share * (slope - state.slope)
        arc = state.arc + share * step
        average = jax.tree.map(
            lambda a, g: a + (share * rate).astype(a.dtype) * g, state.average, gap
        )

        moves, inner_state = inner.update(updates, state.inner, params, **extra)

        def settled(move: Array, now: Array, end: Array) -> Array:
            back = (end - now).astype(move.dtype)
            return jnp.where(stopped, jnp.where(crossed, back, 0), move)

        moves = jax.tree.map(settled, moves, params, average)
        return moves, ArcRidgeState(inner_state, average, arc, slope, stopped)

    return optax.GradientTransformationExtraArgs(init, update)


def _threshold(strength: ArrayLike, arc: Array) -> Array:
    """Strength * arc, also at an infinite strength."""
    moved = arc > 0
    return jnp.where(moved, strength * jnp.where(moved, arc, 1), 0).astype(arc.dtype)


def _dot(a: PyTree[Array], b: PyTree[Array], dtype: Any) -> Float[Array, ""]:
    products = jax.tree.map(lambda x, y: jnp.sum(x * y, dtype=dtype), a, b)
    return jax.tree.reduce(jnp.add, products)


def _length_dtype(params: PyTree[Array]) -> Any:
    """The widest of the parameters' types, float32 at least: lengths are long sums."""
    dtypes = [jnp.result_type(leaf) for leaf in jax.tree.leaves(params)]
    if not dtypes or not all(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise ValueError(
            "arc_ridge: expected params of floating-point arrays, found "
            f"{sorted({str(dtype) for dtype in dtypes})}: leave the others out with "
            "equinox.filter."
        )
    return jnp.result_type(jnp.float32, *dtypes)


def _check(params: PyTree[Array] | None, average: PyTree[Array]) -> None:
    if params is None:
        raise ValueError("arc_ridge: expected params as an argument of update.")
    found, expected = map(_shapes, (params, average))
    if found != expected:
        raise ValueError(
            f"arc_ridge: expected params like those of init, {expected}, found {found}."
        )


def _shapes(tree: PyTree[Array]) -> tuple[Any, list[tuple[int, ...]]]:
    return jax.tree.structure(tree), [jnp.shape(x) for x in jax.tree.leaves(tree)]
