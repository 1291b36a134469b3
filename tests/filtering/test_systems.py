"""Motions against reference trajectories, finer solves and conservation laws."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import (
    AdaptiveODE,
    Components,
    DiscreteMap,
    EulerMaruyama,
    GaussianObservation,
    Linear,
    Lorenz63,
    Lorenz96,
    RungeKutta4,
    StateSpace,
    twin,
)
from wflow.filtering.kuramoto_sivashinsky import KuramotoSivashinsky


# Order-8 and implicit Radau solves at 1e-12 agree to 4e-12, 5e-11, 1e-9.
LORENZ63 = {
    1: (2.7005369033654216, 4.3887166853594, 16.698044827959347),
    5: (0.5216187885997942, 0.9574207029948621, 9.39366169887868),
    10: (2.2416756427936413, 3.724308446440995, 15.668052635701498),
}
START63 = jnp.array([1.508870, -1.531271, 25.46091])
# From 8 everywhere and 0.01 more at 19, at components 0, 10, 19, 30.
LORENZ96 = {
    1: (7.423219765192478, 7.911031033565986, 8.964716659143095, 10.901197880684649),
    5: (0.6189465845388548, 9.64327986208, 1.7498568415106281, 2.5106855146197984),
}
advance = eqx.filter_jit(lambda motion, x: motion.advance(x, 0.0))


@pytest.mark.parametrize(("end", "tolerance"), [(1, 1e-8), (5, 1e-6), (10, 3e-5)])
def test_lorenz63_follows_the_reference(end, tolerance):
    """Fourth order at dt = 1e-3; errors grow as exp(0.9 t), and by bursts before."""
    motion = RungeKutta4(Lorenz63(), 1e-3, 1000 * end)
    np.testing.assert_allclose(
        advance(motion, START63), LORENZ63[end], atol=tolerance, rtol=0
    )


@pytest.mark.slow
def test_adaptive_solve_follows_the_reference():
    motion = AdaptiveODE(Lorenz63(), 5.0, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(advance(motion, START63), LORENZ63[5], atol=1e-7, rtol=0)
    stopped = AdaptiveODE(Lorenz63(), 5.0, max_steps=3)
    assert np.isnan(advance(stopped, START63)).all()


@pytest.mark.parametrize(("end", "tolerance"), [(1, 1e-8), (5, 2e-5)])
def test_lorenz96_follows_the_reference(end, tolerance):
    """At dt = 2.5e-3 errors are 6e-7 and 1e-3; here a quarter of it at order 4."""
    motion = RungeKutta4(Lorenz96(), 6.25e-4, 1600 * end)
    start = jnp.full(40, 8.0).at[19].add(0.01)
    found = advance(motion, start)[jnp.array([0, 10, 19, 30])]
    np.testing.assert_allclose(found, LORENZ96[end], atol=tolerance, rtol=0)


def test_runge_kutta_is_of_order_four_in_a_drift_of_time():
    r"""$\dot x = -x + \sin t$; halving the step divides the error by 16."""
    drift = lambda x, t: -x + jnp.sin(t)
    exact = lambda t: (np.sin(t) - np.cos(t) + 3 * np.exp(-t)) / 2
    # From time 1 on: a scheme that forgets the time is wrong at once.
    errors = [
        float(RungeKutta4(drift, 2 / n, n).advance(jnp.array([exact(1.0)]), 1.0)[0])
        - exact(3.0)
        for n in (16, 32)
    ]
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.1)


N = 128
GRID = 2 * np.pi * np.arange(N) / N


def waves(length):
    x = GRID * length / (2 * np.pi)
    return jnp.asarray(np.cos(x / 16) * (1 + np.sin(x / 16)))


def test_kuramoto_sivashinsky_is_of_order_four():
    """On the attractor of the example of Kassam and Trefethen, over one time unit.

    Stiff terms lower the order at large steps: the ratio is 8 at dt = 0.2.
    """
    start = advance(KuramotoSivashinsky(dt=0.25, steps=400), waves(32 * np.pi))
    ends = [
        advance(KuramotoSivashinsky(dt=1 / steps, steps=steps), start)
        for steps in (80, 160, 1280)
    ]
    errors = [float(jnp.abs(end - ends[-1]).max()) for end in ends[:2]]
    assert errors[0] < 1e-7
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.1)


def test_kuramoto_sivashinsky_keeps_mean_and_energy_balance():
    r"""$\int u$ is kept; $\frac{d}{dt}\frac12\int u^2 = \int u_x^2 - \int u_{xx}^2$.

    By a central difference over two steps of h = 1e-3: its error is h^2 times a third
    derivative, some 1e-6 of the balance; aliasing is below that.
    """
    length, h = 32 * np.pi, 1e-3
    motion = KuramotoSivashinsky(length, 0.25, 200)
    before = advance(motion, waves(length))
    at, after = (advance(KuramotoSivashinsky(length, h, k), before) for k in (1, 2))
    assert float(before.mean()) == pytest.approx(float(waves(length).mean()), abs=1e-10)
    k = 2 * np.pi / length * np.arange(N // 2 + 1)
    wave = np.fft.rfft(np.asarray(at))
    u_x, u_xx = (np.fft.irfft((1j * k) ** m * wave, N) for m in (1, 2))
    balance = (u_x**2).mean() - (u_xx**2).mean()
    found = float((after**2).mean() - (before**2).mean()) / (4 * h)
    assert found == pytest.approx(balance, rel=1e-4, abs=1e-5)
    assert float(jnp.abs(after).max()) > 1  # in the chaotic regime, not at rest


@pytest.mark.slow
def test_euler_maruyama_has_the_moments_of_its_scheme():
    r"""$dx = -x\,dt + \sigma\,dW$: mean $(1 - h)^n x_0$ and a geometric variance."""
    steps, h, sigma = 10, 0.1, 0.7
    motion = EulerMaruyama(lambda x, t: -x, lambda x, t: sigma, 1.0, steps)
    keys = jax.random.split(jax.random.key(0), 20_000)
    start = jnp.array([2.0, -1.0])
    many = eqx.filter_jit(lambda m, x, keys: jax.vmap(lambda k: m(x, 0, k))(keys))
    ends = np.asarray(many(motion, start, keys))
    mean = (1 - h) ** steps * np.asarray(start)
    variance = sigma**2 * h * ((1 - h) ** (2 * np.arange(steps))).sum()
    # Five standard errors.
    np.testing.assert_allclose(
        ends.mean(0), mean, atol=5 * (variance / len(ends)) ** 0.5
    )
    np.testing.assert_allclose(ends.var(0), variance, rtol=5 * (2 / len(ends)) ** 0.5)
    assert abs(np.corrcoef(ends.T)[0, 1]) < 5 / len(ends) ** 0.5


def test_twin_is_the_model_run_by_hand():
    model = StateSpace(
        RungeKutta4(Lorenz63(), 0.01, 5),
        GaussianObservation(Components(every=2), 0.01 * np.eye(2)),
        0.1 * np.eye(3)[:, :1],
    )
    found = twin(model, START63, 4, jax.random.key(1), t0=2.0)
    np.testing.assert_allclose(found.times, 2 + 0.05 * np.arange(1, 5), rtol=1e-12)
    quiet = StateSpace(model.transition, model.observation)
    for before, after in zip([START63, *found.truth[:-1]], found.truth, strict=True):
        move = after - quiet.step(before, 0.0, jax.random.key(0))
        # Model noise along the first axis alone.
        np.testing.assert_allclose(move[1:], 0, atol=1e-12)
        assert 0 < abs(float(move[0])) < 0.5
    errors = found.observed - found.truth[:, ::2]
    assert 0 < float(jnp.abs(errors).max()) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "motion",
    [
        RungeKutta4(Lorenz63(), 0.01, 5),
        AdaptiveODE(Lorenz63(), 0.05),
        DiscreteMap(Linear(0.9 * np.eye(4))),
        KuramotoSivashinsky(22.0, 0.25, 2),
        EulerMaruyama(Lorenz96(), lambda x, t: 0.1, 0.05, 2),
    ],
    ids=lambda motion: type(motion).__name__,
)
def test_float32_stays_float32(motion):
    """And agrees with float64; under jit and vmap."""
    d = 3 if isinstance(getattr(motion, "drift", None), Lorenz63) else 4
    x = jax.random.normal(jax.random.key(0), (2, d))
    step = eqx.filter_jit(
        lambda m, x: jax.vmap(lambda y: m(y, 0, jax.random.key(1)))(x)
    )
    single = step(motion, x.astype(jnp.float32))
    assert single.dtype == jnp.float32
    if not isinstance(motion, EulerMaruyama):  # whose draws differ with the dtype
        np.testing.assert_allclose(single, step(motion, x), rtol=1e-4, atol=1e-4)


def test_bad_motions_are_refused():
    with pytest.raises(ValueError, match="RungeKutta4: expected steps >= 1, found 0"):
        RungeKutta4(Lorenz63(), 0.01, 0)
    with pytest.raises(ValueError, match="RungeKutta4: expected dt > 0.*, found -0.1"):
        RungeKutta4(Lorenz63(), -0.1, 1)
    with pytest.raises(ValueError, match="AdaptiveODE: expected interval > 0"):
        AdaptiveODE(Lorenz63(), 0.0)
    with pytest.raises(ValueError, match="n even, found 3"):
        KuramotoSivashinsky().advance(jnp.zeros(3), 0.0)
    with pytest.raises(ValueError, match="noise of shape"):
        StateSpace(
            DiscreteMap(Linear(np.eye(2))),
            GaussianObservation(Components(), np.eye(2)),
            np.ones(2),
        )
    with pytest.raises(ValueError, match="cov positive definite"):
        GaussianObservation(Components(), np.zeros((2, 2)))
