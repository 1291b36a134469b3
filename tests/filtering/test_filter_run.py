"""The scan over cycles, its online form, missing and hostile input."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.filtering import (
    ETKF,
    LETKF,
    Components,
    DiscreteMap,
    Domain,
    EnKF,
    GaussianObservation,
    GridFilter,
    KalmanFilter,
    Linear,
    LocalEnKF,
    Lorenz63,
    ParticleFilter,
    RungeKutta4,
    SimulatedObservation,
    StateSpace,
    assimilate,
    filter,
    init,
    lorenz63_full,
    twin,
)
from wflow.filtering.result import FilterError
from wflow.measures import Gaussian, Grid, Particles
from wflow.parameters import Learnable


KEY = jax.random.key(0)
SETTING = lorenz63_full()
TWIN = SETTING.twin(jax.random.key(1), 6)
START = SETTING.ensemble(jax.random.key(2), 8)
DOMAIN = Domain(2.0, 1 - np.eye(3))
METHODS = [
    EnKF(1.02),
    ETKF(1.02, rotate=True),
    LETKF(DOMAIN, 1.02),
    LocalEnKF(DOMAIN, 1.02),
    ParticleFilter(1.0, 0.8),
    KalmanFilter(),
]


def over(methods):
    return pytest.mark.parametrize("method", methods, ids=lambda method: method.name)


each_method, each_ensemble_method = over(METHODS), over(METHODS[:-1])


def law(method):
    return SETTING.initial if isinstance(method, KalmanFilter) else START


def run(method, observed=TWIN.observed, **options):
    return filter(SETTING.model, method, observed, law(method), KEY, **options)


@pytest.mark.slow
@each_method
def test_online_cycles_are_the_scan_to_the_bit(method, tmp_path):
    """One observation at a time, saved and resumed half-way in a new state."""
    whole = run(method)
    state = init(method, law(method), KEY)
    for k, y in enumerate(TWIN.observed):
        if k == 3:
            state.save(tmp_path / "state.eqx")
            state = init(method, law(method), jax.random.key(9)).load(
                tmp_path / "state.eqx"
            )
        state = assimilate(SETTING.model, method, state, y)
    for online, scanned in zip(
        jax.tree.leaves(state.measure),
        jax.tree.leaves(whole.state.measure),
        strict=True,
    ):
        np.testing.assert_array_equal(online, scanned)
    assert int(state.cycle) == 6


def test_two_scans_in_a_row_are_one():
    """To the bit; and without the laws kept, the moments are the same."""
    whole = run(METHODS[0])
    first = run(METHODS[0], TWIN.observed[:3], save=False)
    second = filter(
        SETTING.model, METHODS[0], TWIN.observed[3:], first.state, save=False
    )
    np.testing.assert_array_equal(first.mean, whole.mean[:3])
    np.testing.assert_array_equal(second.mean, whole.mean[3:])
    np.testing.assert_array_equal(second.times, whole.times[3:])
    with pytest.raises(ValueError, match="save=True"):
        second.coverage(TWIN.truth[3:])


@pytest.mark.slow
@each_method
def test_result_is_consistent(method):
    found = run(method)
    assert int(found.failed) == -1
    assert "all 6 cycles were finite" in found.message
    np.testing.assert_allclose(found.times, 0.25 * np.arange(1, 7), rtol=1e-12)
    last = jax.tree.map(lambda leaf: leaf[-1], found.measures)
    np.testing.assert_allclose(found.mean[-1], last.mean, rtol=1e-10)
    assert np.isfinite(found.log_evidence).all()
    spread = jnp.sqrt(found.variance.mean(1))
    np.testing.assert_allclose(found.spread, spread)
    assert (found.crps(TWIN.truth) > 0).all()
    assert found.rmse(TWIN.truth).shape == (6,)
    assert 0 <= float(found.coverage(TWIN.truth)) <= 1
    if isinstance(method, KalmanFilter):
        with pytest.raises(TypeError, match="Gaussian, no ensemble"):
            found.rank_histogram(TWIN.truth)
        # The central 90 % are 1.645 standard deviations on each side.
        edge = found.mean + 1.64 * found.std
        assert found.covered(edge).all()
        assert not found.covered(edge + 0.01 * found.std).any()
    else:
        assert int(found.rank_histogram(TWIN.truth).sum()) == 18
        assert found.ensembles.shape == (6, 8, 3)


@each_method
def test_missing_observations(method):
    """All missing: the forecast to the bit. One missing: as if it were not there."""
    mu = method.init(law(method), KEY)
    y = TWIN.observed[0]
    observation = SETTING.model.observation
    analyze = eqx.filter_jit(
        lambda method, mu, y, observation: method.analyze(mu, y, observation, KEY)
    )
    same = analyze(method, mu, jnp.full(3, jnp.nan), observation)
    for a, b in zip(jax.tree.leaves(same), jax.tree.leaves(mu), strict=True):
        np.testing.assert_array_equal(a, b)
    part = analyze(method, mu, y.at[2].set(jnp.nan), observation)
    fewer = GaussianObservation(Components(stop=2), 2 * np.eye(2))
    if isinstance(method, EnKF | LocalEnKF):
        # Its draws are of the length of the observation: cut a larger one.
        wide = GaussianObservation(
            lambda x: x.at[2].set(x[2] ** 3), np.diag([2.0, 2.0, 7.0])
        )
        expected = analyze(method, mu, y.at[2].set(jnp.nan), wide)
    elif isinstance(method, LETKF):
        local = LETKF(Domain(2.0, (1 - np.eye(3))[:, :2]), method.inflation)
        expected = analyze(local, mu, y[:2], fewer)
    else:
        expected = analyze(method, mu, y[:2], fewer)
    for a, b in zip(jax.tree.leaves(part), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    missing = TWIN.observed.at[2].set(jnp.nan).at[4, 1].set(jnp.nan)
    found = run(method, missing)
    assert np.isfinite(found.mean).all()
    assert float(found.log_evidence[2]) == pytest.approx(0, abs=1e-12)


class Tripled(eqx.Module):
    """A map whose end is infinite from a time on."""

    end: jax.Array

    def __call__(self, x, t):
        return jnp.where(t >= self.end, jnp.inf, 3 * x)


class Narrow(eqx.Module):
    """An operator that ends at a distance from the origin."""

    end: jax.Array

    def __call__(self, x):
        return jnp.where(jnp.abs(x) > self.end, jnp.nan, x)


def growing(time, distance):
    return StateSpace(
        DiscreteMap(Tripled(jnp.asarray(time))),
        GaussianObservation(Narrow(jnp.asarray(distance)), np.eye(1)),
    )


@pytest.mark.slow
def test_a_failed_cycle_is_named_and_what_was_before_is_kept():
    observed = jnp.ones((6, 1))
    ensemble = jnp.linspace(-1, 1, 8)[:, None]
    with pytest.raises(FilterError, match="the forecast of cycle 3") as caught:
        filter(growing(3.0, 1e9), EnKF(), observed, ensemble, KEY)
    kept = caught.value.result
    good = filter(growing(9.0, 1e9), EnKF(), observed, ensemble, KEY)
    assert int(good.failed) == -1
    np.testing.assert_array_equal(kept.mean[:3], good.mean[:3])
    assert np.isnan(kept.mean[3:]).all()
    assert int(kept.failed) == 3
    # The state is that before the failure, from which one may go on.
    np.testing.assert_array_equal(kept.state.measure.x, good.ensembles[2])
    assert int(kept.state.cycle) == 3
    # In the analysis: the operator ends at 5, while the states go beyond. What is not
    # looked at does no harm.
    unseen = jnp.full((6, 1), jnp.nan)
    found = filter(growing(9.0, 5.0), EnKF(), unseen, ensemble, KEY, throw=False)
    assert int(found.failed) == -1
    seen = unseen.at[1].set(0.0)
    found = filter(growing(9.0, 5.0), EnKF(), seen, ensemble, KEY, throw=False)
    assert "the analysis of cycle 1 (time 2) became nan" in found.message
    # Online the state stays where it was.
    state = init(EnKF(), ensemble, KEY)
    for k, y in enumerate(seen[:3]):
        state = assimilate(growing(9.0, 5.0), EnKF(), state, y)
        assert bool(state.ok) == (k < 1)
    np.testing.assert_array_equal(state.measure.x, found.state.measure.x)
    assert int(state.cycle) == 1


def test_one_compilation_for_all_numbers():
    """Another inflation, another rho, other observations: nothing is compiled anew."""
    traces = []

    def drift(x, t):
        traces.append(1)
        return -x

    model = StateSpace(DiscreteMap(drift), GaussianObservation(Components(), np.eye(2)))
    counts = []
    for seed, inflation in enumerate([1.0, 1.1]):
        rng = np.random.default_rng(seed)
        filter(
            model,
            EnKF(inflation),
            rng.normal(size=(5, 2)),
            rng.normal(size=(6, 2)),
            jax.random.key(seed),
            save=False,
        )
        counts.append(len(traces))
    assert counts[0] == counts[1]


@pytest.mark.slow
@each_method
def test_float32_stays_float32(method):
    single = filter(
        SETTING.model,
        method,
        TWIN.observed,
        jax.tree.map(lambda leaf: leaf.astype(jnp.float32), law(method)),
        KEY,
    )
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(single.measures)}
    assert dtypes == {jnp.dtype("float32")}
    assert single.mean.dtype == jnp.float32
    if isinstance(method, KalmanFilter):  # without draws, which differ with the dtype
        np.testing.assert_allclose(single.mean, run(method).mean, rtol=1e-3)


def test_jit_and_vmap_over_keys():
    rows = lambda key: filter(SETTING.model, METHODS[0], TWIN.observed, START, key)
    keys = jax.random.split(KEY, 2)
    many = jax.jit(jax.vmap(rows))(keys)
    np.testing.assert_allclose(many.mean[1], rows(keys[1]).mean, rtol=1e-6)


@pytest.mark.slow
def test_learnable_numbers_are_used_as_they_are():
    drift = Lorenz63(rho=Learnable(28.0), beta=Learnable(8 / 3))
    observation = GaussianObservation(
        Components(), Learnable(2 * np.eye(3), positive=False)
    )
    model = StateSpace(RungeKutta4(drift, Learnable(0.01), 25), observation)
    found = filter(model, EnKF(Learnable(1.02)), TWIN.observed, START, KEY)
    np.testing.assert_allclose(found.mean, run(METHODS[0]).mean, rtol=1e-8)
    again = twin(model, TWIN.truth[0], 2, KEY)
    expected = SETTING.model.step(TWIN.truth[0], 0.0, KEY)
    np.testing.assert_allclose(again.truth[0], expected, rtol=1e-10)


def test_unequal_weights_are_resampled_for_methods_without_weights():
    weights = np.arange(1.0, 9)
    weights /= weights.sum()
    mu = Particles.from_samples(START, weights)
    equal = EnKF().init(mu, KEY)
    np.testing.assert_allclose(equal.logw, -np.log(8), rtol=1e-12)
    chosen = (np.asarray(equal.x)[:, None] == np.asarray(START)).all(-1).sum(0)
    # Systematic: n w rounded down or up.
    assert (np.floor(8 * weights) <= chosen).all()
    assert (chosen <= np.ceil(8 * weights)).all()
    kept = ParticleFilter().init(mu, KEY)
    np.testing.assert_allclose(np.exp(kept.logw), weights)


@pytest.mark.slow
def test_bad_input_is_named():
    model = SETTING.model
    good = TWIN.observed
    with pytest.raises(ValueError, match="observations of 3 components.* found 2"):
        filter(model, EnKF(), good[:, :2], START, KEY)
    with pytest.raises(ValueError, match=r"\(T, p\), T >= 1, found \(3,\)"):
        filter(model, EnKF(), good[0], START, KEY)
    with pytest.raises(ValueError, match=r"\(T, p\), T >= 1, found \(0, 3\)"):
        filter(model, EnKF(), good[:0], START, KEY)
    with pytest.raises(
        ValueError, match=r"observations finite, found inf at.*\(4, 0\)"
    ):
        filter(model, EnKF(), good.at[4, 0].set(jnp.inf), START, KEY)
    with pytest.raises(ValueError, match=r"initial of shape \(n, d\) or Particles"):
        filter(model, EnKF(), good, START[0], KEY)
    with pytest.raises(ValueError, match="at least 2 members, found 1"):
        filter(model, EnKF(), good, START[:1], KEY)
    with pytest.raises(ValueError, match="1 of 8 members of initial are not finite"):
        filter(model, EnKF(), good, START.at[3, 0].set(jnp.nan), KEY)
    with pytest.raises(ValueError, match="expected a key"):
        filter(model, EnKF(), good, START)
    state = init(EnKF(), START, KEY)
    with pytest.raises(ValueError, match=r"observed of shape \(p,\), found .*\(6, 3\)"):
        assimilate(model, EnKF(), state, good)
    with pytest.raises(ValueError, match="a state has its key"):
        filter(model, EnKF(), good, state, KEY)
    with pytest.raises(ValueError, match="inflation > 0.*, found 0"):
        EnKF(0.0)
    with pytest.raises(ValueError, match="jitter >= 0"):
        ParticleFilter(jitter=-1.0)
    with pytest.raises(TypeError, match="KalmanFilter does not act on"):
        filter(model, KalmanFilter(), good, START, KEY)
    with pytest.raises(TypeError, match="GridFilter does not act on Gaussian"):
        filter(model, GridFilter(), good, SETTING.initial, KEY)
    blind = StateSpace(
        model.transition, SimulatedObservation(lambda x, key: x), model.noise
    )
    with pytest.raises(TypeError, match="EnKF needs observations with Gaussian errors"):
        filter(blind, EnKF(), good, START, KEY)
    with pytest.raises(TypeError, match="ParticleFilter needs observations with a lik"):
        filter(blind, ParticleFilter(), good, START, KEY)
    line = Grid.from_log_density(lambda x: -(x[0] ** 2), -3, 3, (50,))
    still = StateSpace(
        DiscreteMap(Linear([[1.0]])), GaussianObservation(Components(), [[1.0]])
    )
    with pytest.raises(TypeError, match="additive model noise"):
        filter(still, GridFilter(), good[:, :1], line, KEY)
    # Noise that no cell of the grid resolves.
    thin = StateSpace(still.transition, still.observation, [[0.01]])
    with pytest.raises(ValueError, match="as wide as a cell, of 0.12, found .* 0.01"):
        filter(thin, GridFilter(), good[:, :1], line, KEY)
    with pytest.raises(ValueError, match=r"function to .*shape \(3,\), found.*\(2,\)"):
        filter(
            StateSpace(DiscreteMap(lambda x, t: x[:2]), model.observation),
            EnKF(),
            good,
            START,
            KEY,
        )
    with pytest.raises(ValueError, match="domain of 3 components.* found one of 4"):
        filter(model, LETKF(Domain(1.0, np.ones((4, 3)))), good, START, KEY)
    with pytest.raises(ValueError, match="one row for each cycle"):
        run(EnKF(1.02)).rmse(TWIN.truth[:2])
    with pytest.raises(ValueError, match="not a file that wflow wrote"):
        state.load(__file__)


@pytest.mark.slow
@each_ensemble_method
def test_members_that_agree_divide_by_nothing(method):
    """There is nothing to learn from; model noise spreads them in the next cycle."""
    equal = Particles.from_samples(jnp.tile(SETTING.initial.mean, (8, 1)))
    observation = SETTING.model.observation
    found = eqx.filter_jit(method.analyze)(equal, TWIN.observed[0], observation, KEY)
    np.testing.assert_allclose(found.x, equal.x, atol=1e-6)
    noisy = StateSpace(SETTING.model.transition, observation, 0.1 * np.eye(3))
    spread = filter(noisy, method, TWIN.observed, equal, KEY).spread
    assert ((spread > 0.01) & (spread < 10)).all()


def test_an_impossible_observation_is_no_error():
    """A million standard deviations away: weights have no sum, but a logarithm."""
    far = TWIN.observed.at[2].add(1e6)
    found = run(ParticleFilter(1.0, 0.8), far)
    assert np.isfinite(found.mean).all()
    assert float(found.ess[2]) == pytest.approx(1, abs=1e-3)
    gaussian = Gaussian(np.zeros(3), np.eye(3))
    assert isinstance(KalmanFilter().init(gaussian, KEY), Gaussian)
