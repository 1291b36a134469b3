"""The Hellinger-Kantorovich distance against closed forms and convex optimization."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from wflow.measures import Gaussian, Particles
from wflow.transport import hk_distance, shk_distance
from wflow.transport.hellinger import hk_squared


def atoms(points, masses):
    return Particles.from_samples(np.asarray(points, float)[:, None], masses)


rng = np.random.default_rng(0)
X, Y = rng.normal(size=(5, 2)), rng.normal(size=(4, 2)) + 0.5
A, B = rng.uniform(0.2, 1.0, size=5), rng.uniform(0.2, 1.0, size=4)
MU, NU = Particles.from_samples(X, A), Particles.from_samples(Y, B)
squared = hk_squared  # one program for each size, which the distances share


@pytest.mark.parametrize(
    ("m0", "m1", "apart", "printed"),
    [
        (1.0, 2.0, 0.5, 0.517822),
        (1.0, 1.0, 1.2, 1.275284),
        (0.3, 1.0, 2.0, 1.3),
        (0.5, 0.5, 0.0, 0.0),
    ],
)
def test_two_atoms(m0, m1, apart, printed):
    exact = m0 + m1 - 2 * np.sqrt(m0 * m1) * np.cos(min(apart, np.pi / 2))
    assert exact == pytest.approx(printed, abs=1e-6)
    # One pair has one plan, up to its mass: the error is of the square of epsilon.
    # A second one of no mass, to share a program.
    mu, nu = atoms([0.0, 9.0], [m0, 0.0]), atoms([apart, 9.0], [m1, 0.0])
    found = squared(mu, nu, 1e-3)
    assert float(found) == pytest.approx(exact, abs=2e-6)


@pytest.mark.slow
def test_pieces_that_do_not_meet():
    mu, nu = atoms([0.0, 10.0], [0.3, 0.7]), atoms([0.0, 10.0], [0.6, 0.4])
    exact = np.sum((np.sqrt([0.3, 0.7]) - np.sqrt([0.6, 0.4])) ** 2)
    assert exact == pytest.approx(0.0931713, abs=1e-7)
    assert float(squared(mu, nu, 1e-3)) == pytest.approx(exact, abs=2e-6)
    # Further than half a turn nothing is transported: masses die and are born.
    far = atoms([20.0, 30.0], [0.6, 0.4])
    assert float(squared(mu, far, 1e-3)) == pytest.approx(2.0, abs=1e-6)
    assert float(shk_distance(mu, far)) == pytest.approx(np.pi / 2, abs=1e-6)


@pytest.mark.slow
def test_against_the_dual_problem():
    # sup of a (1 - e^{-f}) + b (1 - e^{-g}) with f + g <= c, by a general optimizer.
    r = np.linalg.norm(X[:, None] - Y, axis=-1)
    cost = np.where(r < np.pi / 2, -2 * np.log(np.cos(np.minimum(r, 1.57))), 60.0)

    def loss(v):
        return A @ np.exp(-v[:5]) + B @ np.exp(-v[5:]) - A.sum() - B.sum()

    found = minimize(
        loss,
        np.zeros(9),
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda v: (cost - v[:5, None] - v[5:]).ravel(),
        },
        options={"maxiter": 500, "ftol": 1e-13},
    )
    assert found.success
    # Near the minimum up to the plan's blur, 20 pairs times epsilon at most.
    exact = -found.fun
    values = [float(squared(MU, NU, epsilon)) for epsilon in (1e-2, 1e-3)]
    assert abs(values[1] - exact) <= 1e-3
    assert abs(values[0] - exact) <= 2e-2
    assert float(hk_distance(MU, NU)) == pytest.approx(values[1] ** 0.5, rel=1e-12)


@pytest.mark.slow
def test_symmetry_and_scaling():
    one = float(squared(MU, NU, 1e-3))
    assert float(squared(NU, MU, 1e-3)) == pytest.approx(one, rel=1e-5)
    # Masses scale it.
    thrice = float(
        squared(
            Particles.from_samples(X, 3 * A), Particles.from_samples(Y, 3 * B), 1e-3
        )
    )
    assert thrice == pytest.approx(3 * one, rel=1e-5)
    # The spherical distance sees shapes alone, and is that on the cone over them.
    angle = float(shk_distance(MU, NU))
    assert float(shk_distance(NU, Particles.from_samples(X, 3 * A))) == pytest.approx(
        angle, rel=1e-4
    )
    m0, m1 = A.sum(), B.sum()
    cone = m0 + m1 - 2 * np.sqrt(m0 * m1) * np.cos(angle)
    assert cone == pytest.approx(one, rel=1e-3)


@pytest.mark.slow
def test_infinitesimally_it_is_transport_and_reaction():
    # A path x + s v, m e^{4 s u}: length^2 of the step s^2 (|v|^2 + 4 u^2) m.
    s, v, u, m = 1e-2, np.array([0.6, -0.3]), 0.4, 1.7
    start = Particles.from_samples(np.zeros((1, 2)), [m])
    end = Particles.from_samples(s * v[None], [m * np.exp(4 * s * u)])
    expected = s**2 * (v @ v + 4 * u**2) * m
    assert float(squared(start, end, 1e-4)) == pytest.approx(expected, rel=0.03)


def test_padding_counts_for_nothing():
    # In the padding's place is the half of another atom, so that one program serves.
    padded = Particles.from_samples(np.append(X[:4], [[0, 0]], 0), np.append(A[:4], 0))
    halved = Particles.from_samples(
        np.append(X[:4], X[:1], 0), [A[0] / 2, *A[1:4], A[0] / 2]
    )
    np.testing.assert_allclose(
        squared(padded, NU, 1e-3), squared(halved, NU, 1e-3), rtol=1e-6
    )


@pytest.mark.slow
def test_gradients():
    def value(x, w):
        return hk_squared(Particles.from_samples(x, w), NU, 1e-3)

    evaluate = jax.jit(jax.vmap(jax.value_and_grad(value, argnums=(0, 1))))
    v, u = rng.normal(size=X.shape), rng.normal(size=A.shape)
    h = 1e-4
    # The last: all points meet.
    x = np.stack([X, X + h * v, X - h * v, np.append(Y, Y[:1], 0)])
    w = np.stack([A, A + h * u, A - h * u, [B[0] / 2, *B[1:], B[0] / 2]])
    values, (dx, dw) = jax.tree.map(np.asarray, evaluate(x, w))
    np.testing.assert_allclose(values[0], squared(MU, NU, 1e-3), rtol=1e-6)
    slope = np.sum(dx[0] * v) + np.sum(dw[0] * u)
    # The plan minimizes the functional up to epsilon: so does the envelope theorem.
    np.testing.assert_allclose(slope, (values[1] - values[2]) / (2 * h), rtol=1e-2)
    assert np.isfinite(dx[3]).all()


@pytest.mark.slow
def test_float32():
    single = [
        Particles(m.x.astype(jnp.float32), m.logw.astype(jnp.float32)) for m in (MU, NU)
    ]
    found = squared(*single, 1e-3)
    assert found.dtype == jnp.float32
    exact = squared(MU, NU, 1e-3)
    np.testing.assert_allclose(found, exact, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: hk_distance(MU, atoms([0.0], [1.0])), "one dimension, found 2 and 1"),
        (lambda: hk_distance(MU, Particles(Y, np.full(4, -np.inf))), "nu of positive"),
        (lambda: shk_distance(Particles(X, np.full(5, -np.inf)), NU), "mu of positive"),
        (lambda: hk_distance(MU, NU, 0.0), "epsilon >= 1e-06"),
        (
            lambda: hk_distance(MU, Particles.from_samples(Y, period=2.0)),
            "hk_distance: .* without period",
        ),
        (
            lambda: hk_distance(Particles.from_samples(X / 0 * 0, A), NU),
            "points of mu finite",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_bad_input_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_other_measures_are_refused():
    with pytest.raises(TypeError, match="Gaussian"):
        hk_distance(Gaussian([0.0], [[1.0]]), atoms([0.0], [1.0]))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_measure_is_at_distance_zero_from_itself(dtype, weighted):
    points = jnp.asarray(rng.random((20, 2)) / 2, dtype)
    weights = jnp.asarray(rng.random(20) + 0.1 if weighted else np.ones(20), dtype)
    mu = Particles.from_samples(points, weights / weights.sum())
    distance, slope = from_one(points, mu)
    assert distance < 1e-4
    assert np.isfinite(slope).all()
    if dtype == jnp.float64:
        assert float(shk_distance(mu, mu, 1e-2)) < 1e-4
    # And near itself it is the length of the way.
    step = 1e-2
    found = float(from_one(points + jnp.asarray([step, 0], dtype), mu)[0])
    assert found == pytest.approx(step * float(mu.w.sum()) ** 0.5, rel=0.1)


@jax.jit
def from_one(x, mu):
    """The distance from ``mu`` when its points have moved to x, and its slope."""
    moved = lambda x: hk_distance(mu.with_state((x, mu.logw)), mu, 1e-2)
    return jax.value_and_grad(moved)(x)
