"""The Sinkhorn divergence against an independent log-domain iteration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from wflow.transport import median_blur, sinkhorn_divergence, w1, w2_squared


rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 2)), rng.normal(size=(30, 2)) + 0.5
A, B = rng.uniform(size=20), rng.uniform(size=30)
BLUR = 0.3
DIRECTION = jnp.asarray(rng.normal(size=(20, 2)))
powers = pytest.mark.parametrize("p", [1, 2])


@jax.jit
def _tight_1(x, y, a, b, blur):
    return sinkhorn_divergence(
        x, y, weights_x=a, weights_y=b, blur=blur, p=1, threshold=1e-11
    )


@jax.jit
def _tight_2(x, y, a, b, blur):
    return sinkhorn_divergence(
        x, y, weights_x=a, weights_y=b, blur=blur, p=2, threshold=1e-11
    )


def tight(p, x=X, y=Y, a=A, b=B, blur=BLUR):
    return (_tight_1 if p == 1 else _tight_2)(x, y, a, b, blur)


def regularised(x, y, a, b, p, blur):
    """Cost |x-y|^p / p plus blur^p KL against the product of the marginals."""
    cost, eps = np.linalg.norm(x[:, None] - y, axis=-1) ** p / p, blur**p
    f, g = np.zeros(len(a)), np.zeros(len(b))
    for _ in range(3000):
        f = -eps * logsumexp((g - cost) / eps, b=b, axis=1)
        g = -eps * logsumexp((f[:, None] - cost) / eps, b=a[:, None], axis=0)
    return f @ a + g @ b


@pytest.mark.slow
@powers
def test_convention(p):
    # Oracle O10 of the WLM specification.
    a, b = A / A.sum(), B / B.sum()
    expected = regularised(X, Y, a, b, p, BLUR) - 0.5 * (
        regularised(X, X, a, a, p, BLUR) + regularised(Y, Y, b, b, p, BLUR)
    )
    result = tight(p)
    assert result.converged
    np.testing.assert_allclose(result.value, expected, rtol=1e-8)
    rough = sinkhorn_divergence(X, Y, weights_x=A, weights_y=B, blur=BLUR, p=p)
    assert rough.converged
    np.testing.assert_allclose(rough.value, expected, rtol=1e-4)


@pytest.mark.slow
def test_convention_in_terms_of_ott():
    from ott.geometry.pointcloud import PointCloud
    from ott.tools.sinkhorn_divergence import sinkhorn_divergence as ott_divergence

    value, _ = ott_divergence(
        PointCloud,
        jnp.asarray(X),
        jnp.asarray(Y),
        epsilon=2 * BLUR**2,
        solve_kwargs={"threshold": 1e-10},
    )
    ours = tight(2, a=np.ones(20), b=np.ones(30)).value
    np.testing.assert_allclose(ours, value / 2, rtol=1e-8)


@pytest.mark.slow
@powers
def test_is_a_divergence(p):
    assert abs(tight(p, X, X, A, A).value) < 1e-8
    assert tight(p).value > 0
    small = tight(p, X, X + 1e-3 * np.ones(2), A, A)
    assert 0 < small.value < 2e-3
    np.testing.assert_allclose(tight(p, Y, X, B, A).value, tight(p).value, rtol=1e-9)


@pytest.mark.slow
@powers
def test_small_blur_is_exact_transport(p):
    limit = w1(X, Y, A, B) if p == 1 else w2_squared(X, Y, A, B) / 2
    result = sinkhorn_divergence(
        X, Y, weights_x=A, weights_y=B, blur=0.03, p=p, max_iterations=20_000
    )
    assert result.converged
    np.testing.assert_allclose(result.value, limit, rtol=3e-2)


@pytest.mark.slow
@powers
def test_padding_by_zero_weights_changes_nothing(p):
    x, y = np.concatenate([X, [[7.0, 7.0]] * 3]), np.concatenate([Y, [[0.0, 9.0]] * 2])
    a, b = np.pad(A, (0, 3)), np.pad(B, (0, 2))
    padded = tight(p, x, y, a, b)
    assert padded.converged
    np.testing.assert_allclose(padded.value, tight(p).value, rtol=1e-10)
    value = lambda x, y: tight(p, x, y, a, b).value
    grad_x, grad_y = jax.grad(value, (0, 1))(x, y)
    np.testing.assert_array_equal(grad_x[20:], 0)
    np.testing.assert_array_equal(grad_y[30:], 0)


@pytest.mark.slow
@powers
def test_gradients_against_finite_differences(p):
    value = lambda x, a, blur: tight(p, x, Y, a, B, blur).value
    arguments = (jnp.asarray(X), jnp.asarray(A), jnp.asarray(BLUR))
    directions = (DIRECTION, DIRECTION[:, 0] * arguments[1], jnp.asarray(1.0))
    grads = jax.grad(value, (0, 1, 2))(*arguments)
    step = 1e-5
    for i, (grad, v) in enumerate(zip(grads, directions, strict=True)):
        moved = [
            value(*arguments[:i], arguments[i] + s * step * v, *arguments[i + 1 :])
            for s in (1, -1)
        ]
        slope = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(jnp.vdot(grad, v), slope, rtol=1e-6)


@pytest.mark.slow
@powers
def test_gradient_in_the_weight_of_a_massless_point(p):
    a = jnp.asarray(A).at[0].set(0.0)
    value = lambda a: tight(p, a=a).value
    step = 1e-8
    slope = (value(a.at[0].set(step)) - value(a)) / step
    np.testing.assert_allclose(jax.grad(value)(a)[0], slope, rtol=1e-4)


@pytest.mark.slow
@powers
def test_gradient_is_zero_where_the_clouds_agree(p):
    grad = jax.grad(lambda x: tight(p, x, X, A, A).value)(X)
    np.testing.assert_allclose(grad, 0, atol=1e-6)


@pytest.mark.slow
def test_second_derivatives_are_implicit():
    gradient = jax.grad(lambda x: tight(2, x).value)
    along = lambda x: jnp.vdot(gradient(x), DIRECTION)
    v = DIRECTION[::-1]
    step = 1e-4
    slope = (along(X + step * v) - along(X - step * v)) / (2 * step)
    np.testing.assert_allclose(jnp.vdot(jax.grad(along)(X), v), slope, rtol=1e-3)


@pytest.mark.slow
def test_vmap_over_snapshots():
    x = jnp.stack([X, X + 1, 2 * X])
    batch = jax.vmap(lambda x: _tight_2(x, Y, A, B, BLUR))(x)
    single = [tight(2, cloud).value for cloud in x]
    np.testing.assert_allclose(batch.value, jnp.stack(single), rtol=1e-9)
    assert batch.converged.shape == (3,)


@pytest.mark.slow
@powers
def test_float32(p):
    x, y = X.astype(np.float32), Y.astype(np.float32)
    value, grad = jax.value_and_grad(
        lambda x: sinkhorn_divergence(x, y, blur=BLUR, p=p).value
    )(jnp.asarray(x))
    assert value.dtype == grad.dtype == jnp.float32
    expected = tight(p, a=np.ones(20), b=np.ones(30)).value
    np.testing.assert_allclose(value, expected, rtol=1e-4)


@pytest.mark.slow
@powers
def test_float32_gradient_of_points_far_apart(p):
    # Padding 30 and a cloud 10^4 away: the exponent of the plan overflows float32.
    y, b = Y.astype(np.float32), B.astype(np.float32)
    a = np.pad(A[:15], (0, 5)).astype(np.float32)
    value = lambda x: (
        sinkhorn_divergence(x, y, weights_x=a, weights_y=b, blur=BLUR, p=p).value
    )
    gradient = jax.jit(jax.grad(value))
    x = X.astype(np.float32)
    x[15:] += 30 * np.arange(1, 6, dtype=np.float32)[:, None]
    found = gradient(x)
    np.testing.assert_array_equal(found[15:], 0)
    expected = jax.grad(lambda x: tight(p, x, a=a.astype(float)).value)(jnp.asarray(X))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    away = gradient(x + np.float32(1e4))
    assert jnp.isfinite(away).all()
    # Together they are pushed back: a unit of mass, times the distance where p = 2.
    pull = 1 if p == 1 else 1e4 * 2**0.5
    np.testing.assert_allclose(jnp.linalg.norm(away.sum(0)), pull, rtol=0.02)


def test_flags():
    few = sinkhorn_divergence(X, Y, blur=0.01, max_iterations=20)
    assert not few.converged
    lost = tight(2, jnp.asarray(X).at[3, 0].set(jnp.nan))
    assert jnp.isnan(lost.value)
    assert not lost.converged


def test_wrong_inputs_are_named():
    bad = X.copy()
    bad[3, 0] = np.inf
    with pytest.raises(ValueError, match="1 rows of x are not finite"):
        sinkhorn_divergence(bad, Y, blur=BLUR)
    with pytest.raises(ValueError, match="weights_y >= 0 with a positive sum"):
        sinkhorn_divergence(X, Y, weights_y=-B, blur=BLUR)
    with pytest.raises(ValueError, match="p 1 or 2, found 3"):
        sinkhorn_divergence(X, Y, blur=BLUR, p=3)
    with pytest.raises(ValueError, match="blur > 0, found -1"):
        sinkhorn_divergence(X, Y, blur=-1.0)
    with pytest.raises(ValueError, match="one dimension, found 2 and 1"):
        sinkhorn_divergence(X, Y[:, :1], blur=BLUR)
    with pytest.raises(
        ValueError, match=r"weights \(n,\), found \(20, 2\) and \(30,\)"
    ):
        sinkhorn_divergence(X, Y, weights_x=B, blur=BLUR)


def test_median_blur():
    key = jax.random.key(0)
    clouds = [X, Y, 3 * X]
    exact = [
        np.median(np.linalg.norm(x[:, None] - x, axis=-1)[np.triu_indices(len(x), 1)])
        for x in clouds
    ]
    blur = median_blur(clouds, key=key, low=1e-3, high=10.0)
    np.testing.assert_allclose(blur, np.median(exact) / 2, rtol=0.05)
    assert blur == median_blur(clouds, key=key, low=1e-3, high=10.0)
    assert median_blur(clouds, key=key, low=1e-3, high=0.1) == 0.1
    assert median_blur([np.ones((4, 2))], key=key, low=1e-3, high=0.1) == 1e-3
    with pytest.raises(ValueError, match="0 < low <= high"):
        median_blur(clouds, key=key, low=0.0, high=1.0)
    with pytest.raises(ValueError, match="expected snapshot 1 of shape"):
        median_blur([X, X[:1]], key=key, low=1e-3, high=1.0)
