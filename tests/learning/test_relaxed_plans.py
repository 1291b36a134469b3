"""Plans with entropy, and between marginals that are only nearly met."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from wflow.learning.relaxed_plans import relaxed_plan, sharpened


def test_two_points_couple_by_a_softmax():
    cost, half = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.5, 0.5])
    plan = relaxed_plan(cost, half, half, epsilon=0.7, threshold=1e-10)
    stays = 0.5 / (1 + math.exp(-1 / 0.7))
    np.testing.assert_allclose(plan, [[stays, 0.5 - stays], [0.5 - stays, stays]])


@pytest.mark.parametrize("penalty", [0.4, 3.0])
def test_a_single_pair_keeps_what_it_can_pay(penalty):
    # The derivative of the functional in the one mass is zero.
    a, b, cost, epsilon = 2.0, 0.5, 0.8, 0.1
    plan = relaxed_plan(
        np.array([[cost]]),
        np.array([a]),
        np.array([b]),
        epsilon=epsilon,
        penalty=penalty,
        threshold=1e-12,
    )
    expected = math.sqrt(a * b) * math.exp(-cost / (2 * penalty + epsilon))
    np.testing.assert_allclose(plan, [[expected]], rtol=1e-6)


def test_a_plan_is_sharpened_to_the_one_it_blurs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 2))
    order = rng.permutation(8)
    y = x[order] + 0.1
    cost = cdist(x, y, "sqeuclidean")
    mass = np.full(8, 0.25)
    blurred = relaxed_plan(cost, mass, mass, epsilon=0.3)
    plan = sharpened(blurred, cost)
    np.testing.assert_allclose(plan.sum(1), blurred.sum(1), atol=1e-3)
    assert (plan.argmax(axis=1) == np.argsort(order)).all()
    # A shift is optimal: nothing is left of the blur but rounding of the marginals.
    assert plan.max(axis=1).sum() > 0.99 * plan.sum()
