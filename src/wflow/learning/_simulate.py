"""Clouds carried forward by a fitted law."""

import math
from typing import Any, TypeVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, instance, one_of, positive, shape
from wflow.energies.neural import TimeEmbedding
from wflow.flows import AbstractContinuousFlow, LagrangianFlow
from wflow.flows.base import noise_kind
from wflow.flows.independent import is_linear, moves_alone
from wflow.flows.sums import split_growth
from wflow.measures import Particles, Phase
from wflow.parameters.learnable import unwrap
from wflow.solvers import DampedLeapfrog, solve
from wflow.transport import optimal_plan

from .clock import read_times, resolved, shown
from .kinds import is_kinetic
from .scales import check_scales
from .snapshots import Snapshots
from .steppers import has_leapfrog


Flow = TypeVar("Flow")

# Steps of a rollout of training, from the first snapshot to the last.
_MOST_TRAINING = 10_000
# Steps of a simulation.
_MOST = 1_000_000
# Rows up to which padding is sooner done than another program is compiled.
_MOST_PADDED = 4096
# Parts of a simulation without a step that its precision has to tell apart.
_TOLD_APART = 1000


def simulate(
    flow: AbstractContinuousFlow,
    start: Snapshots,
    times: Float[ArrayLike, " T"],
    step: float | None,
    *,
    consistent: bool = True,
    key: PRNGKeyArray | None = None,
    padding: int | None = None,
) -> Snapshots:
    """Move one cloud along a law to later times.

    By the method that training takes for the flow. Where the flow changes weights the
    clouds are weighted, and their masses are those of the population. Where particles
    move alone, a cloud can be padded by copies without weight: clouds of several sizes
    then take one compiled program.

    Times so far from zero that the precision of the cloud does not tell steps apart
    are taken from the start on: a flow that does not depend on time moves as ever.

    Args:
        flow: the law of motion.
        start: one cloud, with its velocities if the flow moves them.
        times: increasing, ``(T,)``, not before the start.
        step: steps are at most as long, a million of them at most; None leaves them to
            ``solve``.
        consistent: form of the leapfrog; see ``wflow.flows.leapfrog.leapfrog_step``.
        key: of the noise of a flow that has any, by default always the same.
        padding: rows that the cloud is padded to where particles move alone, without
            noise; None and what is smaller than the cloud leave it as it is.

    Returns:
        The cloud at the times, with its velocities if they move.

    Raises:
        TypeError: an argument of another kind, dates among the times.
        ValueError: times not finite, not increasing, or before the start; more than a
            million steps; a start without velocities that the flow needs or whose
            coordinates its precision does not resolve; a flow that depends on time
            where the times are not told apart.
        SolveError: the cloud left the reals; the sentence says when.
    """
    instance("simulate", "flow", flow, AbstractContinuousFlow, "a flow without jumps")
    one_of("simulate", "consistent", consistent, (True, False))
    instance("simulate", "start", start, Snapshots, "Snapshots")
    if len(start) != 1:
        raise ValueError(
            f"simulate: expected start of one snapshot, found {len(start)}."
        )
    if step is not None:
        shape("simulate", "step", step, ())
        positive("simulate", "step", step)
    if padding is not None:
        count("simulate", "padding", padding)
    begin = float(start.times[0])
    times = read_times("simulate", "times", times)
    if times[0] < begin:
        raise ValueError(
            f"simulate: expected increasing times from {shown(begin, times[0])} on, "
            f"that of the start, found {shown(times[0], begin)}."
        )
    if step is not None and (times[-1] - begin) / step > _MOST:
        raise ValueError(
            f"simulate: expected times within {_MOST:,} steps of {step:g} from the "
            f"start at {shown(begin, times[-1])}, found {shown(times[-1], begin)}; "
            "take larger steps."
        )
    x, v = start[0], start.velocity(0)
    masses = start.weight(0) * start.mass(0)
    n, w = len(x), masses.astype(x.dtype)
    law = Particles.from_samples(jnp.asarray(x), w)
    mu: Particles | Phase = law
    if is_kinetic(flow, law, v is not None):
        if v is None:
            raise ValueError("simulate: expected start with velocities, found none.")
        mu = Phase(law, jnp.asarray(v))
    if padding is not None and n < padding <= _MOST_PADDED and _alone(flow, mu):
        rows = np.arange(padding) % n
        w = np.where(np.arange(padding) < n, w[rows], 0)
        law = Particles.from_samples(jnp.asarray(x[rows]), w)
        mu = Phase(law, mu.velocity[rows]) if isinstance(mu, Phase) else law
    check_scales("simulate", start.clouds, mu.dtype)
    ahead, zero = times, begin
    longest = (times[-1] - begin) / _TOLD_APART if step is None else step
    if not resolved(np.append(times, begin), longest, mu.dtype):
        if depends_on_time(flow, mu, [begin, times[-1]]):
            raise ValueError(_untold("simulate", [begin, *times], longest, mu.dtype))
        ahead, zero = times - begin, 0.0
    if times[-1] == begin:
        states = jax.tree.map(lambda leaf: leaf[None], mu)
    else:
        noisy = unwrap(flow).noise(mu, zero) is not None
        key = jax.random.key(0) if key is None and noisy else key
        states = solve(
            flow,
            mu,
            zero,
            ahead[-1],
            times=ahead,
            solver=_solver(flow, mu, step, noisy, consistent),
            dt0=step,
            key=key if noisy else None,
        ).measures
    states = jax.tree.map(lambda leaf: np.asarray(leaf)[:, :n], states)
    moved = states.measure if isinstance(states, Phase) else states
    xs, vs = list(np.asarray(moved.x)), None
    if isinstance(states, Phase):
        vs = list(np.asarray(states.velocity))
    logw = np.asarray(moved.logw)
    if split_growth(flow)[1] is not None or (logw != np.asarray(law.logw)[:n]).any():
        ws = np.repeat(masses[None], len(times), axis=0)
        if times[-1] != begin:
            ws = np.exp(logw.astype(np.float64))
        return Snapshots(times, xs, vs, list(ws), ws.sum(axis=1))
    weights = None if start.weights is None else [start.weights[0]] * len(times)
    still = None if start.masses is None else [start.mass(0)] * len(times)
    return Snapshots(times, xs, vs, weights, still)


def _alone(flow: AbstractContinuousFlow, mu: Particles | Phase) -> bool:
    """Whether particles feel nothing of each other, and no noise either."""
    if isinstance(flow, LagrangianFlow):
        return is_linear(flow.energy)
    return moves_alone(flow) and noise_kind(unwrap(flow), mu) is None


def _solver(
    flow: AbstractContinuousFlow,
    mu: Particles | Phase,
    step: float | None,
    noisy: bool,
    consistent: bool,
) -> diffrax.AbstractSolver | None:
    """The method of rollouts, or None for what ``solve`` takes."""
    if isinstance(mu, Phase) and has_leapfrog(flow):
        return DampedLeapfrog(consistent)
    return None if step is None or noisy else diffrax.Heun()


def carried(
    flow: AbstractContinuousFlow,
    start: Snapshots,
    target: Snapshots,
    step: float | None,
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
    shape("fit", "dt0", dt0, ())
    positive("fit", "dt0", dt0)
    return float(dt0)


def check_steps(times: Float[np.ndarray, " T"], step: float) -> None:
    """Refuse a training whose rollouts would take too many steps.

    Raises:
        ValueError: more than 10,000; the sentence names the smallest gap.
    """
    gaps = np.diff(times)
    count = math.fsum(np.ceil(gaps / step))
    if count > _MOST_TRAINING:
        k = int(np.argmin(gaps))
        raise ValueError(
            f"fit: expected times that take at most {_MOST_TRAINING:,} steps of dt0 / "
            f"substeps, found {count:,.0f} of {step:.3g}: times "
            f"{shown(times[k], times[k + 1])} and {shown(times[k + 1], times[k])} are "
            "the closest; join snapshots that all but coincide, or give a larger dt0."
        )


def check_times(
    flow: Any,
    mu: Particles | Phase,
    times: Float[np.ndarray, " T"],
    step: float,
    moving: bool,
) -> None:
    """Refuse times that a flow depends on and the precision does not tell apart.

    Args:
        flow: the law of motion.
        mu: a measure that it acts on.
        times: of the snapshots.
        step: the time step.
        moving: whether something else than the flow depends on time.

    Raises:
        ValueError: there are such times.
    """
    dtype = mu.dtype
    if not resolved(times, step, dtype) and (
        moving or depends_on_time(flow, mu, [times[0], times[-1]])
    ):
        raise ValueError(_untold("fit", times, step, dtype))


def _untold(owner: str, times: Any, step: float, dtype: np.dtype) -> str:
    return (
        f"{owner}: expected times that {dtype} tells apart, since the flow depends on "
        f"time, found steps of {step:.3g} around {shown(np.abs(times).max())}; take "
        "times from the first snapshot on."
    )


def _is_embedding(node: Any) -> bool:
    return isinstance(node, TimeEmbedding)


def embeds_time(flow: Any) -> bool:
    """Whether a network of the flow has an embedding of time."""
    return any(map(_is_embedding, jax.tree.leaves(flow, is_leaf=_is_embedding)))


def held(flow: Flow, until: float) -> Flow:
    """The flow whose networks take times after ``until`` for it.

    What a network makes of times that no snapshot has taught it is arbitrary.
    """

    def limited(node: Any) -> Any:
        if not _is_embedding(node):
            return node
        last = jnp.asarray(until, node.first.weight.dtype)
        none = lambda leaf: leaf is None
        return eqx.tree_at(lambda e: e.until, node, last, is_leaf=none)

    return jax.tree.map(limited, flow, is_leaf=_is_embedding)


def depends_on_time(flow: Any, mu: Particles | Phase, times: Any) -> bool:
    """Whether the flow moves ``mu`` differently at some of ``times``, or at zero."""
    if embeds_time(flow):
        return True
    law = unwrap(flow)
    rates = [
        jax.tree.leaves(law.velocity(mu, jnp.asarray(time, mu.dtype)))
        for time in (0.0, *times)
    ]
    return any(
        not np.array_equal(a, b, equal_nan=True)
        for later in rates[1:]
        for a, b in zip(rates[0], later, strict=True)
    )
