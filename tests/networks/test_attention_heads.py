"""Attention heads, their prompts and their training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.geometries import Sphere
from wflow.measures import Point
from wflow.networks.attention import (
    AttentionRisk,
    LinearAttention,
    SoftmaxAttention,
    heads,
    train_head,
)
from wflow.networks.attention.covariance import square_root
from wflow.networks.attention.heads import initial_mu, power_layers
from wflow.networks.attention.prompts import (
    bbp_overlap,
    gaussian_prompts,
    prompt_pca,
    spiked_covariance,
    spiked_wishart,
)
from wflow.networks.attention.risks import PromptRisk


EIGENVALUES = np.array([3.0, 1.5, 0.8, 0.3])
SIGMA = np.diag(EIGENVALUES)
rng = np.random.default_rng(0)
TOKENS = rng.normal(size=(6, 4)) * np.sqrt(EIGENVALUES)
MU = rng.normal(size=(4, 2)) / 2


@eqx.filter_jit
def output(head, tokens, queries=None):
    return head(tokens, queries)


def test_heads_are_the_sums_that_define_them():
    scores = TOKENS @ MU
    softmax, linear, other = 0.0, 0.0, 0.0
    for z in scores.T:
        weights = np.exp(0.7 * np.outer(z, z))
        softmax = softmax + weights / weights.sum(1, keepdims=True) @ TOKENS
        linear = linear + 0.7 * np.outer(z, z) @ TOKENS / 6
        apart = np.outer(z, z) * (1 - np.eye(6))
        other = other + 0.7 * apart @ TOKENS / 5
    for head, expected in (
        (SoftmaxAttention(MU, 0.7), softmax),
        (LinearAttention(MU, 0.7), linear),
        (LinearAttention(MU, 0.7, self_token=False), other),
    ):
        np.testing.assert_allclose(output(head, TOKENS), expected, rtol=1e-12)
        # Permuted tokens permute the outputs; a turned mu with its tokens turns them.
        order = np.array([3, 0, 5, 1, 2, 4])
        found = output(head, TOKENS[order])
        np.testing.assert_allclose(found, expected[order], rtol=1e-12)
        turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
        turned = eqx.tree_at(lambda head: head.mu, head, jnp.asarray(turn @ MU))
        found = output(turned, TOKENS @ turn.T)
        np.testing.assert_allclose(found, expected @ turn.T, rtol=1e-10, atol=1e-12)
    found = output(LinearAttention(MU, 0.7, self_token=False), TOKENS, TOKENS[:2])
    np.testing.assert_allclose(found, linear[:2], rtol=1e-12)


def test_blocks_of_queries_change_nothing(monkeypatch):
    head = SoftmaxAttention(MU)

    def probe(head):
        value = lambda head: jnp.sum(jnp.sin(head(TOKENS)))
        return eqx.filter_jit(eqx.filter_value_and_grad(value))(head)

    value, gradient = probe(head)
    monkeypatch.setattr(heads, "_BLOCK", 12)  # two queries at once
    blocked, again = probe(head)
    np.testing.assert_allclose(blocked, value, rtol=1e-13)
    np.testing.assert_allclose(again.mu, gradient.mu, rtol=1e-12)


def test_large_logits_and_single_precision():
    tokens = jnp.asarray(1e4 * TOKENS, jnp.float32)
    head = SoftmaxAttention(jnp.asarray(MU[:, 0], jnp.float32), jnp.float32(1))
    found, gradient = jax.value_and_grad(lambda x: jnp.sum(output(head, x)))(tokens)
    assert found.dtype == gradient.dtype == jnp.float32
    assert jnp.isfinite(found)
    assert jnp.isfinite(gradient).all()
    # One token takes all the weight: outputs are tokens.
    gaps = jnp.abs(output(head, tokens)[:, None] - tokens).sum(-1).min(1)
    assert (gaps < 1e-3 * jnp.abs(tokens).max()).all()


@pytest.mark.slow
def test_a_fixed_query_tends_to_the_infinite_prompt():
    mu, query = np.array([0.4, 0.3, -0.15, 0.15]), np.array([[1.5, 0.5, -0.5, 0.3]])
    limit = (query @ mu) * (SIGMA @ mu)
    errors = []
    for length, repeats in ((100, 64), (6400, 16)):
        tokens = gaussian_prompts(
            jax.random.key(length), square_root(SIGMA), length, repeats
        )
        found = jax.vmap(SoftmaxAttention(mu), (0, None))(tokens, query)[:, 0]
        errors.append(float(jnp.sqrt(jnp.mean(jnp.sum((found - limit) ** 2, axis=1)))))
    # Root mean squares over repeats scale by 8 within their sampling error and the
    # bias of order 1/L at the shorter length.
    assert 5 < errors[0] / errors[1] < 13


@pytest.mark.slow
def test_softmax_risk_at_the_minimum_of_the_limit():
    mu = AttentionRisk(EIGENVALUES).minimum
    for length, batch, value in (
        (10, 10_000, 2.52),
        (100, 2000, 2.71),
        (1000, 200, 2.63),
    ):
        prompts = gaussian_prompts(
            jax.random.key(length), square_root(SIGMA), length, batch
        )
        risk = lambda x: PromptRisk(SoftmaxAttention(mu), x[None]).value(Point(mu))
        draws = jax.lax.map(risk, prompts, batch_size=20)
        # The quoted values have an error of 0.02 themselves.
        error = np.hypot(float(jnp.std(draws)) / np.sqrt(batch), 0.02)
        assert abs(float(jnp.mean(draws)) - value) < 3 * error


def test_prompts_have_their_moments():
    v = np.array([1.0, 2.0, -1.0, 0.5])
    covariance = np.asarray(spiked_covariance(2.0, v))
    np.testing.assert_allclose(covariance @ v, 3 * v, rtol=1e-13)
    root = square_root(covariance)
    np.testing.assert_allclose(root @ root, covariance, atol=1e-13)
    prompts = spiked_wishart(jax.random.key(0), 4, 2.0, 3, 20_000, 2, v)
    assert prompts.shape == (20_000, 3, 4)
    x = np.asarray(prompts)
    # tr W^2 of one prompt from products of two of its tokens: T^2/n + (1 + 1/n) tr S^2.
    z = np.einsum("bi,bi->b", x[:, 0], x[:, 1]) ** 2
    expected = 6**2 / 2 + 1.5 * np.sum(covariance**2)
    assert abs(z.mean() - expected) < 4 * z.std() / np.sqrt(len(z))
    # Entries of the mean second moment, each within its own error.
    each = np.einsum("bli,blj->bij", x, x) / 3
    scores = (each.mean(0) - covariance) / (each.std(0) / np.sqrt(len(x)))
    assert np.abs(scores).max() < 4


@pytest.mark.slow
def test_one_prompt_alone_obeys_the_transition():
    values = bbp_overlap(jnp.array([3.0, 0.9, 1.0]), 1.0)
    np.testing.assert_allclose(values, [(1 - 1 / 9) / (1 + 1 / 3), 0, 0], rtol=1e-14)
    prompts = spiked_wishart(jax.random.key(1), 100, 3.0, 100, 16)
    found = prompt_pca(prompts)[..., 0]
    cos2 = np.asarray(found[:, 0] ** 2)
    # Finite size: order d^(-1) beside the sampling error.
    assert abs(cos2.mean() - 2 / 3) < 4 * cos2.std() / 4 + 0.02
    layered = power_layers(prompts[0], prompts[0, 0], 200)
    overlap = (layered @ found[0]) ** 2 / (layered @ layered)
    np.testing.assert_allclose(overlap, 1, atol=1e-4)
    np.testing.assert_allclose(jnp.mean(layered**2), 1, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("geometry", "beta"), [(None, 1.0), (Sphere(), 0.1)])
def test_training_finds_the_spike_and_the_norm(geometry, beta):
    root = square_root(spiked_covariance(3.0, np.eye(4)[0]))
    trained = train_head(
        # On the sphere beta l_1 is below the threshold of a tilt.
        LinearAttention(initial_mu(jax.random.key(0), 4), beta),
        lambda key: gaussian_prompts(key, root, 10, 32),
        jax.random.key(1),
        steps=600,
        geometry=geometry,
    )
    mu = trained.head.mu
    norm = float(jnp.linalg.norm(mu))
    assert mu[0] ** 2 / norm**2 > 0.99
    assert trained.path.shape == (600, 4)
    assert trained.risks[-100:].mean() < trained.risks[:20].mean()
    expected = jnp.linalg.norm(AttentionRisk(np.array([4.0, 1, 1, 1]), 10.0).minimum)
    if geometry is None:
        # Two hundred prompts a decay time: some per cent of noise in heavy tails.
        np.testing.assert_allclose(norm, expected, rtol=0.05)
    else:
        np.testing.assert_allclose(norm, 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoftmaxAttention(MU, 0.0), "SoftmaxAttention: expected beta > 0"),
        (
            lambda: LinearAttention(np.ones((2, 2, 2))),
            r"expected mu of shape \(d,\) or",
        ),
        (lambda: LinearAttention([np.nan, 1.0]), "expected mu finite, found"),
        (
            lambda: LinearAttention(MU)(jnp.ones((3, 5))),
            r"tokens of shape \(L, 4\)",
        ),
        (
            lambda: SoftmaxAttention(MU)(jnp.ones((0, 4))),
            "of one token or more",
        ),
        (
            lambda: LinearAttention(MU, self_token=False)(jnp.ones((1, 4))),
            "expected at least 2 tokens",
        ),
        (
            lambda: initial_mu(jax.random.key(0), 2, 3),
            r"k <= d heads, found|heads in \[1, 2\], found",
        ),
        (lambda: initial_mu(jax.random.key(0), 0), "expected d >= 1, found 0"),
        (
            lambda: spiked_covariance(-1.5, np.ones(2)),
            "expected theta >= -1, found -1.5",
        ),
        (
            lambda: spiked_covariance(1.0, np.zeros(2)),
            "expected direction with a norm",
        ),
        (
            lambda: spiked_wishart(jax.random.key(0), 2, 1.0, 0, 4),
            "expected prompt_length >= 1, found 0",
        ),
        (
            lambda: spiked_wishart(jax.random.key(0), 2, 1.0, 3, 4, degrees=0),
            "expected degrees >= 1, found 0",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
