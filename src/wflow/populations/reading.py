"""What a fitted energy says: external potential, pair force, temperature, numbers."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import count as whole
from wflow.checks import instance, non_negative, shape, to_real
from wflow.energies import (
    AbstractEnergy,
    Entropy,
    Interaction,
    MLPPotential,
    PairPotential,
    Potential,
)
from wflow.energies.base import Scaled, Sum
from wflow.learning import Snapshots
from wflow.measures import Particles
from wflow.parameters.learnable import unwrap

from .fields import force_field


class Parts(NamedTuple):
    """An energy in its readable parts, each a sum; None where it has none.

    ``rest`` holds what is none of the three, such as an ``AttentionPotential``: its
    landscape is that of the population as a whole, see ``landscape``.
    """

    external: AbstractEnergy | None
    pair: AbstractEnergy | None
    entropy: AbstractEnergy | None
    rest: AbstractEnergy | None


def parts(energy: AbstractEnergy) -> Parts:
    """``energy`` taken apart, its learned parameters as numbers.

    Raises:
        TypeError: it is no energy.
    """
    instance("parts", "energy", energy, AbstractEnergy, "an energy")
    found: dict[str, list[AbstractEnergy]] = {name: [] for name in Parts._fields}
    for term in _terms(unwrap(energy)):
        match _core(term):
            case Potential() | MLPPotential():
                found["external"].append(term)
            case Interaction() | PairPotential():
                found["pair"].append(term)
            case Entropy():
                found["entropy"].append(term)
            case _:
                found["rest"].append(term)
    return Parts(*(_joined(terms) for terms in found.values()))


def _terms(energy: AbstractEnergy) -> list[AbstractEnergy]:
    if isinstance(energy, Sum):
        return [term for part in energy.parts for term in _terms(part)]
    if isinstance(energy, Scaled):
        return [Scaled(energy.factor, term) for term in _terms(energy.energy)]
    return [energy]


def _core(term: AbstractEnergy) -> AbstractEnergy:
    return _core(term.energy) if isinstance(term, Scaled) else term


def _joined(terms: list[AbstractEnergy]) -> AbstractEnergy | None:
    if len(terms) > 1:
        return Sum(tuple(terms))
    return terms[0] if terms else None


class Profile(NamedTuple):
    r"""Potential $\varphi$ and force $-\varphi'$ between two particles.

    The force is positive where they repel. In a population of n particles of mass 1/n
    each feels 1/n of it from every other one.
    """

    distances: Float[np.ndarray, " m"]
    potential: Float[np.ndarray, " m"]
    force: Float[np.ndarray, " m"]


def interaction_profile(
    energy: AbstractEnergy, distances: Float[ArrayLike, " m"], *, dim: int = 2
) -> Profile | None:
    r"""Pair potential against distance: how two particles attract or repel each other.

    $\varphi(r) = F(\delta_x + \delta_y) - F(\delta_x) - F(\delta_y)$, |x - y| = r, of
    the pair part of ``energy``, whatever its form; None if it has none.

    Args:
        energy: such as a learned one.
        distances: r, ``(m,)``.
        dim: dimension of the space.

    Raises:
        TypeError: no energy, distances that are no numbers, dim that is not whole.
        ValueError: distances < 0 or not finite, or dim below one.
    """
    instance("interaction_profile", "energy", energy, AbstractEnergy, "an energy")
    r = to_real(distances, "distances")
    shape("interaction_profile", "distances", r, ("m",))
    non_negative("interaction_profile", "distances", r)
    whole("interaction_profile", "dim", dim)
    pair = parts(energy).pair
    if pair is None:
        return None
    r = r.astype(jnp.result_type(r, float))
    potential, slope = _profile(pair, r, dim)
    return Profile(np.asarray(r), np.asarray(potential), -np.asarray(slope))


@eqx.filter_jit
def _profile(pair: Any, r: Array, dim: int) -> tuple[Array, Array]:
    def between(r: Array) -> Array:
        x = jnp.zeros((2, dim), r.dtype).at[1, 0].set(r)
        one, both = jnp.array([0.0, -jnp.inf], r.dtype), jnp.zeros(2, r.dtype)
        alone = pair.value(Particles(x, one)) + pair.value(Particles(x, one[::-1]))
        return pair.value(Particles(x, both)) - alone

    return jax.vmap(jax.value_and_grad(between))(r)


def temperature(energy: AbstractEnergy) -> float | None:
    """The coefficient of the entropy in ``energy``; None if it has none.

    Raises:
        TypeError: it is no energy.
    """
    instance("temperature", "energy", energy, AbstractEnergy, "an energy")
    entropy = parts(energy).entropy
    if entropy is None:
        return None
    return sum(_temperature(term) for term in _terms(entropy))


def _temperature(term: AbstractEnergy) -> float:
    if isinstance(term, Scaled):
        return float(term.factor) * _temperature(term.energy)
    return float(term.temperature) if isinstance(term, Entropy) else 0.0


def coefficients(energy: AbstractEnergy) -> dict[str, float]:
    """Read a learned energy: its parameters that have a name and a meaning.

    ``temperature``, ``external x1^2``, ``pair depth``, ...: of ``Polynomial``,
    ``Morse``, ``GaussianProfile`` and ``Power``. The amplitudes of bumps and the
    weights of a network say nothing one by one: see the profile and the landscape.

    Raises:
        TypeError: it is no energy.
    """
    instance("coefficients", "energy", energy, AbstractEnergy, "an energy")
    energy = unwrap(energy)
    found: dict[str, float] = {}
    for term in _terms(energy):
        match _core(term):
            case Potential(potential=function):
                owner = "external"
            case Interaction(pair=function):
                owner, function = "pair", getattr(function, "profile", None)
            case _:
                continue
        for name, value in getattr(function, "numbers", {}).items():
            key, copies = f"{owner} {name}", 1
            while key in found:
                copies += 1
                key = f"{owner} {name} ({copies})"
            found[key] = float(value)
    tau = temperature(energy)
    return found if tau is None else {"temperature": tau, **found}


class ReadingErrors(NamedTuple):
    r"""Relative errors $(\sum_i |f_i - f^*_i|^2 / \sum_i |f^*_i|^2)^{1/2}$ of forces.

    ``external`` over the points of the snapshots, ``pair`` over the distances between
    points of one snapshot; None where the truth has no such part.
    """

    external: float | None
    pair: float | None


def reading_errors(
    energy: AbstractEnergy,
    truth: AbstractEnergy,
    snapshots: Snapshots,
    *,
    seed: int = 0,
    points: int = 2000,
) -> ReadingErrors:
    """How far the forces of ``energy`` are from those of ``truth``, where data are.

    Raises:
        TypeError: no energies, no snapshots, or numbers that are not whole.
        ValueError: no snapshot has two points.
    """
    instance("reading_errors", "energy", energy, AbstractEnergy, "an energy")
    instance("reading_errors", "truth", truth, AbstractEnergy, "an energy")
    instance("reading_errors", "snapshots", snapshots, Snapshots, "Snapshots")
    whole("reading_errors", "seed", seed, 0)
    whole("reading_errors", "points", points)
    found, known = parts(energy), parts(truth)
    rng = np.random.default_rng(seed)
    pooled = np.concatenate(snapshots.clouds)
    rows = rng.permutation(len(pooled))[:points]
    x = pooled[rows]
    cloud = Particles.from_samples(jnp.asarray(x))
    r = pair_distances(snapshots, seed=seed, count=points)

    def external(part: AbstractEnergy | None) -> np.ndarray:
        return np.zeros_like(x) if part is None else force_field(part, cloud, x)

    def pair(part: AbstractEnergy | None) -> np.ndarray:
        if part is None:
            return np.zeros_like(r)
        return np.asarray(_profile(part, jnp.asarray(r), snapshots.dim)[1])

    return ReadingErrors(
        None
        if known.external is None
        else _relative(external(found.external), external(known.external)),
        None if known.pair is None else _relative(pair(found.pair), pair(known.pair)),
    )


def _relative(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def pair_distances(
    snapshots: Snapshots, *, seed: int = 0, count: int = 2000
) -> Float[np.ndarray, " m"]:
    """Distances between random points of the same snapshot, ``count`` over all.

    Raises:
        ValueError: no snapshot has two points.
    """
    instance("pair_distances", "snapshots", snapshots, Snapshots, "Snapshots")
    whole("pair_distances", "seed", seed, 0)
    whole("pair_distances", "count", count)
    rng = np.random.default_rng(seed)
    several = [cloud for cloud in snapshots.clouds if len(cloud) > 1]
    if not several:
        raise ValueError("pair_distances: expected a snapshot of two points or more.")
    each = -(-count // len(several))
    distances = []
    for cloud in several:
        i = rng.integers(len(cloud), size=each)
        j = (i + rng.integers(1, len(cloud), size=each)) % len(cloud)
        distances.append(np.linalg.norm(cloud[i] - cloud[j], axis=1))
    return np.concatenate(distances)
