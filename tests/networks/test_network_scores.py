"""Likeness of features and calibration, against what defines them."""

import jax.numpy as jnp
import numpy as np
import pytest

from wflow.networks.calibration import calibration_error
from wflow.networks.similarity import cka


rng = np.random.default_rng(0)
FEATURES = rng.normal(size=(40, 3))


def test_cka_sees_no_rotation_scale_or_shift():
    turned = 2 * FEATURES @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + 1
    np.testing.assert_allclose(cka(FEATURES, turned), 1, atol=1e-12)
    other = rng.normal(size=(40, 2))
    assert 0 <= cka(FEATURES, other) < 0.5
    np.testing.assert_allclose(cka(FEATURES, other), cka(other, FEATURES), atol=1e-14)


def test_cka_of_single_features_is_their_squared_correlation():
    a, b = FEATURES[:, :1], FEATURES[:, :1] + FEATURES[:, 1:2]
    expected = np.corrcoef(a[:, 0], b[:, 0])[0, 1] ** 2
    np.testing.assert_allclose(cka(a, b), expected, rtol=1e-12)
    # Constant features have nothing in common with any.
    assert cka(FEATURES, jnp.ones((40, 2))) == 0


def test_calibration_error_counts_bins():
    # Nine of ten right at confidence 0.75; all five right at 0.95.
    confident = np.r_[np.full(10, 0.75), np.full(5, 0.95)]
    probabilities = np.stack([confident, 1 - confident], 1)
    labels = np.r_[1, np.zeros(14, int)]
    found = calibration_error(probabilities, labels)
    np.testing.assert_allclose(found, (10 * 0.15 + 5 * 0.05) / 15, atol=1e-12)
    # In one bin only the means count: 14 of 15 right.
    one = calibration_error(probabilities, labels, bins=1)
    np.testing.assert_allclose(one, abs(14 / 15 - confident.mean()), atol=1e-12)


def test_what_is_no_probability_or_label_is_refused():
    certain = np.eye(2)
    # Certain and right: nothing is missing.
    assert calibration_error(certain, np.array([0, 1])) == 0
    with pytest.raises(ValueError, match="probabilities"):
        calibration_error(2 * certain, np.array([0, 1]))
    with pytest.raises(ValueError, match="labels"):
        calibration_error(certain, np.array([0, 2]))
    with pytest.raises(ValueError, match="cka: expected b"):
        cka(FEATURES, FEATURES[:5])
