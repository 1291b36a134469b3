"""Which path a population follows, told from its training snapshots alone."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from wflow.transport import w1

from .matching_paths import AbstractPath, Coupled, SplinePath, StraightPath
from .pairs import Coupling, drawn, plan_between, systematic
from .snapshots import Snapshots


# Points of a snapshot that are looked at, and pairs that are to meet it: exact
# distances and plans between some hundred points tell paths apart.
_POINTS = 500


def chosen_path(
    snapshots: Snapshots, coupling: Coupling, rng: np.random.Generator
) -> AbstractPath:
    """``StraightPath`` or ``SplinePath``: the one that meets what is held out.

    Each inner snapshot is held out in turn and reached by either path through the
    others, nothing trained; the least mean exact $W_1$ wins. Fewer than four snapshots
    give a straight path: through the two that are left a spline is none.
    """
    paths = (StraightPath(), SplinePath())
    if len(snapshots) < 4:
        return paths[0]
    errors = path_errors(snapshots, paths, coupling, rng)
    return paths[int(np.argmin(errors))]


def path_errors(
    snapshots: Snapshots,
    paths: Sequence[AbstractPath],
    coupling: Coupling,
    rng: np.random.Generator,
) -> Float[np.ndarray, " paths"]:
    """Exact $W_1$ of paths through all others to each inner snapshot, on average.

    Nothing is trained. Masses that paths carry are weights.

    Args:
        snapshots: three at least.
        paths: between pairs, each of the same ones.
        coupling: of neighboring snapshots.
        rng: draws points of large clouds, and pairs.
    """
    seen = _thinned(snapshots, rng)
    couple = lambda these, k: plan_between(coupling, these, k, k + 1, _POINTS, rng)
    plans = [couple(seen, k) for k in range(len(seen) - 1)]
    errors = np.zeros(len(paths))
    key, dtype = jax.random.key(0), jnp.result_type(float)
    for j in range(1, len(seen) - 1):
        others = seen.take([k for k in range(len(seen)) if k != j])
        through = [*plans[: j - 1], couple(others, j - 1), *plans[j + 1 :]]
        pairs = drawn(others, through, j - 1, _POINTS, rng)
        before, after = others.times[j - 1 : j + 1]
        for i, path in enumerate(paths):
            ((v0, v1),) = path.slopes([pairs], key)
            parts = *pairs.ends, v0, v1, pairs.start, pairs.end, after - before
            coupled = Coupled._make(jnp.asarray(part, dtype) for part in parts)
            share = jnp.asarray((seen.times[j] - before) / (after - before), dtype)
            place = path.sample(coupled, share, key)
            mass = np.asarray(place.logm)
            errors[i] += w1(place.x, seen[j], np.exp(mass - mass.max()), seen.weight(j))
    return errors / (len(seen) - 2)


def _thinned(snapshots: Snapshots, rng: np.random.Generator) -> Snapshots:
    """At most so many points of every cloud, drawn by weight."""
    if max(snapshots.sizes) <= _POINTS:
        return snapshots
    rows = [
        systematic(snapshots.weight(k), min(len(x), _POINTS), rng)
        for k, x in enumerate(snapshots.clouds)
    ]
    clouds = [x[row] for x, row in zip(snapshots.clouds, rows, strict=True)]
    return Snapshots(snapshots.times, clouds, masses=snapshots.masses)
