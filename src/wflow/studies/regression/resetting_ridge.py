"""A regression by Poisson resetting is ridge; other laws of resets on test data."""

from typing import Annotated, Any, Literal

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.energies import Potential
from wflow.flows import Exponential, GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.plotting.excess import plot_excess
from wflow.plotting.filters import plot_shrinkage
from wflow.regression import (
    SpectralData,
    age_trajectory,
    shrinkage_curves,
    stationary_moments,
)
from wflow.studies import Arrays, Log, Outcome, Positive, Study

from ._design import load_design
from ._laws import (
    RIDGE,
    Case,
    LawsParams,
    compared,
    excess,
    filter_arrays,
    filters_figure,
)
from ._splits import split_errors


class Params(LawsParams):
    """A regression on a file, by resetting.

    Attributes:
        precision: float64 alone: the agreement with ridge is beyond float32.
        data: a .npz with ``X`` or ``X_raw`` (n, p) and ``y`` (n,); ``--data`` gives it.
        rate: of the Poisson resets that are compared with ridge.
        particles: draws of the stationary process.
        splits: of the data into training and test, at random.
        train_share: of the data that is trained on.
        rates: rates tried for the best test error, on a logarithmic grid.
    """

    task: Literal["resetting_ridge"]
    precision: Literal["float64"] = "float64"
    data: str | None = None
    rate: Positive = 1.0
    particles: Annotated[int, Field(ge=100)] = 100_000
    splits: Annotated[int, Field(ge=2)] = 50
    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    rates: Annotated[int, Field(ge=3)] = 81


def run(p: Params, key: jax.Array, log: Log) -> dict[str, Any]:
    """Moments beside ridge's, coefficients over the rate, errors of every split."""
    design = load_design(p.data)
    X, y = map(jnp.asarray, design.standardized)
    arrays = {"names": np.array(design.names), **_moments(p, X, y, key)}
    log(f"{p.particles} draws of the process at rate {p.rate:g}")
    largest = jnp.linalg.norm(X, 2) ** 2
    rates = jnp.geomspace(1e-5 * largest, 10 * largest, 121)
    data = SpectralData.of(X, y, spent=1)
    curves = [shrinkage_curves(data, law, 1 / rates) for law in p.filters.values()]
    tried = jnp.geomspace(1e-5 * largest, 10 * largest, p.rates)
    errors, tuned = split_errors(design, p.filters, tried, p.splits, p.train_share, key)
    return {
        **arrays,
        **filter_arrays(p.filters),
        "rate": rates,
        "coefficients": jnp.stack(curves),
        "error": errors,
        "error_gcv": jnp.stack([tuned[name] for name in p.names]),
    }


def _moments(p: Params, X: jax.Array, y: jax.Array, key: jax.Array) -> dict[str, Any]:
    """Exact moments of Poisson resetting, and how far ridge and draws are from them."""
    A, b = X.T @ X, X.T @ y
    origin = jnp.zeros(len(b))
    law = Exponential(p.rate)
    exact = stationary_moments(law, A, b, origin)
    # Of size one, so that the solver's absolute tolerance is a relative one.
    unit = jnp.linalg.norm(b) / jnp.linalg.norm(A, 2)
    loss = Potential(lambda theta: theta @ (A @ theta) / 2 - b @ theta / unit)
    trajectory = age_trajectory(
        GradientFlow(loss, Euclidean()),
        Point(origin),
        # Hardly any age is longer than 40 mean times between resets.
        40 / p.rate,
        # Curvatures of very different sizes.
        solver=diffrax.Kvaerno5(),
    )
    draws = unit * trajectory.sample(law, key, p.particles)
    error = jnp.std(draws, axis=0, ddof=1) / jnp.sqrt(len(draws))
    off = jnp.linalg.norm(jnp.cov(draws.T) - exact.cov) / jnp.linalg.norm(exact.cov)
    return {
        "coef": exact.mean,
        "std": jnp.sqrt(jnp.diag(exact.cov)),
        "ridge": jnp.linalg.solve(A + p.rate * jnp.eye(len(b)), b),
        "z": (draws.mean(0) - exact.mean) / error,
        "covariance_error": off,
        "largest_curvature": jnp.linalg.eigvalsh(A)[-1],
    }


def _cases(p: Params, arrays: Arrays) -> dict[str, Case]:
    """Test errors by split, at the best rate and by generalized cross-validation."""
    # The rate that is best on average over the splits, one for all of them.
    best = [error[:, error.mean(0).argmin()] for error in arrays["error"]]
    return {
        "best": (p.filter_names, np.stack(best)),
        "gcv": (p.names, arrays["error_gcv"]),
    }


def report(p: Params, arrays: Arrays) -> Outcome:
    """Gaps to ridge, and test errors beside its."""
    gap = float(np.abs(arrays["coef"] - arrays["ridge"]).max())
    z = float(np.abs(arrays["z"]).max())
    metrics = {
        "max_abs_coef_difference_to_ridge": gap,
        "max_z_score_simulated": z,
        "relative_covariance_error_simulated": float(arrays["covariance_error"]),
        "largest_curvature": float(arrays["largest_curvature"]),
    }
    for j, name in enumerate(arrays["names"]):
        metrics[f"coef_{name}"] = float(arrays["coef"][j])
        metrics[f"std_{name}"] = float(arrays["std"][j])
    remark = (
        f"Poisson resets at rate {p.rate:g}: the exact mean is ridge to {gap:.2g}; "
        f"that of {p.particles} draws is within {z:.2f} standard errors of it."
    )
    title = f"Squared error on test data, mean of {p.splits} splits of the same data"
    return Outcome(metrics, [], [remark]).joined(compared(title, _cases(p, arrays)))


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Filters, coefficients over the rate, and test errors beside ridge's."""
    curves = dict(zip(p.filter_names, arrays["coefficients"], strict=True))
    shown = [RIDGE, *list(p.laws)[:2]]
    titles = ("at the best rate", "by cross-validation")
    cases = map(excess, _cases(p, arrays).values())
    return {
        "filters": filters_figure(p, arrays),
        "coefficients": plot_shrinkage(
            arrays["rate"],
            {name: curves[name] for name in shown},
            names=arrays["names"].tolist(),
            marked=p.rate,
        ),
        "test_error": plot_excess(
            dict(zip(titles, cases, strict=True)),
            reference=RIDGE,
            title=f"{p.splits} random splits",
        ),
    }


STUDY = Study(
    Params, run, report, figures, data="data", reads=lambda p: load_design(p.data)
)
