"""A noisy linear flow that is reset: in closed form, and simulated."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.energies import Potential
from wflow.flows import AbstractRenewalLaw, Diffusion, GradientFlow, ResettingFlow
from wflow.geometries import Wasserstein
from wflow.measures import Particles
from wflow.regression import stationary_moments
from wflow.regression.moments import StationaryMoments
from wflow.regression.resets import drawn_resets
from wflow.solvers import solve


class Process(NamedTuple):
    r"""A linear process that is reset to an origin at random times.

    $d\theta = -(A\theta - b)\,dt + Q^{1/2}dW$.

    Attributes:
        law: of the time between resets.
        curvature: A.
        linear: b.
        noise: Q.
        origin: where it is reset to.
    """

    law: AbstractRenewalLaw
    curvature: Float[np.ndarray, "d d"]
    linear: Float[np.ndarray, " d"]
    noise: Float[np.ndarray, "d d"]
    origin: Float[np.ndarray, " d"]

    @property
    def exact(self) -> StationaryMoments:
        """Mean and covariance in closed form."""
        return stationary_moments(
            self.law, self.curvature, self.linear, self.origin, noise=self.noise
        )

    def _flows(self) -> tuple[ResettingFlow, ResettingFlow, Float[Array, "d d"]]:
        """Without noise and with it, along the axes of Q, where noise is diagonal."""
        variances, axes = jnp.linalg.eigh(jnp.array(self.noise))
        A = axes.T @ jnp.array(self.curvature) @ axes
        b = axes.T @ jnp.array(self.linear)
        quadratic = Potential(lambda x: x @ (A @ x) / 2 - b @ x)
        still = GradientFlow(quadratic, Wasserstein())
        noisy = still + Diffusion(jnp.sqrt(jnp.maximum(variances, 0)))
        start = axes.T @ jnp.array(self.origin)
        return (
            ResettingFlow(still, self.law, start),
            ResettingFlow(noisy, self.law, start),
            axes,
        )

    def draws(
        self, n: int, time: float, steps: int, key: PRNGKeyArray
    ) -> list[Float[Array, "n d"]]:
        """States at a time without noise and with it, at the same ages."""
        *flows, axes = self._flows()
        times = jnp.array([time])
        dt0 = float(times[0]) / steps
        # The key draws the clocks first, so both have the same.
        return [_solved(flow, n, times, dt0, key)[0] @ axes.T for flow in flows]

    def paths(
        self, times: Float[Array, " m"], key: PRNGKeyArray
    ) -> tuple[Float[Array, " k"], Float[Array, "2 m d"]]:
        """Times of resets, and with them a path without noise and one with it."""
        *flows, axes = self._flows()
        resets = drawn_resets(
            self.law, 0.0, times[-1], key=key, shape=(1,), max_resets=len(times)
        )
        dt0 = float(times[1]) / 4
        paths = [
            _solved(resets.flow_with(flow), 1, times, dt0, key)[:, 0] @ axes.T
            for flow in flows
        ]
        return resets.epochs[0], jnp.stack(paths)


def _solved(
    flow: ResettingFlow,
    n: int,
    times: Float[Array, " m"],
    dt0: float,
    key: PRNGKeyArray,
) -> Float[Array, "m n d"]:
    """States of n processes that begin at the origin."""
    start = Particles.from_samples(jnp.tile(flow.origin, (n, 1)))
    last = float(times[-1])
    return solve(flow, start, 0.0, last, times=times, dt0=dt0, key=key).measures.x
