"""One trajectory from the reset point, averaged under any law of resets."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from wflow import checks
from wflow.flows import AbstractContinuousFlow, AbstractRenewalLaw
from wflow.measures import AbstractMeasure
from wflow.solvers import solve


# Degree of the interpolation on a panel [a, 2a]: e^{-a} to some eleven digits.
_DEGREE = 16
# Chebyshev's extreme points on [-1, 1], and from values there to coefficients.
_NODES = -np.cos(np.pi * np.arange(_DEGREE + 1) / _DEGREE)
_TO_SERIES = np.linalg.inv(np.polynomial.chebyshev.chebvander(_NODES, _DEGREE))
_GAUSS = np.polynomial.legendre.leggauss(_DEGREE)
# Ages that are looked up at once.
_BATCH = 4096


class AgeTrajectory(eqx.Module):
    r"""A flow's motion away from its reset point, as a function of the age.

    Far from the start a resetting flow is at $\theta(a)$ with a of density $S(a)/\tau$,
    so every average is $\int\theta(a)\,S(a)/\tau\,da$, whatever the loss or kinetics:
    one trajectory serves all laws, and no reset is simulated.

    Attributes:
        measure: where it starts; ``measure.with_state`` makes measures of states.
        edges: ends of the panels of ages, from zero, doubling.
        states: states at Chebyshev points of the panels, on a leading axis.
    """

    measure: Any
    edges: Float[Array, " P+1"]
    states: PyTree[Array]

    def __check_init__(self) -> None:
        checks.instance(self, "measure", self.measure, AbstractMeasure, "a measure")
        checks.shape(self, "edges", self.edges, ("P",))
        checks.increasing(self, "edges", self.edges)
        rows = _DEGREE * (len(self.edges) - 1) + 1
        sizes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(self.states)}
        if len(self.edges) < 2 or sizes != {(rows,)}:
            raise ValueError(
                f"AgeTrajectory: expected {_DEGREE} states a panel and one, {rows} "
                f"for {len(self.edges)} edges, found {sorted(sizes)}."
            )

    @property
    def horizon(self) -> Float[Array, ""]:
        """The last age; where it ends, it stays."""
        return self.edges[-1]

    def at(self, ages: Float[ArrayLike, " n"]) -> PyTree[Array]:
        """States at ``ages``, on a leading axis; at the horizon beyond it.

        Raises:
            ValueError: ages that are not (n,), n >= 1, negative or nan.
        """
        ages = checks.to_real(ages, "ages").astype(self.edges.dtype)
        checks.shape(self, "ages", ages, ("n",))
        if ages.size == 0:
            raise ValueError("AgeTrajectory: expected ages, one at least, found none.")
        checks.non_negative(self, "ages", ages, infinite=True)
        matrix = jnp.asarray(_TO_SERIES, ages.dtype)

        def one(age: Array) -> PyTree[Array]:
            k = jnp.searchsorted(self.edges, age, side="right") - 1
            k = jnp.clip(k, 0, self.edges.shape[0] - 2)
            low, high = self.edges[k], self.edges[k + 1]
            x = jnp.clip(2 * (age - low) / (high - low) - 1, -1, 1)
            basis = [jnp.ones_like(x), x]
            for _ in range(_DEGREE - 1):
                basis.append(2 * x * basis[-1] - basis[-2])
            weights = jnp.stack(basis) @ matrix

            def mix(leaf: Array) -> Array:
                piece = jax.lax.dynamic_slice_in_dim(leaf, k * _DEGREE, _DEGREE + 1)
                return jnp.tensordot(weights.astype(leaf.dtype), piece, axes=1)

            return jax.tree.map(mix, self.states)

        return jax.lax.map(one, ages, batch_size=min(_BATCH, ages.shape[0]))

    def average(
        self,
        law: AbstractRenewalLaw,
        function: Callable[[Any], PyTree[Array]] | None = None,
    ) -> PyTree[Array]:
        r"""Average over the ages of a law: what resets leave in the mean.

        $\int f(\theta(a))\,S(a)/\tau\,da$, and $f(\theta)$ at the horizon for what is
        left of the law; differentiable in the law. ``function`` takes a measure, any
        loss for instance; None is the state itself.

        Raises:
            TypeError: a law that is none, or what is no function.
        """
        checks.instance(self, "law", law, AbstractRenewalLaw, "a renewal law")
        if function is not None:
            checks.function(self, "function", function, "a measure")
        kinks = jnp.clip(law.kinks.astype(self.edges.dtype), 0, self.horizon)
        edges = jnp.sort(jnp.concatenate([self.edges, kinks]))
        nodes, weights = (jnp.asarray(part, edges.dtype) for part in _GAUSS)
        width = (edges[1:] - edges[:-1])[:, None]
        ages = (edges[:-1, None] + width * (nodes + 1) / 2).ravel()
        masses = (width * weights / 2).ravel() * law.age_density(ages)
        ages = jnp.append(ages, self.horizon)
        masses = jnp.append(masses, 1 - jnp.sum(masses))
        values = self.at(ages)
        if function is not None:
            values = eqx.filter_vmap(
                lambda state: function(self.measure.with_state(state))
            )(values)
        return jax.tree.map(lambda leaf: jnp.tensordot(masses, leaf, axes=1), values)

    def sample(
        self, law: AbstractRenewalLaw, key: PRNGKeyArray, n: int
    ) -> PyTree[Array]:
        """States of ``n`` independent draws far from the start, on a leading axis.

        Differentiable in the law, whose ages are reparametrized.

        Raises:
            TypeError: a law that is none, or ``n`` that is not whole.
            ValueError: n < 1.
        """
        checks.instance(self, "law", law, AbstractRenewalLaw, "a renewal law")
        checks.count(self, "n", n)
        return self.at(law.sample_age(key, (n,)))


def age_trajectory(
    flow: AbstractContinuousFlow,
    origin: AbstractMeasure,
    horizon: ArrayLike,
    *,
    panels: int = 24,
    solver: diffrax.AbstractSolver | None = None,
    stepsize_controller: diffrax.AbstractStepSizeController | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
    max_steps: int = 4096,
) -> AgeTrajectory:
    """Solve a flow once, and average it over the ages of any law of resets.

    From ``origin`` for ages up to ``horizon``. Panels double in length, the first two
    of ``horizon`` $2^{1 - panels}$, which must resolve the fastest motion; averages are
    as exact as the solve and take the motion to have ended at the horizon. Energies may
    be anything, and flows of second order.

    Args:
        flow: the motion between resets, without noise.
        origin: the measure that resets lead to.
        horizon: the longest age.
        panels: number of pieces of the time, each with nodes of its own.
        solver: as in ``solve``.
        stepsize_controller: as in ``solve``.
        adjoint: as in ``solve``.
        max_steps: as in ``solve``.

    Raises:
        TypeError: a flow or an origin of another kind, panels or steps that are not
            whole.
        ValueError: a flow with noise, whose trajectory is not one, a horizon that is
            not positive, or too few panels.
    """
    owner = "age_trajectory"
    checks.instance(owner, "flow", flow, AbstractContinuousFlow, "a continuous flow")
    checks.instance(owner, "origin", origin, AbstractMeasure, "a measure")
    checks.count(owner, "panels", panels, 2)
    checks.count(owner, "max_steps", max_steps)
    horizon = checks.to_real(horizon, "horizon")
    checks.shape(owner, "horizon", horizon, ())
    checks.positive(owner, "horizon", horizon)
    if flow.noise(origin) is not None:
        raise ValueError(
            "age_trajectory: expected a flow without noise, found "
            f"{type(flow).__name__}; solve a ResettingFlow instead."
        )
    end = jnp.asarray(horizon, origin.dtype)
    shares = np.append(0.0, 2.0 ** np.arange(1 - panels, 1))
    panel = (shares[:-1, None] + np.diff(shares)[:, None] * (_NODES + 1) / 2)[:, :-1]
    ages = jnp.asarray(np.append(panel.ravel()[1:], 1.0), end.dtype) * end
    later = solve(
        flow,
        origin,
        0.0,
        end,
        times=ages,
        solver=solver,
        stepsize_controller=stepsize_controller,
        adjoint=adjoint,
        max_steps=max_steps,
    ).measures.state
    states = jax.tree.map(
        lambda first, rest: jnp.concatenate([first[None], rest]), origin.state, later
    )
    return AgeTrajectory(origin, jnp.asarray(shares, end.dtype) * end, states)
