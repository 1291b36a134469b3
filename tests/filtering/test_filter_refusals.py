"""What a caller can get wrong: computed right, or refused in a sentence."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import (
    ETKF,
    LETKF,
    AdaptiveODE,
    Components,
    CouplingTransport,
    DiscreteMap,
    Domain,
    EnKF,
    EulerMaruyama,
    GaussianObservation,
    GridFilter,
    KalmanFilter,
    LikelihoodTransport,
    Linear,
    LocalEnKF,
    LocalTransport,
    MomentTransport,
    ParticleFilter,
    RungeKutta4,
    SimulatedObservation,
    StateSpace,
    assimilate,
    filter,
    init,
    twin,
)
from wflow.filtering.localization import gaspari_cohn
from wflow.filtering.metrics import covered, level_of
from wflow.filtering.observations import AbstractLikelihood
from wflow.filtering.settings import half_square
from wflow.measures import Gaussian, Grid, Particles
from wflow.parameters import Learnable


KEY = jax.random.key(0)
EYE = np.eye(2)
X = jax.random.normal(KEY, (12, 2))
STILL = DiscreteMap(lambda x, t: x)
DOMAIN = Domain(np.inf, np.ones((2, 2)))
METHODS = [
    KalmanFilter(),
    EnKF(),
    ETKF(),
    LETKF(DOMAIN),
    LocalEnKF(DOMAIN),
    ParticleFilter(),
    LikelihoodTransport(steps=1),
]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)


def law(method, x=X):
    if isinstance(method, KalmanFilter):
        return Gaussian(x.mean(0), jnp.cov(x.T))
    return Particles.from_samples(x)


def traced(method, observation, y):
    """The analysis, without computing it."""
    mu = law(method)
    run = lambda mu, y, key: method.analyze(mu, y, observation, key)
    return eqx.filter_eval_shape(run, mu, jnp.asarray(y, float), KEY)


# ------------------------------------------------------------------------- times


LENGTH, PARTS = 0.1, 8
MOTIONS = {
    "EulerMaruyama": (
        EulerMaruyama(lambda x, t: -x, lambda x, t: 0.0, LENGTH, PARTS),
        -PARTS * np.log1p(-LENGTH / PARTS),
    ),
    "RungeKutta4": (RungeKutta4(lambda x, t: -x, LENGTH / PARTS, PARTS), LENGTH),
    "AdaptiveODE": (AdaptiveODE(lambda x, t: -x, LENGTH), LENGTH),
}
moved = eqx.filter_jit(lambda motion, t: motion(jnp.ones(1, jnp.float32), t, KEY))


@pytest.mark.parametrize("t", [0.0, -3e4, 1e5, 1.7e9])
@pytest.mark.parametrize("kind", list(MOTIONS))
def test_an_interval_passes_at_any_time(kind, t):
    """In single precision, where a late time has no digits left for steps."""
    motion, rate = MOTIONS[kind]
    end = moved(motion, jnp.float32(t))
    assert end.dtype == jnp.float32
    np.testing.assert_allclose(-np.log(end[0]), rate, rtol=1e-5)


@pytest.mark.parametrize(
    "motion",
    [
        EulerMaruyama(lambda x, t: 0 * x + t, lambda x, t: 0.0, 0.5, 4),
        RungeKutta4(lambda x, t: 0 * x + t, 0.125, 4),
        AdaptiveODE(lambda x, t: 0 * x + t, 0.5),
    ],
    ids=lambda motion: type(motion).__name__,
)
def test_the_field_sees_the_time_itself(motion):
    r"""$\int_t^{t + 1/2} s\,ds = t/2 + 1/8$; Euler's steps see their beginnings."""
    late = 1000.0
    end = eqx.filter_jit(motion)(jnp.zeros(1), late, KEY)
    euler = 4 * 0.125**2 / 2 if isinstance(motion, EulerMaruyama) else 0
    np.testing.assert_allclose(end, late / 2 + 1 / 8 - euler, rtol=1e-9)


def test_times_that_cannot_be_told_apart_are_refused():
    model = StateSpace(
        RungeKutta4(lambda x, t: -x, 0.1), GaussianObservation(Components(), EYE), EYE
    )
    single = X.astype(jnp.float32)
    with pytest.raises(ValueError, match="filter: in float32, times near 17000.* t0"):
        filter(model, EnKF(), jnp.zeros((3, 2)), single, KEY, t0=1.7e9)
    state = init(EnKF(), single, KEY, t0=1e8)
    with pytest.raises(ValueError, match="assimilate: in float32, times near"):
        assimilate(model, EnKF(), state, jnp.zeros(2))
    with pytest.raises(ValueError, match="twin: in float64, times near"):
        twin(model, jnp.ones(2), 2, KEY, t0=1e17)
    with pytest.raises(ValueError, match="t0 finite, found nan"):
        twin(model, jnp.ones(2), 2, KEY, t0=np.nan)
    found = filter(model, EnKF(), jnp.zeros((3, 2)), X, KEY, t0=1.7e9)
    np.testing.assert_allclose(found.times - 1.7e9, [0.1, 0.2, 0.3], atol=1e-6)
    late = twin(model, jnp.ones(2), 3, KEY, t0=1.7e9)
    np.testing.assert_allclose(late.truth, twin(model, jnp.ones(2), 3, KEY).truth)


# --------------------------------------------------------------- complex numbers


class Turn(eqx.Module):
    """Multiplication of $x_0 + i x_1$ by a complex number that is a parameter."""

    c: jax.Array

    def __call__(self, x, t=0.0):
        z = self.c * (x[0] + 1j * x[1])
        return jnp.stack([z.real, z.imag])


def test_a_complex_parameter_keeps_its_imaginary_part():
    turn = Turn(jnp.array(0.6 + 0.8j))
    exact = Gaussian(np.array([1.0, 0.0]), 1e-6 * EYE)
    blind = GaussianObservation(Components(), 1e9 * EYE)
    found = filter(
        StateSpace(DiscreteMap(turn), blind), KalmanFilter(), [[0, 0]], exact, KEY
    )
    np.testing.assert_allclose(found.mean[0], [0.6, 0.8], atol=1e-6)
    # In the operator: the observation says what the state times i was.
    seen = GaussianObservation(Turn(jnp.array(1j)), 1e-9 * EYE)
    wide = Gaussian(np.zeros(2), EYE)
    model = StateSpace(STILL, seen)
    found = filter(model, KalmanFilter(), [[1.0, 2.0]], wide, KEY)
    np.testing.assert_allclose(found.mean[0], [2.0, -1.0], atol=1e-6)


def test_complex_numbers_without_a_meaning_are_refused():
    wave = lambda x, t: (1 + 1j) * x
    x = jnp.ones(2)
    for motion, name in (
        (DiscreteMap(wave), "function"),
        (RungeKutta4(wave, 0.1), "drift"),
        (AdaptiveODE(wave, 0.1), "drift"),
        (EulerMaruyama(wave, lambda x, t: 1.0, 0.1), "drift"),
        (EulerMaruyama(lambda x, t: x, wave, 0.1), "diffusion"),
    ):
        with pytest.raises(ValueError, match=f"{name} to return real.*complex"):
            motion(x, 0.0, KEY)
    observation = GaussianObservation(lambda x: 1j * x, EYE)
    with pytest.raises(ValueError, match="operator.*complex"):
        observation.mean(x)
    with pytest.raises(ValueError, match="simulator.*complex"):
        SimulatedObservation(lambda x, key: 1j * x).simulate(x, KEY)
    model = StateSpace(STILL, GaussianObservation(Components(), EYE), EYE)
    for observations, initial in ((1j * np.ones((3, 2)), X), (np.ones((3, 2)), 1j * X)):
        with pytest.raises(ValueError, match="real numbers, found complex"):
            filter(model, EnKF(), observations, initial, KEY)


# ------------------------------------------------------------------------ shapes


@each_method
@pytest.mark.parametrize(
    ("operator", "p"),
    [
        (lambda x: x, 1),
        (lambda x: x[:1], 2),
        (lambda x: x[0], 2),
        (lambda x: x[:, None], 2),
    ],
    ids=["two for one", "one for two", "scalar for two", "column"],
)
def test_an_operator_has_the_size_of_its_covariance(method, operator, p):
    observation = GaussianObservation(operator, np.eye(p) / 2)
    if isinstance(method, LETKF | LocalEnKF):
        method = type(method)(Domain(np.inf, np.ones((2, p))))
    with pytest.raises(ValueError, match=rf"operator, .*cov.* shape \({p},\), found"):
        traced(method, observation, np.zeros(p))


@pytest.mark.parametrize("method", METHODS[:3], ids=lambda m: m.name)
def test_one_number_is_an_observation_of_one_component(method):
    both = [
        method.analyze(law(method), jnp.array([0.7]), of, KEY)
        for of in (
            GaussianObservation(lambda x: x[0], [[0.5]]),
            GaussianObservation(lambda x: x[:1], [[0.5]]),
        )
    ]
    np.testing.assert_array_equal(both[0].mean, both[1].mean)
    simulator = SimulatedObservation(lambda x, key: x[0])
    assert simulator.simulate(jnp.ones(2), KEY).shape == (1,)
    # Whole numbers do not make the errors whole.
    law_of_counts = GaussianObservation(lambda x: jnp.round(x).astype(int), EYE / 9)
    y = np.asarray(law_of_counts.simulate(jnp.ones(2), KEY))
    assert (y != np.round(y)).all()


class Column(AbstractLikelihood):
    """A likelihood whose logarithm has an axis too many."""

    def simulate(self, x, key):
        return x[:1] + jax.random.normal(key, (1,))

    def log_likelihood(self, y, x):
        return -((y - x[:1]) ** 2) / 2


def test_a_log_likelihood_is_one_number():
    y = jnp.zeros(1)
    for method in (ParticleFilter(), LikelihoodTransport(steps=1)):
        with pytest.raises(ValueError, match="Column: expected log_likelihood"):
            traced(method, Column(), y)
    line = Grid.from_log_density(lambda x: -(x[0] ** 2), -3, 3, (50,))
    with pytest.raises(ValueError, match="Column: expected log_likelihood"):
        GridFilter().analyze(line, y, Column(), KEY)


@pytest.mark.parametrize("noise", [[[1.0]], np.ones((3, 1)), np.ones((1, 2))])
def test_model_noise_has_the_rows_of_the_state(noise):
    model = StateSpace(STILL, GaussianObservation(Components(), EYE), noise)
    words = r"StateSpace: expected noise of shape \(2, r\)"
    with pytest.raises(ValueError, match=words):
        twin(model, jnp.zeros(2), 1, KEY)
    for method in METHODS[:2]:
        with pytest.raises(ValueError, match=words):
            filter(model, method, np.zeros((1, 2)), law(method), KEY)
    with pytest.raises(ValueError, match=words):
        KalmanFilter().forecast(model, law(KalmanFilter()), 0.0, KEY)


@pytest.mark.parametrize(
    ("motion", "name"),
    [
        (DiscreteMap(lambda x, t: x[:1]), "function"),
        (DiscreteMap(lambda x, t: x[0]), "function"),
        (RungeKutta4(lambda x, t: x[:1], 0.1), "drift"),
        (AdaptiveODE(lambda x, t: jnp.sum(x), 0.1), "drift"),
        (EulerMaruyama(lambda x, t: x[:1], lambda x, t: 1.0, 0.1), "drift"),
        (EulerMaruyama(lambda x, t: x, lambda x, t: x[:1], 0.1), "diffusion"),
        (EulerMaruyama(lambda x, t: x, lambda x, t: jnp.eye(2), 0.1), "diffusion"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_fields_have_the_shape_of_the_state(motion, name):
    with pytest.raises(ValueError, match=rf"{name} to return real numbers of shape"):
        motion(jnp.ones(2), 0.0, KEY)


@pytest.mark.parametrize("sites", [1, 3, 6])
@pytest.mark.parametrize(
    "kind",
    [LETKF, LocalEnKF, lambda domain: LocalTransport(MomentTransport(), domain)],
    ids=["LETKF", "LocalEnKF", "LocalTransport"],
)
def test_a_domain_is_that_of_the_observations(kind, sites):
    observation = GaussianObservation(Components(), EYE)
    method = kind(Domain(1.0, np.ones((2, sites))))
    with pytest.raises(ValueError, match=f"of 2 observations.*found one of {sites}"):
        traced(method, observation, np.zeros(2))
    other = kind(Domain(1.0, np.ones((3, 2))))
    with pytest.raises(ValueError, match="domain of 2 components.*found one of 3"):
        traced(other, observation, np.zeros(2))


def test_sites_lie_on_the_ring():
    for sites in ([0, 12], [-1, 2], [np.nan]):
        with pytest.raises(ValueError, match=r"sites in \[0, 12\)"):
            Domain.ring(1.0, 12, sites)


def test_truth_has_the_shape_of_the_means():
    model = StateSpace(STILL, GaussianObservation(Components(), EYE), EYE)
    result = filter(model, EnKF(), np.zeros((3, 2)), X, KEY)
    for truth in (np.zeros(2), np.zeros((1, 2)), np.zeros((3, 1)), np.zeros((3, 2, 1))):
        for score in (result.rmse, result.crps, result.coverage, result.rank_histogram):
            with pytest.raises(ValueError, match=r"truth of shape \(3, 2\)"):
                score(truth)


# ------------------------------------------------------------- correlated errors


def correlated(p, seed=3):
    root = np.random.default_rng(seed).normal(size=(p, p))
    return root @ root.T + 0.2 * np.eye(p)


def analyzed(kind, distance, cov, order, y, radius=1.5):
    """A ring's components seen in an order, with errors of this covariance."""
    x = np.cumsum(np.random.default_rng(0).normal(size=(9, 6)), axis=1)
    operator = Linear(np.eye(6)[order])
    observation = GaussianObservation(operator, cov[np.ix_(order, order)])
    method = kind(Domain(radius, distance[:, order]))
    mu = Particles.from_samples(x)
    run = eqx.filter_jit(lambda mu, y: method.analyze(mu, y, observation, KEY).x)
    return np.asarray(run(mu, jnp.asarray(y[order])))


PLACE = np.arange(6)
APART = np.abs(PLACE[:, None] - PLACE)
SEEN = np.linspace(-1, 2, 6)


@pytest.mark.parametrize("kind", [LETKF, LocalEnKF], ids=lambda k: k.__name__)
def test_the_order_of_correlated_observations_does_not_matter(kind):
    """Members of the LETKF; the mean of the EnKF, whose draws are by number."""
    found = [
        analyzed(kind, APART, correlated(6), order, SEEN)
        for order in (PLACE, PLACE[::-1], np.array([3, 0, 5, 1, 4, 2]))
    ]
    if kind is LocalEnKF:
        found = [x.mean(0) for x in found]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [LETKF, LocalEnKF], ids=lambda k: k.__name__)
def test_correlated_errors_out_of_reach_say_nothing(kind):
    """A component's analysis is that of the observations in reach alone."""
    cov, far = correlated(6), np.where(APART < 3, 0.0, 100.0)
    base = analyzed(kind, far, cov, PLACE, SEEN)
    jumped = analyzed(kind, far, cov, PLACE, SEEN + 50 * (PLACE == 5))
    np.testing.assert_array_equal(jumped[:, :3], base[:, :3])
    assert np.abs(jumped - base)[:, 3:].min() > 1e-3
    if kind is LETKF:
        near = PLACE[:3]
        alone = analyzed(kind, far, cov, near, SEEN)
        np.testing.assert_allclose(alone[:, 0], base[:, 0], atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("local", "whole"), [(LETKF, ETKF()), (LocalEnKF, EnKF())], ids=["LETKF", "EnKF"]
)
def test_without_a_radius_correlated_errors_are_those_of_the_global_filter(
    local, whole
):
    cov = correlated(6)
    found = analyzed(local, APART, cov, PLACE, SEEN, radius=np.inf)
    x = np.cumsum(np.random.default_rng(0).normal(size=(9, 6)), axis=1)
    observation = GaussianObservation(Components(), cov)
    expected = whole.analyze(
        Particles.from_samples(x), jnp.asarray(SEEN), observation, KEY
    )
    np.testing.assert_allclose(found, expected.x, atol=1e-9)


def test_a_taper_adds_errors_of_its_own():
    r"""The gain with $R + \mathrm{diag}((1/w - 1)R_{oo})$, by numpy."""
    cov, s = correlated(6), 2
    x = np.cumsum(np.random.default_rng(0).normal(size=(9, 6)), axis=1)
    w = np.asarray(gaspari_cohn(APART[s] / (1.82 * 1.5)))
    near = w > 0
    errors = (cov + np.diag((1 / np.where(near, w, 1) - 1) * np.diag(cov)))[near][
        :, near
    ]
    dx = x - x.mean(0)
    dy = dx[:, near]
    gain = dx[:, s] @ dy / 8 @ np.linalg.inv(dy.T @ dy / 8 + errors)
    expected = x[:, s].mean() + gain @ (SEEN - x.mean(0))[near]
    for kind in (LETKF, LocalEnKF):
        found = analyzed(kind, APART, cov, PLACE, SEEN)[:, s].mean()
        assert found == pytest.approx(expected, rel=1e-10)


# ------------------------------------------------------------- identical members


@each_method
def test_a_law_that_nothing_spreads_is_refused(method):
    """Unless the model has noise."""
    one = jnp.array([1.0, 2.0])
    equal = jnp.tile(one, (12, 1))
    initial = law(method, equal) if not isinstance(method, KalmanFilter) else None
    if initial is None:
        initial = Gaussian(one, EYE).with_state((one, 0 * jnp.eye(2)))
    observation = GaussianObservation(Components(), EYE)
    y = jnp.zeros((2, 2))
    for noise in (None, np.zeros((2, 1))):
        model = StateSpace(STILL, observation, noise)
        with pytest.raises(ValueError, match="the model has no noise that would"):
            filter(model, method, y, initial, KEY)
        with pytest.raises(ValueError, match="the model has no noise that would"):
            assimilate(model, method, init(method, initial, KEY), y[0])


@pytest.mark.slow
def test_a_law_that_something_spreads_is_not():
    equal = 1 + 1e-16 * X
    observation = GaussianObservation(Components(), EYE)
    y = jnp.zeros((2, 2))
    brownian = EulerMaruyama(lambda x, t: -x, lambda x, t: 1.0, 1.0)
    learned = Learnable(EYE, positive=False)
    for model in (
        StateSpace(brownian, observation),
        StateSpace(STILL, observation, learned),
    ):
        found = filter(model, EnKF(), y, equal, KEY)
        assert (found.spread > 0.1).all()
    # Equal but for rounding is equal; one weight that holds all is one member.
    model = StateSpace(STILL, observation)
    with pytest.raises(ValueError, match="all 12 members of initial are identical"):
        filter(model, EnKF(), y, equal, KEY)
    single = Particles.from_samples(X, np.arange(12) == 3)
    for method in (EnKF(), ParticleFilter()):
        with pytest.raises(ValueError, match="members of initial are identical"):
            filter(model, method, y, single, KEY)


# --------------------------------------------------------------------------- nan


def test_nan_shows():
    x = np.array([[0.0, 1.0], [1.0, np.nan], [2.0, 3.0]])
    np.testing.assert_array_equal(level_of(x, [1.5, 0.0]), [2 / 3, np.nan])
    assert np.isnan(level_of(x[:, :1], [np.nan])[0])
    with pytest.raises(ValueError, match="covered: expected x finite, found nan"):
        covered(x, [1.5, 0.0])
    assert np.isnan(jax.jit(gaspari_cohn)(np.nan))
    with pytest.raises(ValueError, match="a >= 0.*found nan"):
        gaspari_cohn([0.5, np.nan])
    with pytest.raises(ValueError, match="EnKF: .* without period"):
        init(EnKF(), Particles.from_samples(X, period=6.0), KEY)
    law = Particles.from_samples(X)
    for logw in (jnp.nan, -jnp.inf, jnp.inf):
        lost = law.with_state((X, jnp.full(12, logw)))
        with pytest.raises(ValueError, match="expected weights of initial"):
            init(ParticleFilter(), lost, KEY)


def test_covariances_are_judged_in_their_own_units():
    for unit in (1e-12, 1.0, 1e12):
        with pytest.raises(ValueError, match="cov symmetric"):
            GaussianObservation(Components(), unit * np.array([[1, 0], [0.9, 1]]))
        GaussianObservation(Components(), unit * np.array([[1, 0.9], [0.9, 1]]))


def test_a_log_likelihood_of_a_half_square():
    """A closed form, through the checks."""
    found = float(half_square(0.4).log_likelihood([1.0], jnp.array([2.0])))
    exact = -((1 - 2) ** 2) / (2 * 0.16) - np.log(0.4) - np.log(2 * np.pi) / 2
    assert found == pytest.approx(exact, rel=1e-12)


def test_coupling_needs_radial_kernels():
    with pytest.raises(TypeError, match="kernel_x to be a radial kernel, found float"):
        CouplingTransport(0.5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_carried_on_in_single_precision(dtype):
    model = StateSpace(STILL, GaussianObservation(Components(), EYE), EYE)
    short = X.astype(dtype)
    found = filter(model, EnKF(), np.zeros((1, 2)), short, KEY)
    assert found.mean.dtype == jnp.float32
    expected = filter(model, EnKF(), np.zeros((1, 2)), short.astype("float32"), KEY)
    np.testing.assert_array_equal(found.mean, expected.mean)
    assert twin(model, short[0], 1, KEY).truth.dtype == jnp.float32
