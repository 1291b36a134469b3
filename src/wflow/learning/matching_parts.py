"""What ``FlowMatching`` finds out by itself: kind of law, growth, noise, lengths."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from wflow.flows import AbstractContinuousFlow, GradientFlow
from wflow.flows.sums import SumFlow
from wflow.geometries import HellingerKantorovich
from wflow.measures import Particles, Phase
from wflow.parameters.learnable import unwrap

from .couplings import ExactOT, spread
from .kinds import acts_on, is_kinetic
from .pairs import ballistic, masses, plan_between
from .snapshots import Snapshots
from .trained import parted


# Masses that differ by less are the same.
_SAME = 1e-6
# Points that say what a law does.
_FEW = 4


def moving(snapshots: Snapshots) -> bool:
    """Whether every snapshot carries velocities."""
    return all(snapshots.velocity(k) is not None for k in range(len(snapshots)))


def growing(snapshots: Snapshots) -> bool:
    """Whether the masses of the snapshots differ."""
    found = snapshots.masses
    return found is not None and bool(np.ptp(found) > _SAME * found.max())


def is_second_order(
    flow: AbstractContinuousFlow,
    snapshots: Snapshots,
    target: Literal["velocity", "acceleration"] | None,
) -> bool:
    """Whether the flow is met on a ``Phase``, by its acceleration.

    Raises:
        ValueError: the flow does not have this target.
    """
    law, time = _cloud(snapshots), float(snapshots.times[0])
    if target is None:
        return is_kinetic(flow, law, snapshots.velocities is not None)
    kinetic = target == "acceleration"
    if not acts_on(flow, Phase.at_rest(law) if kinetic else law, time):
        other = "Particles" if kinetic else "a Phase"
        raise ValueError(
            "FlowMatching: expected a target that the flow has, found "
            f"{target!r}: {type(flow).__name__} acts on {other} alone."
        )
    return kinetic


def changes_weights(
    flow: AbstractContinuousFlow, snapshots: Snapshots, kinetic: bool
) -> bool:
    """Whether the flow, as it is or once it is trained, changes weights."""
    mu, time = start(snapshots, kinetic), jnp.asarray(float(snapshots.times[0]))
    found = _rates(flow, mu, time)
    return any(bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(found))


@eqx.filter_jit
def _rates(flow: Any, mu: Particles | Phase, time: Array) -> tuple[Array, Any]:
    """A sum of the rates of log-weights, and its slope in the parameters of a flow."""
    kinetic = isinstance(mu, Phase)
    # Unlike factors: a rate that keeps the mass, or is zero until trained, has a slope.
    count = len(mu.measure.x if isinstance(mu, Phase) else mu.x)
    factors = jnp.arange(1.0, _FEW + 1)[:count]

    def rates(flow: Any) -> Array:
        state = unwrap(flow).velocity(mu, time)
        rate = (state[0] if kinetic else state)[1]
        return jnp.sum(factors.astype(rate.dtype) * rate)

    return eqx.filter_value_and_grad(rates)(flow)


def amplitude(
    flow: AbstractContinuousFlow, snapshots: Snapshots, kinetic: bool
) -> float | None:
    r"""The amplitude $\sigma$ of the flow's noise, None where it has none.

    Raises:
        ValueError: it acts on velocities, has no one strength, or is to be learned.
    """
    mu, name = start(snapshots, kinetic), type(flow).__name__
    noise = unwrap(flow).noise(mu)
    if noise is None:
        return None
    if kinetic:
        raise ValueError(
            f"FlowMatching: the noise of {name} acts on velocities, whose score no "
            "path knows; train it with Rollouts."
        )
    spread = noise.on(mu)
    rows = spread[0] if isinstance(spread, tuple) else None
    if rows is None or noise.kind != "additive" or jnp.ptp(rows) > 0:
        raise ValueError(
            "FlowMatching: expected noise of one strength, the same everywhere, "
            f"found another of {name}; train it with Rollouts."
        )
    params, held = parted(flow)
    strength = lambda p: jnp.sum(unwrap(eqx.combine(p, held)).noise(mu).on(mu)[0])
    if any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(jax.grad(strength)(params))):
        raise ValueError(
            f"FlowMatching: the strength of the noise of {name} cannot be learned by "
            "matching, which meets every strength alike; give it as a number, or train "
            "with Rollouts."
        )
    return float(rows.ravel()[0]) or None


def natural_length(
    flow: AbstractContinuousFlow,
    snapshots: Snapshots,
    block: int,
    rng: np.random.Generator,
) -> float:
    r"""The length $\delta$ that weighs travel against growth where none is given.

    That of the flow's own geometry, $\sqrt{\alpha/\beta}$ of a
    ``HellingerKantorovich``; where snapshots carry velocities the root mean square of
    what these leave to travel, by exact plans between the shapes; else the spread of
    all snapshots pooled.
    """
    parts = flow.parts if isinstance(flow, SumFlow) else (flow,)
    for part in parts:
        if isinstance(part, GradientFlow) and isinstance(
            part.geometry, HellingerKantorovich
        ):
            ratio = unwrap(part.geometry).alpha / unwrap(part.geometry).beta
            if 0 < float(ratio) < np.inf:
                return float(ratio) ** 0.5
    every = range(len(snapshots))
    if moving(snapshots):
        squares = []
        for k in every[:-1]:
            plan = plan_between(ExactOT(), snapshots, k, k + 1, block, rng)
            x, y = ballistic(snapshots, k, k + 1)
            r2 = np.sum((x[plan.i] - y[plan.j]) ** 2, axis=1)
            squares.append(plan.start @ r2 / plan.start.sum())
        if np.mean(squares) > 0:
            return float(np.sqrt(np.mean(squares)))
    return spread(list(snapshots.clouds), [masses(snapshots, k) for k in every])


def _cloud(snapshots: Snapshots) -> Particles:
    """A few points of the first snapshot."""
    dtype = jax.dtypes.canonicalize_dtype(snapshots.dtype)
    return Particles.from_samples(jnp.asarray(snapshots[0][:_FEW], dtype))


def start(snapshots: Snapshots, kinetic: bool) -> Particles | Phase:
    """A few points of the first snapshot, at rest where the flow has velocities."""
    law = _cloud(snapshots)
    return Phase.at_rest(law) if kinetic else law
