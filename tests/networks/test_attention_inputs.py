"""Hostile input of attention heads: zero heads, too many, steps that explode."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow import GradientFlow, solve
from wflow.geometries import Euclidean, Sphere
from wflow.measures import Point
from wflow.networks.attention import (
    AttentionRisk,
    LinearAttention,
    SoftmaxAttention,
    alignment,
)
from wflow.networks.attention.covariance import square_root
from wflow.networks.attention.prompts import (
    bbp_overlap,
    gaussian_prompts,
    prompt_pca,
    spiked_covariance,
)
from wflow.solvers import SolveError


EIGENVALUES = np.array([3.0, 1.5, 0.8, 0.3])


def test_a_zero_head_has_no_direction():
    with pytest.raises(ValueError, match="without heads that are zero.*head 0 zero"):
        alignment(np.zeros(4), EIGENVALUES)
    both = np.column_stack([np.eye(4)[0], np.zeros(4)])
    with pytest.raises(ValueError, match="head 1 zero"):
        alignment(both, EIGENVALUES)
    traced = jax.jit(lambda mu: alignment(mu, EIGENVALUES).cos2)
    assert np.isnan(traced(jnp.zeros(4)))
    assert float(traced(jnp.eye(4)[0])) == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match=r"have a direction, found norms .0\.0"):
        Sphere().point(np.zeros(4))


@pytest.mark.slow
def test_a_flow_on_the_sphere_does_not_start_at_zero():
    flow = GradientFlow(AttentionRisk(EIGENVALUES, beta=0.1), Sphere())
    with pytest.raises(SolveError, match="stopped at t = 0"):
        solve(flow, Point(jnp.zeros(4)), 0.0, 1.0)


@pytest.mark.slow
def test_fixed_steps_from_afar_are_told_apart_from_success():
    """The risk is quartic: Euler steps of 0.1 from |mu| = 10 leave all numbers."""
    flow = GradientFlow(AttentionRisk(EIGENVALUES), Euclidean())
    with pytest.raises(SolveError, match="finite"):
        solve(
            flow,
            Point(jnp.full(4, 5.0)),
            0.0,
            2.0,
            solver=diffrax.Euler(),
            dt0=0.1,
        )


@pytest.mark.parametrize("kind", [LinearAttention, SoftmaxAttention])
def test_more_heads_than_dimensions(kind):
    with pytest.raises(ValueError, match="mu of shape .* k <= d heads"):
        kind(np.ones((2, 3)))
    with pytest.raises(ValueError, match="expected beta > 0, found -1.0"):
        kind(np.ones(2), -1.0)


def test_fewer_degrees_than_dimensions_are_drawn():
    """W is singular: tokens of one prompt lie in a plane, of all of them do not."""
    covariance = spiked_covariance(-1.0, np.eye(4)[0])
    root = square_root(covariance)
    prompts = np.asarray(gaussian_prompts(jax.random.key(0), root, 8, 5, degrees=2))
    assert np.isfinite(prompts).all()
    values = np.linalg.svd(prompts, compute_uv=False)
    assert (values[:, 2:] < 1e-12 * values[:, :1]).all()
    # theta = -1 is the edge: nothing is left along v.
    np.testing.assert_allclose(prompts[..., 0], 0, atol=1e-12)


def test_signs_and_lengths_of_the_law():
    with pytest.raises(ValueError, match="expected prompt_length >= 1, found 0"):
        AttentionRisk(EIGENVALUES, 0)
    with pytest.raises(ValueError, match="expected degrees >= 1, found -3"):
        AttentionRisk(EIGENVALUES, 5.0, -3.0)
    with pytest.raises(ValueError, match=r"found shape \(0,\)"):
        AttentionRisk(np.zeros(0))
    with pytest.raises(ValueError, match="expected .* finite"):
        AttentionRisk(np.full((2, 2), np.inf))
    # Within the tolerances it is rounding: 1e-8 of asymmetry, 1e-10 below zero.
    nearly = np.diag(EIGENVALUES)
    nearly[0, 1] = 1e-8
    AttentionRisk(nearly)
    AttentionRisk(np.array([1.0, -1e-11]))
    with pytest.raises(ValueError, match="positive semidefinite.*-1e-09"):
        AttentionRisk(np.array([1.0, -1e-9]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_prompt_that_is_not_finite_has_no_directions(value):
    prompts = jax.random.normal(jax.random.key(0), (3, 5, 4))
    found = prompt_pca(prompts.at[1, 2, 0].set(value), 2)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[::2], prompt_pca(prompts, 2)[::2])


def test_an_overlap_of_nan_is_nan():
    assert np.isnan(bbp_overlap(np.nan, 0.5))
    assert np.isnan(bbp_overlap(2.0, np.nan))
    for theta, gamma in ((-1.0, 0.5), (2.0, -0.5)):
        with pytest.raises(ValueError, match="expected (theta|gamma) >= 0"):
            bbp_overlap(theta, gamma)
