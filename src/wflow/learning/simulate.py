"""Clouds carried forward by a fitted law."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from wflow.flows import LagrangianFlow, SumFlow, split_growth
from wflow.measures import Particles, Phase
from wflow.solve import DampedLeapfrog, solve
from wflow.transport import optimal_plan

from .snapshots import Snapshots


def simulate(
    flow: LagrangianFlow | SumFlow,
    start: Snapshots,
    times: Float[ArrayLike, " T"],
    step: float,
    *,
    consistent: bool = True,
) -> Snapshots:
    """The one cloud of ``start``, with its velocities, at later ``times``.

    Steps of the damped leapfrog, at most ``step`` long. Where the flow has growth the
    clouds are weighted, and their masses are those of the population.

    Raises:
        ValueError: times not finite, not increasing, or before the start.
        SolveError: the cloud left the reals; the sentence says when.
    """
    begin = float(start.times[0])
    times = np.atleast_1d(np.asarray(times, np.float64))
    if times.ndim != 1 or times.size == 0 or not np.isfinite(times).all():
        raise ValueError(f"expected finite times of shape (T,), found {times}.")
    if times[0] < begin or (np.diff(times) <= 0).any():
        raise ValueError(f"expected increasing times from {begin:g} on, found {times}.")
    x, v = start[0], start.velocity(0)
    if v is None:
        raise ValueError("simulate: the start has no velocities.")
    masses = start.weight(0) * start.mass(0)
    phase = Phase(
        Particles.from_samples(jnp.asarray(x), masses.astype(x.dtype)), jnp.asarray(v)
    )
    grows = split_growth(flow)[1] is not None
    ws = np.repeat(masses[None], len(times), axis=0)
    if times[-1] == begin:
        xs, vs = x[None], v[None]
    else:
        solution = solve(
            flow,
            phase,
            begin,
            times[-1],
            times=times,
            solver=DampedLeapfrog(consistent),
            dt0=step,
        )
        xs = np.asarray(solution.measures.measure.x)
        vs = np.asarray(solution.measures.velocity)
        if grows:
            ws = np.exp(np.asarray(solution.measures.measure.logw, np.float64))
    if grows:
        return Snapshots(times, list(xs), list(vs), list(ws), ws.sum(axis=1))
    weights = None if start.weights is None else [start.weights[0]] * len(times)
    still = None if start.masses is None else [start.mass(0)] * len(times)
    return Snapshots(times, list(xs), list(vs), weights, still)


def carried(
    flow: LagrangianFlow | SumFlow,
    start: Snapshots,
    target: Snapshots,
    step: float,
    *,
    consistent: bool = True,
) -> Float[np.ndarray, "n d"]:
    """Velocities for the cloud of ``target``, from a rollout that begins at ``start``.

    Each point takes the mean velocity of the simulated points that the optimal plan
    moves onto it.
    """
    arrived = simulate(flow, start, target.times, step, consistent=consistent)
    plan = optimal_plan(arrived[0], target[0], arrived.weight(0), target.weight(0))
    mass = plan.sum(axis=0)[:, None]
    mean = plan.T @ arrived.velocity(0) / np.where(mass > 0, mass, 1)
    return mean.astype(target.dtype)


def largest_step(times: Float[np.ndarray, " T"], dt0: float | None) -> float:
    """``dt0``, by default the smallest gap between ``times``.

    Raises:
        ValueError: dt0 <= 0.
    """
    if dt0 is None:
        return float(np.diff(times).min())
    if not (dt0 > 0 and math.isfinite(dt0)):
        raise ValueError(f"fit: expected dt0 > 0, found {dt0}.")
    return float(dt0)
