"""What one training step is asked to do: architectures, clouds, operations."""

from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """An attention potential in the plane and the snapshots that it learns."""

    width: int
    depth: int
    heads: int
    feedforward: int
    particles: int
    intervals: int
    p: int


# Of arXiv:2605.08550: the ocean forecast in full, and boids over three intervals, since
# PyTorch keeps every pairwise score of every force.
CASES = {
    "reference": Case(256, 4, 1, 64, 400, 10, 2),
    "boids": Case(64, 4, 4, 512, 1000, 3, 1),
    "small": Case(32, 2, 1, 64, 100, 4, 2),
}

FRICTION = 0.1


def clouds(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (T,), snapshots (T, n, 2) of a turning cloud, start velocities (n, 2)."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(case.particles, 2)) * [1, 0.3] + [1.5, 0]
    times = np.arange(case.intervals + 1.0)
    angles = 0.2 * times
    turn = np.array(
        [[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]
    )
    noise = 0.05 * rng.normal(size=(len(times), *first.shape))
    x = np.einsum("cdt,nd->tnc", turn, first) + noise
    velocity = 0.2 * x[0] @ np.array([[0, 1], [-1, 0]])
    return times, x.astype(np.float32), velocity.astype(np.float32)


def operations(case: Case, work: str) -> float:
    r"""Floating-point operations of the matrix products in one step.

    A layer maps n rows by products with its weights, A = 2 n (4 H^2 + 2 H f), and
    mixes them by two n x n products, B = 4 n^2 H. The potential takes A + B. Its slope
    in the points goes back through each: 2A + 3B (a product of two factors that both
    move gives two on the way back). The gradient of a loss of that slope goes back
    through all of this, to weights and points: two more for each, 6A + 9B in all.

    One force for each interval; the one at the end of the rollout, the Sinkhorn
    iterations, the optimizer and what is computed twice to save memory do not count.
    """
    n, h = case.particles, case.width
    linear = 2 * n * (4 * h**2 + 2 * h * case.feedforward)
    mixing = 4 * n**2 * h
    slope = 2 * linear + 3 * mixing
    each = {"forward": slope, "gradient": 3 * slope, "step": 3 * slope}[work]
    return float(case.intervals * case.depth * each)
