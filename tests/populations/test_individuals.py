"""Who became whom, on arrays whose answer is known."""

import numpy as np
import pytest

from wflow.populations.individuals import cosine, followed, kept, overlap


RNG = np.random.default_rng(0)
START = RNG.normal(size=(30, 2))
STEP = np.array([3.0, 4.0])


def test_individuals_that_arrive_and_that_are_exchanged():
    there = followed(START, START + STEP, START + STEP)
    np.testing.assert_allclose(there, [0, 5, 1], atol=1e-12)
    stayed = followed(START, START, START + STEP)
    np.testing.assert_allclose(stayed, [5, 5, 0], atol=1e-12)
    # The same cloud with its rows exchanged: no distance of clouds sees it.
    swapped = followed(START, (START + STEP)[::-1], START + STEP)
    apart = np.linalg.norm(START[::-1] - START, axis=1).mean()
    np.testing.assert_allclose(swapped.error, apart)
    assert swapped.cosine < 1
    with pytest.raises(ValueError, match="truth"):
        followed(START, START, START[:3])


def test_fields_are_compared_by_direction():
    turned = START @ [[0.0, 1.0], [-1.0, 0.0]]
    np.testing.assert_allclose(cosine(START, 7 * START), 1)
    np.testing.assert_allclose(cosine(START, -START), -1)
    np.testing.assert_allclose(cosine(START, turned), 0, atol=1e-12)
    assert cosine(START, 0 * START) == 0


def test_mass_within_clones():
    clones = np.array(list("aabbc"))
    later = np.array(list("abbdd"))
    same = clones[:, None] == later
    # c is seen no more and says nothing; d is new.
    plan = np.where(same, 0.2, 0.05)
    expected = (2 * 0.2 + 4 * 0.2) / (2 * 0.2 + 4 * 0.2 + 14 * 0.05)
    np.testing.assert_allclose(kept(plan, clones, later), expected)
    # By chance it is the share of the clone among the later cells.
    even = np.full((5, 5), 0.04)
    np.testing.assert_allclose(kept(even, clones, later), (2 * 0.2 + 2 * 0.4) / 4)
    with pytest.raises(ValueError, match="labels"):
        kept(plan, clones[:2], later)
    with pytest.raises(ValueError, match="with mass at a label"):
        kept(np.ones((1, 2)), ["x"], ["y", "z"])


def test_fates():
    sure = np.eye(3)[[0, 1, 2, 2]]
    assert overlap(sure, sure) == 1
    np.testing.assert_allclose(overlap(np.full((4, 3), 1 / 3), sure), 1 / 3)
