"""Hostile input: a named error, a warning, or a fallback that is tested (section 9)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import SimulatedObservation
from wflow.filtering.methods.enkf import EnKF
from wflow.filtering.transport.likelihood import LikelihoodTransport
from wflow.filtering.transport.moments import MomentTransport
from wflow.filtering.transport.oneoff import analyze
from wflow.filtering.transport.stein import SteinTransport
from wflow.filtering.transport.targets import LikelihoodFree, RaoBlackwellized
from wflow.filtering.transport.trained import TrainedTransport
from wflow.filtering.transport.wasserstein import CouplingTransport
from wflow.kernels import GaussianKernel, InverseMultiquadric
from wflow.measures import Particles


RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
X = RNG.normal(size=(15, 2))
Y = X[:, :1] + 0.3 * RNG.normal(size=(15, 1))
# The flow, and what has the same standard units and is compiled at once.
METHOD, QUICK = CouplingTransport(steps=3), MomentTransport()


def with_bad(rows, k, value):
    rows = rows.copy()
    rows[k, 0] = value
    return rows


@pytest.mark.parametrize(
    ("x", "y", "observed", "words"),
    [
        (X[:1], Y[:1], [0.1], r"ensemble of shape \(n, d\) .* found \(1, 2\)"),
        (X[:, 0], Y, [0.1], r"ensemble of shape \(n, d\) .* found \(15,\)"),
        (X, Y[:4], [0.1], r"simulated of shape \(15, p\) or .* found \(4, 1\)"),
        (X, Y[:, 0], [0.1], r"simulated of shape .* found \(15,\)"),
        (X, Y, [0.1, 0.2], r"observed of shape \(1,\).* found \(2,\)"),
        (X, Y, [np.inf], r"observed finite, found inf"),
        (with_bad(X, 3, np.nan), Y, [0.1], r"1 of 15 members of ensemble .* is 3"),
        (X, with_bad(Y, 2, np.inf), [0.1], r"1 of 15 members of simulated .* is 2"),
        (np.ones((15, 2)), Y, [0.1], "degenerate ensemble: all 15 members"),
        (X, np.ones((15, 1)), [0.1], "degenerate simulated observations: all 15"),
    ],
)
def test_what_does_not_fit_is_named_before_any_computing(x, y, observed, words):
    with pytest.raises(ValueError, match=words):
        analyze(x, y, observed, METHOD, key=KEY)


def test_a_method_that_is_none_is_named():
    with pytest.raises(TypeError, match="method to be a transport, found EnKF"):
        analyze(X, Y, [0.1], EnKF(), key=KEY)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CouplingTransport(GaussianKernel(0.0)), "bandwidth > 0.* found 0"),
        (lambda: CouplingTransport(kernel_y=GaussianKernel(-1.0)), "bandwidth > 0"),
        (lambda: CouplingTransport(step=0.0), "step > 0.* found 0"),
        (lambda: CouplingTransport(steps=0), "steps >= 1, found 0"),
        (lambda: CouplingTransport(permutations=0), "permutations >= 1, found 0"),
        (lambda: CouplingTransport(inflation=-1.0), "inflation"),
        (
            lambda: CouplingTransport(start="enkf"),
            "'square_root'.* found 'enkf'",
        ),
        (lambda: LikelihoodFree(0), "draws >= 1, found 0"),
        (lambda: LikelihoodTransport(step=np.nan), "step > 0.* found nan"),
        (
            lambda: LikelihoodTransport(start=""),
            "expected start 'identity', 'kalman' or",
        ),
        (lambda: SteinTransport(average_y=GaussianKernel(0.0)), "bandwidth > 0"),
        (lambda: TrainedTransport(width=0), "width >= 1, found 0"),
        (lambda: TrainedTransport(learning_rate=0.0), "learning_rate > 0"),
    ],
)
def test_numbers_out_of_range(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_step_that_may_raise_the_energy():
    # 2 / L = 2 l_x^2 / 1.4463 = 0.3457 for l_x = 1/2 and plain speeds.
    with pytest.warns(UserWarning, match=r"a step of 0.5 is above 2/L = 0.346"):
        CouplingTransport(GaussianKernel(0.5), step=0.5, normalize_density=False)
    CouplingTransport(GaussianKernel(0.5), step=0.3, normalize_density=False)
    CouplingTransport(GaussianKernel(0.5), step=0.5)
    CouplingTransport(InverseMultiquadric(0.5), step=0.5, normalize_density=False)


@pytest.mark.parametrize(
    "method",
    [QUICK, pytest.param(METHOD, marks=pytest.mark.slow)],
    ids=["moments", "flow"],
)
def test_an_observation_out_of_range_is_met_by_kalman(method):
    far = 40.0
    with pytest.warns(UserWarning, match="outside predictive range .* 6 standard"):
        moved = np.asarray(analyze(X, Y, [far], method, key=KEY))
    joint = np.cov(np.concatenate([X, Y], axis=1).T)
    gain = joint[:2, 2] / joint[2, 2]
    np.testing.assert_allclose(moved, X + (far - Y) * gain, rtol=1e-6)
    # Compiled, the same without a word; in range, not the same as Kalman's update.
    compiled = eqx.filter_jit(method.analyze_pairs)
    x, y = jnp.asarray(X), jnp.asarray(Y)
    np.testing.assert_allclose(compiled(x, y, jnp.array([far]), KEY), moved, rtol=1e-11)
    near = np.asarray(compiled(x, y, jnp.array([0.4]), KEY))
    assert np.max(np.abs(near - (X + (0.4 - Y) * gain))) > 1e-3
    assert np.all(np.isfinite(near))


@pytest.mark.slow
def test_a_cloud_of_outliers_ends_finite():
    # Within six standard deviations, but where no simulated observation is near: the
    # density of these is clamped.
    x = np.concatenate([X, [[300.0, 0.0]]])
    y = x[:, :1]
    for kernel in (GaussianKernel(0.3), InverseMultiquadric(0.3)):
        method = CouplingTransport(kernel, kernel, start="identity", steps=3)
        assert np.all(np.isfinite(analyze(x, y, [150.0], method, key=KEY)))


def test_few_members_are_scaled_one_by_one():
    y = np.concatenate([X, X**2, X**3], axis=1)[:6]
    with pytest.warns(UserWarning, match="6 members are too few to whiten the 6 comp"):
        moved = analyze(X[:6], y, y[0], QUICK, key=KEY)
    assert np.all(np.isfinite(moved))
    # The same warning where a deterministic simulator leaves no other choice.
    observation = SimulatedObservation(lambda x, key: jnp.concatenate([x, x**2]))
    mu = Particles.from_samples(X[:5])
    with pytest.warns(UserWarning, match="MomentTransport: 5 members are too few"):
        analyzed = eqx.filter_jit(QUICK.analyze)(mu, jnp.zeros(4), observation, KEY)
    assert np.all(np.isfinite(analyzed.x))


def test_a_deterministic_simulator_is_welcome():
    moved = analyze(X, X[:, :1] ** 2, [0.5], QUICK, key=KEY)
    assert np.all(np.isfinite(moved))
    # A component that is the same for all says nothing, and is left out.
    y = np.concatenate([X[:, :1] ** 2, np.full((15, 1), 0.1)], axis=1)
    np.testing.assert_allclose(
        analyze(X, y, [0.5, 0.1], QUICK, key=KEY), moved, atol=1e-12
    )


def test_ensembles_that_stand_still_do_not_break_compiled_code():
    x = jnp.full((15, 2), 0.3)
    compiled = eqx.filter_jit(QUICK.analyze_pairs)
    moved = compiled(x, jnp.asarray(Y), jnp.array([0.1]), KEY)
    np.testing.assert_allclose(moved, x, atol=1e-7)


def traced(function, *args):
    """What is raised or warned of before anything is computed."""
    eqx.filter_eval_shape(function, *args, KEY)


def test_likelihoods_are_asked_for():
    simulator = SimulatedObservation(lambda x, key: x[:1])
    mu, observed = Particles.from_samples(X), jnp.array([0.1])
    with pytest.raises(TypeError, match="LikelihoodTransport needs .* likelihood"):
        traced(LikelihoodTransport().analyze, mu, observed, simulator)
    smoothed = CouplingTransport(
        kernel_y=GaussianKernel(0.5), target=RaoBlackwellized()
    )
    with pytest.raises(TypeError, match="RaoBlackwellized needs .* Gaussian errors"):
        traced(smoothed.analyze, mu, observed, simulator)
    with pytest.raises(TypeError, match="be a Gaussian kernel, found InverseMultiq"):
        CouplingTransport(target=RaoBlackwellized())
    for method in (smoothed, LikelihoodTransport()):
        with pytest.raises(TypeError, match="simulated observations alone"):
            analyze(X, Y, [0.1], method, key=KEY)
    few = Particles.from_samples(X[:3])
    with (
        pytest.raises(ValueError, match="found 3 members and 2 components"),
        pytest.warns(UserWarning, match="whiten the 2 components of the state"),
    ):
        traced(MomentTransport().analyze, few, observed, simulator)
