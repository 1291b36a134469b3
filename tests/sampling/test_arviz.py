"""Samples as ArviZ's trees and as tables, of made-up runs."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from wflow.measures import Particles
from wflow.sampling import NUTS, Target, sample
from wflow.sampling.samples import Samples
from wflow.sampling.table import quantiles


stats = pytest.importorskip("arviz_stats")

Y = np.array([0.5, -1.0, 2.0])
N, SAVES = 6, 4
X = np.random.default_rng(0).normal(size=(SAVES, N, 4))


def log_likelihood(point):
    return {"seen": -((Y - point["a"] - point["b"]) ** 2) / 2}


def log_density(point):
    return jnp.sum(log_likelihood(point)["seen"]) - point["a"] ** 2


TARGET = Target.of(
    log_density,
    {"a": 0.0, "b": np.zeros(3)},
    log_likelihood=log_likelihood,
    data={"seen": Y},
    predict=lambda point, key: {"seen": point["b"] + 0 * jax.random.normal(key)},
)


def run(weights=None, chains=None, x=X, target=TARGET):
    weights = np.full(x.shape[1], 1 / x.shape[1]) if weights is None else weights
    return Samples(
        particles=jnp.asarray(x[-1]),
        weights=jnp.asarray(weights),
        target=target,
        history=jax.vmap(Particles)(jnp.asarray(x), jnp.zeros(x.shape[:2])),
        times=jnp.arange(float(len(x))),
        energy=jnp.zeros(len(x)),
        evaluations=1200,
        method="made up",
        chains=chains,
    )


def test_a_tree_of_chains():
    # Every particle is a chain, of which the later half of the saved states is shown.
    tree = run(chains=N).to_arviz(coords={"who": list("xyz")}, dims={"b": ["who"]})
    posterior = tree["posterior"]
    assert posterior.sizes == {"chain": N, "draw": 2, "who": 3}
    np.testing.assert_array_equal(posterior["a"], X[2:, :, 0].T)
    np.testing.assert_array_equal(
        posterior["b"].sel(who="y"), np.swapaxes(X[2:], 0, 1)[..., 2]
    )
    early = tree["warmup_posterior"]["a"]
    np.testing.assert_array_equal(early, X[:2, :, 0].T)
    np.testing.assert_array_equal(tree["observed_data"]["seen"], Y)
    exact = -((Y - X[2:, :, :1] - X[2:, :, 1:]) ** 2) / 2
    found = tree["log_likelihood"]["seen"]
    np.testing.assert_allclose(found, np.swapaxes(exact, 0, 1), rtol=1e-12)
    lp = exact.sum(-1) - X[2:, :, 0] ** 2
    np.testing.assert_allclose(tree["sample_stats"]["lp"], lp.T, rtol=1e-12)
    predicted = tree["posterior_predictive"]["seen"]
    np.testing.assert_array_equal(predicted, np.swapaxes(X[2:], 0, 1)[..., 1:])
    assert "particles" not in tree


@pytest.mark.slow
def test_weights_are_drawn_by_and_kept():
    weights = np.array([5.0, 3.0, 1.0, 1.0, 1.0, 1.0]) / 12
    samples = run(weights)
    with pytest.warns(UserWarning, match="6 weighted particles, no Markov chains"):
        tree = samples.to_arviz(jax.random.key(1))
    drawn = tree["posterior"]["b"].values[0]
    times = (drawn[:, None] == X[-1, :, 1:]).all(-1).sum(0)
    np.testing.assert_allclose(times, N * weights, atol=1)
    cloud = tree["particles"]
    np.testing.assert_array_equal(cloud["b"], X[-1, :, 1:])
    np.testing.assert_allclose(cloud["log_weight"], np.log(weights))
    assert cloud.attrs["ess"] == pytest.approx(float(samples.ess))
    # Six particles have no tail to fit.
    assert np.isnan(cloud.attrs["pareto_k"])


@pytest.mark.parametrize("shape", [0.3, 0.6, -1.0])
def test_the_shape_of_a_tail_is_found(shape):
    # Quantiles of a generalized Pareto law of that shape.
    u = (np.arange(4000) + 0.5) / 4000
    weights = ((1 - u) ** -shape - 1) / shape + 1
    found = run(weights / weights.sum(), x=np.zeros((1, 4000, 4))).pareto_k
    assert found == pytest.approx(shape, abs=0.12)


def test_equal_weights_have_no_tail():
    assert run().pareto_k == -np.inf


def test_leaving_one_out_of_a_normal_mean():
    # Of y_i ~ N(theta, 1) with a flat prior: the law without y_i is
    # N(mean of the others, 1 + 1 / (n - 1)).
    rng = np.random.default_rng(1)
    y = rng.normal(size=8)
    likelihood = lambda x: -((y - x[0]) ** 2) / 2 - np.log(2 * np.pi) / 2
    target = Target.of(
        lambda x: jnp.sum(likelihood(x)), np.zeros(1), log_likelihood=likelihood, data=y
    )
    draws = y.mean() + rng.normal(size=(1000, 4, 1)) / np.sqrt(8)
    tree = run(chains=4, x=draws, target=target).to_arviz()
    others = (y.sum() - y) / 7
    var = 1 + 1 / 7
    exact = np.sum(-((y - others) ** 2) / (2 * var) - np.log(2 * np.pi * var) / 2)
    assert stats.loo(tree).elpd == pytest.approx(exact, abs=0.15)


def test_print_is_a_table():
    weights = np.array([5.0, 3.0, 1.0, 1.0, 1.0, 1.0]) / 12
    first, head, *rows = str(run(weights)).splitlines()
    assert first == "made up: 6 particles, effective 3.8, 1,200 evaluations"
    assert head.split() == ["mean", "sd", "5%", "50%", "95%"]
    assert [row.split()[0] for row in rows] == ["a", "b[1]", "b[2]", "b[3]"]
    assert float(rows[0].split()[1]) == pytest.approx(X[-1, :, 0] @ weights, rel=1e-3)
    chains = np.tile(X, (4, 1, 1))
    first, head, *_ = str(run(chains=N, x=chains)).splitlines()
    assert first.startswith("made up: 6 chains of 8 draws, 1,200")
    assert head.split()[-2:] == ["ess", "r_hat"]


def test_quantiles_of_weights():
    found = quantiles(np.array([[3.0], [1.0], [2.0]]), np.array([0.04, 0.9, 0.06]))
    np.testing.assert_array_equal(found[:, 0], [1, 1, 2])


def schools(y):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("school", len(y)):
        theta = numpyro.sample("theta", dist.Normal(mu, 1))
        numpyro.deterministic("double", 2 * theta)
        numpyro.sample("y", dist.Normal(theta, 0.5), obs=y)


@pytest.mark.slow
def test_a_model_knows_its_data_and_its_plates():
    target = Target.from_numpyro(schools, Y, key=jax.random.key(0))
    x = X[:2]
    tree = run(chains=N, x=x, target=target).to_arviz(coords={"school": list("abc")})
    values = {name: tree["posterior"][name] for name in ("mu", "theta", "double")}
    assert values["double"].dims == ("chain", "draw", "school")
    np.testing.assert_array_equal(values["theta"][:, 0], x[1, :, 1:])
    exact = dist.Normal(x[1, :, 1:], 0.5).log_prob(Y)
    found = tree["log_likelihood"]["y"]
    assert found.dims == ("chain", "draw", "school")
    np.testing.assert_allclose(found[:, 0], exact, rtol=1e-12)
    np.testing.assert_array_equal(tree["observed_data"]["y"].sel(school="c"), Y[2])
    noise = tree["posterior_predictive"]["y"] - values["theta"]
    # Eighteen independent draws of deviation 0.5, within four standard errors.
    assert float(np.sqrt((noise**2).mean())) == pytest.approx(0.5, abs=0.34)


# Of the old arviz-plots beside a new matplotlib.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_arviz_draws_a_run(monkeypatch):
    import matplotlib
    import matplotlib.style

    # Up to 0.8, the last for Python 3.11, arviz-plots wants an older matplotlib.
    monkeypatch.setattr(matplotlib.style, "core", matplotlib.style, raising=False)
    plots = pytest.importorskip("arviz_plots")
    target = Target.from_numpyro(schools, Y, key=jax.random.key(0))
    method = NUTS(warmup=20, thin=2, chains=2)
    samples = sample(target, X[0], key=jax.random.key(1), method=method, saves=1)
    tree = samples.to_arviz()
    assert tree["sample_stats"]["diverging"].shape == (2, 3)
    assert tree["warmup_posterior"].sizes["draw"] == 10
    colors = {"color": ["#1f4e79", "#c1440e"]}
    assert plots.plot_rank(tree, backend="matplotlib", **colors) is not None
    plots.plot_ppc_dist(tree, backend="matplotlib", num_samples=3)
    assert "arviz_plots" in sys.modules
