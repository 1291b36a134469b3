"""The models of posteriordb, as NumPyro programs with the priors of its Stan ones.

Arguments are the data under their names there. ``MODELS`` also says which parameters
the reference draws have, in their order.

Reference: Magnusson et al., posteriordb, arXiv:2407.04967 (2024).
"""

import jax.numpy as jnp
import numpyro
from jaxtyping import Array
from numpyro import distributions as dist
from numpyro.distributions import constraints


def eight_schools_noncentered(y: Array, sigma: Array) -> None:
    """Effects theta = mu + tau z of eight schools."""
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
    z = numpyro.sample("z", _normal(1.0, len(y)))
    theta = numpyro.deterministic("theta", mu + tau * z)
    numpyro.sample("y", dist.Normal(theta, sigma), obs=y)


def kilpisjarvi(
    x: Array, y: Array, pmualpha: Array, psalpha: Array, pmubeta: Array, psbeta: Array
) -> None:
    """A line whose two coefficients are nearly collinear."""
    alpha = numpyro.sample("alpha", dist.Normal(pmualpha, psalpha))
    beta = numpyro.sample("beta", dist.Normal(pmubeta, psbeta))
    sigma = numpyro.sample("sigma", _flat(constraints.positive))
    numpyro.sample("y", dist.Normal(alpha + beta * x, sigma), obs=y)


def ar_k(y: Array, K: int) -> None:
    """Autoregression over K steps."""
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 10.0))
    beta = numpyro.sample("beta", _normal(10.0, K))
    sigma = numpyro.sample("sigma", dist.HalfCauchy(2.5))
    past = jnp.stack([y[K - k : len(y) - k] for k in range(1, K + 1)])
    numpyro.sample("y", dist.Normal(alpha + beta @ past, sigma), obs=y[K:])


def kidscore_momiq(kid_score: Array, mom_iq: Array) -> None:
    """A line with flat coefficients."""
    beta = numpyro.sample("beta", _flat(constraints.real_vector, 2))
    sigma = numpyro.sample("sigma", dist.HalfCauchy(2.5))
    line = beta[0] + beta[1] * mom_iq
    numpyro.sample("y", dist.Normal(line, sigma), obs=kid_score)


def logearn_height(earn: Array, height: Array) -> None:
    """A line with flat priors for the logarithm of the earnings."""
    beta = numpyro.sample("beta", _flat(constraints.real_vector, 2))
    sigma = numpyro.sample("sigma", _flat(constraints.positive))
    line = beta[0] + beta[1] * height
    numpyro.sample("y", dist.Normal(line, sigma), obs=jnp.log(earn))


def gp_regr(x: Array, y: Array) -> None:
    """A Gaussian process with noise of variance sigma."""
    rho = numpyro.sample("rho", dist.Gamma(25.0, 4.0))
    alpha = numpyro.sample("alpha", dist.HalfNormal(2.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    gaps = x[:, None] - x[None, :]
    cov = alpha**2 * jnp.exp(-((gaps / rho) ** 2) / 2) + sigma * jnp.eye(len(x))
    numpyro.sample("y", dist.MultivariateNormal(jnp.zeros(len(x)), cov), obs=y)


def low_dim_gauss_mix(y: Array) -> None:
    """Two components, told apart by the order of their means."""
    mu = numpyro.sample("mu", _flat(constraints.ordered_vector, 2))
    numpyro.factor("prior of mu", jnp.sum(dist.Normal(0.0, 2.0).log_prob(mu)))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2.0).expand([2]).to_event(1))
    theta = numpyro.sample("theta", dist.Beta(5.0, 5.0))
    which = dist.Categorical(jnp.stack([theta, 1 - theta]))
    mixture = dist.MixtureSameFamily(which, dist.Normal(mu, sigma))
    numpyro.sample("y", mixture, obs=y)


def blr(X: Array, y: Array) -> None:
    """Linear regression."""
    beta = numpyro.sample("beta", _normal(10.0, X.shape[1]))
    sigma = numpyro.sample("sigma", dist.HalfNormal(10.0))
    numpyro.sample("y", dist.Normal(X @ beta, sigma), obs=y)


def _normal(scale: float, n: int) -> dist.Distribution:
    return dist.Normal(0.0, scale).expand([n]).to_event(1)


def _flat(support: constraints.Constraint, *shape: int) -> dist.Distribution:
    return dist.ImproperUniform(support, (), shape)


MODELS = {
    "eight_schools_noncentered": (eight_schools_noncentered, ("theta", "mu", "tau")),
    "kilpisjarvi": (kilpisjarvi, ("alpha", "beta", "sigma")),
    "arK": (ar_k, ("alpha", "beta", "sigma")),
    "kidscore_momiq": (kidscore_momiq, ("beta", "sigma")),
    "logearn_height": (logearn_height, ("beta", "sigma")),
    "gp_regr": (gp_regr, ("rho", "alpha", "sigma")),
    "low_dim_gauss_mix": (low_dim_gauss_mix, ("mu", "sigma", "theta")),
    "blr": (blr, ("beta", "sigma")),
}
