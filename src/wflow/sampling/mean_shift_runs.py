"""Mean-shift particles moved until they stand still."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import (
    cast,
    count,
    instance,
    known,
    non_negative,
    positive,
    random_key,
    shape,
    to_real,
    within,
)
from wflow.measures import Particles
from wflow.parameters.learnable import unwrap

from .msip import MSIP, largest
from .quadrature import Quadrature


class MeanShiftRun(eqx.Module):
    """Where a damped iteration ended, and how it went.

    ``energy`` and ``residual`` are those before every step and at the end,
    ``(steps + 1,)``.
    """

    flow: MSIP
    particles: Particles
    energy: Float[Array, " steps+1"]
    residual: Float[Array, " steps+1"]

    def quadrature(self) -> Quadrature:
        """The particles with their optimal weights."""
        return self.flow.quadrature(self.particles)


def _particles(initial: Any) -> Particles:
    if isinstance(initial, Particles):
        return initial
    given = initial if isinstance(initial, jax.Array) else np.asarray(initial)
    x = given if given.dtype.kind in "iub" else to_real(initial, "initial")
    if x.ndim != 2 or x.shape[0] < 1 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            "MSIP: expected initial particles of shape (n, d), n >= 1, of floating "
            f"dtype, found shape {x.shape} of {x.dtype}."
        )
    return Particles.from_samples(x)


def damped_iteration(
    flow: MSIP,
    initial: Particles | Float[Array, "n d"],
    *,
    damping: ArrayLike = 0.1,
    steps: int = 500,
    tol: ArrayLike = 0.0,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    key: PRNGKeyArray | None = None,
) -> MeanShiftRun:
    r"""Move mean-shift particles by damped steps until they stand still.

    $Y \leftarrow (1 - \eta)\,Y + \eta\,T(Y)$ with ``damping`` $\eta$. Wide kernels need
    $\eta \le 2/n$ or so; 1 diverges for three particles already. Differentiable in the
    flow and in ``initial``.

    Args:
        flow: the mean-shift flow.
        initial: particles, or their positions ``(n, d)``.
        damping: the step.
        steps: their number.
        tol: particles stay where the residual has fallen to it.
        box: lowest and highest values, numbers or ``(d,)``: particles are clamped to
            it after every step. Where that acts the energy may rise.
        key: redraws the nodes of a random rule at every step, which needs a ridge of
            about 1e-2; by default all steps share them.

    Raises:
        ValueError: ``damping <= 0``, ``steps < 1``, a negative ``tol``, a box whose
            sides are the wrong way round, positions that are not floating ``(n, d)``,
            or a start that ``MSIP.check`` refuses.
        TypeError: an argument of the wrong type.

    Reference: Belhadji, Sharp, Marzouk, arXiv:2605.14142.
    """
    owner = "damped_iteration"
    instance(owner, "flow", flow, MSIP, "an MSIP flow")
    positive(owner, "damping", damping)
    shape(owner, "damping", damping, ())
    count(owner, "steps", steps)
    non_negative(owner, "tol", tol, infinite=True)
    shape(owner, "tol", tol, ())
    if key is not None:
        key = random_key(owner, "key", key)
    mu = _particles(initial)
    if box is not None:
        _check_box(owner, box, mu.dim)
    flow.check(mu)
    flow = cast(unwrap(flow), mu.dtype)
    damping, tol = jnp.asarray(damping, mu.dtype), jnp.asarray(tol, mu.dtype)
    if box is not None:
        lowest, highest = (jnp.asarray(side, mu.dtype) for side in box)
        box = lowest, highest
    y, energy, residual = _iterate(flow, mu, damping, tol, box, key, steps)
    return MeanShiftRun(flow, mu.with_state((y, mu.logw)), energy, residual)


def _check_box(owner: str, box: Any, dim: int) -> None:
    if not isinstance(box, list | tuple) or len(box) != 2:
        raise ValueError(
            f"{owner}: expected box, two sides (lowest, highest), found "
            f"{type(box).__name__}."
        )
    for side in box:
        if np.shape(side) not in ((), (dim,)):
            raise ValueError(
                f"{owner}: expected sides of box that are numbers or ({dim},), found "
                f"shape {np.shape(side)}."
            )
        within(owner, "box", side, -np.inf, np.inf)
    lowest, highest = (known(jnp.asarray(side)) for side in box)
    if lowest is not None and highest is not None and not (lowest <= highest).all():
        raise ValueError(
            f"{owner}: expected box with its lowest values first, found {lowest} "
            f"before {highest}."
        )


@eqx.filter_jit
def _iterate(
    flow: MSIP,
    mu: Particles,
    damping: Array,
    tol: Array,
    box: tuple[Array, Array] | None,
    key: PRNGKeyArray | None,
    steps: int,
) -> tuple[Array, Array, Array]:
    def step(y: Array, k: Array) -> tuple[Array, tuple[Array, Array]]:
        own = flow
        if key is not None:
            embedding = flow.system.embedding.redrawn(jax.random.fold_in(key, k))
            own = eqx.tree_at(lambda f: f.system.embedding, flow, embedding)
        displacement = own.displacement(y)
        # Not for differentiation: the root of a residual of 0 has no slope.
        residual = largest(jax.lax.stop_gradient(displacement))
        new = y + damping * displacement
        if box is not None:
            new = jnp.clip(new, *box)
        record = own.value(mu.with_state((y, mu.logw))), residual
        return jnp.where((residual > tol) & (k < steps), new, y), record

    y, (energy, residual) = jax.lax.scan(step, mu.x, jnp.arange(steps + 1))
    return y, energy, residual


def stationary(
    flow: MSIP,
    initial: Particles | Float[Array, "n d"],
    *,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    max_steps: int = 256,
) -> Particles:
    """Mean-shift particles at rest, found at once by a root search.

    $T(Y) = Y$ by Newton-type steps from ``initial``. Start close by, after some steps
    of ``damped_iteration``: the slow directions that are left to it are no obstacle
    here. Differentiable in the flow, by the implicit function theorem. Newton's matrix
    is dense, ``(n d, n d)``.

    Args:
        flow: the mean-shift flow.
        initial: particles, or their positions ``(n, d)``.
        rtol: relative tolerance of the search.
        atol: absolute tolerance, in the units of the positions.
        max_steps: of the search.

    Raises:
        RuntimeError: the search did not converge.
        ValueError: a tolerance or ``max_steps`` out of range, or a start that
            ``MSIP.check`` refuses.
        TypeError: an argument of the wrong type.
    """
    instance("stationary", "flow", flow, MSIP, "an MSIP flow")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        shape("stationary", name, tolerance, ())
        positive("stationary", name, tolerance)
    count("stationary", "max_steps", max_steps)
    mu = _particles(initial)
    flow.check(mu)
    flow = cast(unwrap(flow), mu.dtype)
    y, ended, left = _root(flow, mu.x, rtol, atol, max_steps)
    told = f"stationary: no particles at rest within {max_steps} steps"
    if known(ended) is None:
        y = eqx.error_if(y, ~ended, f"{told}.")
    elif not bool(ended):
        raise RuntimeError(
            f"{told}, a mean shift of {float(left):.3g} is left; go on with "
            "damped_iteration first, or allow more max_steps."
        )
    return mu.with_state((y, mu.logw))


@eqx.filter_jit
def _root(
    flow: MSIP, y: Array, rtol: float, atol: float, max_steps: int
) -> tuple[Array, Array, Array]:
    """Where the search ended, whether it did, and the longest mean shift there."""
    found = optx.root_find(
        lambda y, flow: flow.system.displacement(y),
        optx.Dogleg(rtol=rtol, atol=atol),
        y,
        args=flow,
        max_steps=max_steps,
        throw=False,
    )
    left = flow.system.displacement(jax.lax.stop_gradient(found.value))
    ended = found.result == optx.RESULTS.successful
    return found.value, ended, largest(jax.lax.stop_gradient(left))
