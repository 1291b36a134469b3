"""Noise with a deviation for each coordinate."""

import jax.numpy as jnp
import pytest

from wflow.measures import Particles, Point, UnsupportedMeasureError
from wflow.regression.diffusion import Diffusion


def test_noise_has_its_deviations_and_no_motion():
    cloud = Particles.from_samples(jnp.ones((3, 2)))
    flow = Diffusion([0.5, 2.0])
    x, logw = flow.noise(cloud)
    assert x.tolist() == [[0.5, 2.0]] * 3
    assert not logw.any()
    moved, reacted = flow.velocity(cloud)
    assert not moved.any()
    assert not reacted.any()
    assert Diffusion(1.0).noise(cloud)[0].shape == (3, 2)


def test_refused():
    with pytest.raises(ValueError, match="deviation >= 0"):
        Diffusion([1.0, -1.0])
    with pytest.raises(UnsupportedMeasureError, match="Particles"):
        Diffusion(1.0).velocity(Point(jnp.ones(2)))
