"""Posteriors of posteriordb: densities by scipy, files, reference draws.

The slow test wants the folder of the files in the environment variable POSTERIORDB.
"""

import json
import os
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import MCMC, NUTS
from scipy.special import logsumexp
from scipy.stats import beta, cauchy, gamma, halfnorm, multivariate_normal, norm

from tests.sampling.posterior_files import FEW, file_of
from wflow.sampling.posteriordb import MODELS
from wflow.sampling.posteriors import load_posterior


def half_cauchy(x, scale):
    return np.log(2) + cauchy.logpdf(x, 0, scale)


def schools(p, y, sigma):
    z = (p["theta"] - p["mu"]) / p["tau"]
    prior = norm.logpdf(p["mu"], 0, 5) + half_cauchy(p["tau"], 5)
    return prior + norm.logpdf(z).sum() + norm.logpdf(y, p["theta"], sigma).sum()


def lake(p, x, y, pmualpha, psalpha, pmubeta, psbeta):
    prior = norm.logpdf(p["alpha"], pmualpha, psalpha)
    prior += norm.logpdf(p["beta"], pmubeta, psbeta)
    return prior + norm.logpdf(y, p["alpha"] + p["beta"] * x, p["sigma"]).sum()


def autoregression(p, y, K):
    prior = norm.logpdf(p["alpha"], 0, 10) + norm.logpdf(p["beta"], 0, 10).sum()
    total = prior + half_cauchy(p["sigma"], 2.5)
    for t in range(K, len(y)):
        mean = p["alpha"] + sum(p["beta"][k] * y[t - k - 1] for k in range(K))
        total += norm.logpdf(y[t], mean, p["sigma"])
    return total


def line(p, x, y):
    return norm.logpdf(y, p["beta"][0] + p["beta"][1] * x, p["sigma"]).sum()


def process(p, x, y):
    prior = gamma.logpdf(p["rho"], 25, scale=1 / 4)
    prior += halfnorm.logpdf(p["alpha"], scale=2) + halfnorm.logpdf(p["sigma"])
    gaps = np.subtract.outer(x, x) / p["rho"]
    cov = p["alpha"] ** 2 * np.exp(-(gaps**2) / 2) + p["sigma"] * np.eye(len(x))
    return prior + multivariate_normal.logpdf(y, np.zeros(len(x)), cov)


def mixture(p, y):
    prior = (
        norm.logpdf(p["mu"], 0, 2).sum() + halfnorm.logpdf(p["sigma"], scale=2).sum()
    )
    logs = norm.logpdf(y[:, None], p["mu"], p["sigma"])
    weights = np.array([p["theta"], 1 - p["theta"]])
    return prior + beta.logpdf(p["theta"], 5, 5) + logsumexp(logs, 1, weights).sum()


def regression(p, X, y):
    prior = norm.logpdf(p["beta"], 0, 10).sum() + halfnorm.logpdf(p["sigma"], scale=10)
    return prior + norm.logpdf(y, X @ p["beta"], p["sigma"]).sum()


BY_SCIPY = {
    "eight_schools_noncentered": schools,
    "kilpisjarvi": lake,
    "arK": autoregression,
    "kidscore_momiq": lambda p, kid_score, mom_iq: (
        line(p, mom_iq, kid_score) + half_cauchy(p["sigma"], 2.5)
    ),
    "logearn_height": lambda p, earn, height: line(p, height, np.log(earn)),
    "gp_regr": process,
    "low_dim_gauss_mix": mixture,
    "blr": regression,
}


def log_jacobian(name, p):
    """Of positive numbers their logarithms are the coordinates."""
    if name == "eight_schools_noncentered":
        return np.log(p["tau"])
    if name == "gp_regr":
        return np.log(p["rho"] * p["alpha"] * p["sigma"])
    found = np.sum(np.log(p["sigma"]))
    if name == "low_dim_gauss_mix":
        found += np.log(p["mu"][1] - p["mu"][0])
        found += np.log(p["theta"] * (1 - p["theta"]))
    return found


def written(folder, name, **changes):
    path = folder / f"few__{name}.npz"
    arrays = {**file_of(name), **changes}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.slow if name in ("gp_regr", "low_dim_gauss_mix") else (),
        )
        for name in MODELS
    ],
)
def test_densities_are_those_of_scipy(name, tmp_path):
    posterior = load_posterior(written(tmp_path, name))
    target, d = posterior.target, len(posterior.names)
    z = jnp.linspace(-0.5, 0.7, d)
    value, gradient = jax.jit(jax.value_and_grad(target))(z)
    p = {key: np.asarray(found) for key, found in target.constrain(z).items()}
    exact = BY_SCIPY[name](p, **FEW[name]) + log_jacobian(name, p)
    assert value == pytest.approx(exact, rel=1e-10)
    assert np.isfinite(gradient).all()
    assert posterior.draws.shape == (6, d)
    assert target(z.astype(jnp.float32)) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"draws": None}, "expected an array draws, found names, data_X, data_y"),
        ({"data_X": None}, "expected an array data_X"),
        ({"data_y": np.full(4, np.nan)}, "data_y: expected finite numbers"),
        ({"data_y": np.array(["a"] * 4)}, "data_y: expected finite numbers"),
        (
            {"draws": np.zeros((2, 3, 4))},
            r"\(chains, n, 3\).*found float64 \(2, 3, 4\)",
        ),
        ({"draws": np.full((2, 3, 3), np.inf)}, "draws: expected finite"),
        (
            {"names": np.array(["sigma", "beta[1]", "beta[2]"])},
            r"names: expected beta\[1\], beta\[2\], sigma, found sigma",
        ),
    ],
)
def test_bad_files_are_named(changes, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        load_posterior(written(tmp_path, "blr", **changes))


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        load_posterior(tmp_path / "absent__blr.npz")
    (tmp_path / "text__blr.npz").write_text("no archive")
    with pytest.raises(ValueError, match="not a readable .npz"):
        load_posterior(tmp_path / "text__blr.npz")
    np.savez(tmp_path / "data__bll.npz", draws=np.zeros(3))
    with pytest.raises(ValueError, match="low_dim_gauss_mix, blr, found 'bll'"):
        load_posterior(tmp_path / "data__bll.npz")


def posteriordb(folder, name):
    """The files of posteriordb itself, of the same numbers; its path."""
    arrays = file_of(name)
    chains = [
        dict(zip(arrays["names"].tolist(), chain.T.tolist(), strict=True))
        for chain in arrays["draws"]
    ]
    texts = {
        "posteriors/few-it.json": {
            "model_name": name,
            "data_name": "few",
            "reference_posterior_name": "few-it",
        },
        "data/data/few.json": {
            key: np.asarray(value).tolist() for key, value in FEW[name].items()
        },
        # Parameters may come in another order.
        "reference_posteriors/draws/draws/few-it.json": [
            dict(reversed(chain.items())) for chain in chains
        ],
    }
    for place, text in texts.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if place.startswith("posteriors"):
            path.write_text(json.dumps(text))
        else:
            with zipfile.ZipFile(f"{path}.zip", "w") as archive:
                archive.writestr(path.name, json.dumps(text))
    return folder / "posteriors" / "few-it.json"


@pytest.mark.slow
def test_its_own_files_are_read_as_ours(tmp_path):
    found = load_posterior(posteriordb(tmp_path, "arK"))
    ours = load_posterior(written(tmp_path, "arK"))
    assert (found.model, found.names) == ("arK", ours.names)
    np.testing.assert_array_equal(found.draws, ours.draws)
    z = jnp.linspace(-0.5, 0.7, 4)
    assert found.target(z) == ours.target(z)


def test_its_bad_files_are_named(tmp_path):
    path = posteriordb(tmp_path, "blr")
    (tmp_path / "data" / "data" / "few.json.zip").unlink()
    with pytest.raises(ValueError, match=r"few.json: no such file, nor few.json.zip"):
        load_posterior(path)
    path.write_text("{}")
    with pytest.raises(ValueError, match="expected a posterior with a model_name"):
        load_posterior(path)
    path.write_text("no text")
    with pytest.raises(ValueError, match="not readable as JSON"):
        load_posterior(path)


FOLDER = Path(os.environ.get("POSTERIORDB", ""))


@pytest.mark.slow
@pytest.mark.skipif("POSTERIORDB" not in os.environ, reason="needs POSTERIORDB")
@pytest.mark.parametrize("name", MODELS)
def test_reference_draws_are_met(name):
    (path,) = FOLDER.glob(f"*__{name}.npz")
    posterior = load_posterior(path)
    sampler = NUTS(
        potential_fn=lambda z: -posterior.target(z),
        dense_mass=True,
        target_accept_prob=0.95,
    )
    chains = MCMC(
        sampler,
        num_warmup=1000,
        num_samples=1000,
        num_chains=4,
        chain_method="vectorized",
        progress_bar=False,
    )
    starts = 0.1 * jax.random.normal(jax.random.key(3), (4, len(posterior.names)))
    chains.run(jax.random.key(1), init_params=starts)
    values = jax.jit(jax.vmap(posterior.target.scalars))(chains.get_samples())
    # At least 700 effective draws: a standard error of 0.04 standard deviations.
    error = np.abs(values.mean(0) - posterior.mean) / posterior.std
    assert error.max() < 0.1
    np.testing.assert_allclose(values.std(0), posterior.std, rtol=0.1)
