"""Linear outputs: geodesic, anchored and arc ridge against kernel ridge regression."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import model_validator

from wflow.measures import Point
from wflow.networks import Supervised
from wflow.networks.canonical import NTKMetric
from wflow.plotting.panels import Curve, Panel, plot_panels
from wflow.plotting.style import MODEL, OBSERVED, QUIET
from wflow.studies import (
    Arrays,
    Count,
    Log,
    Outcome,
    Positive,
    ScoreTable,
    Study,
    StudyParams,
)

from ._penalized_flows import Linear, Training
from ._strengths import Strengths


class Params(StudyParams):
    """Linear outputs with a random Jacobian, where everything is known.

    Attributes:
        outputs: n, of training.
        parameters: p >= n.
        strengths: of all penalties.
        rtol: of all solves.
    """

    task: Literal["canonical_kernel"]
    outputs: Count = 4
    parameters: Count = 16
    strengths: Strengths = Strengths(low=0.01, high=1.0, count=3)
    rtol: Positive = 1e-10

    @model_validator(mode="after")
    def _invertible(self) -> "Params":
        if self.parameters < self.outputs:
            raise ValueError("parameters: expected at least as many as outputs.")
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Outputs under every penalty, and the share of the residual that they leave."""
    del key, log
    rng = np.random.default_rng(p.seed)
    shape = (p.outputs, p.parameters)
    jacobian = rng.normal(size=shape) / p.parameters**0.5
    weights, y = rng.normal(size=shape[1]), rng.normal(size=shape[0])
    # The same mean curvature, the same in every direction.
    rows = np.linalg.qr(jacobian.T)[0].T
    isotropic = rows * np.sqrt(np.trace(jacobian @ jacobian.T) / p.outputs)
    found = _penalized(jacobian, weights, y, p, geodesic=True)
    same = _penalized(isotropic, weights, y, p, geodesic=False)
    curvature, axes = np.linalg.eigh(jacobian @ jacobian.T)
    start = jacobian @ weights
    left = {
        f"left_{name}": (y - found[name]) @ axes / ((y - start) @ axes)
        for name in ("geodesic", "arc")
    }
    isotropic_ones = {f"isotropic_{name}": values for name, values in same.items()}
    return {**found, **isotropic_ones, **left, "curvature": curvature}


def _penalized(
    jacobian: np.ndarray, weights: np.ndarray, y: np.ndarray, p: Params, geodesic: bool
) -> dict[str, np.ndarray]:
    """Training outputs ``(strengths, n)`` of every penalty, and the closed form."""
    x = jnp.asarray(jacobian)
    origin = Point(Linear(jnp.asarray(weights)))
    training = Training(origin, Supervised(x, y), p.rtol)
    metric = NTKMetric(x)
    kernel, start = jacobian @ jacobian.T, jacobian @ weights
    slowest = np.linalg.eigvalsh(kernel)[0]
    rows: dict[str, list[Any]] = {"ridge": [], "arc": [], "condition": []}
    if geodesic:
        rows |= {"geodesic": [], "anchored": [], "vertical": []}
    for strength in p.strengths.values():
        dual = np.linalg.solve(kernel + strength * np.eye(len(y)), y - start)
        rows["ridge"].append(start + kernel @ dual)
        arc = training.arc(strength, 40 / slowest)
        speed = jnp.linalg.norm(training.energy.differential(arc.measure).w)
        rows["arc"].append(metric.outputs(arc.measure))
        rows["condition"].append(abs(speed - strength * arc.length))
        if geodesic:
            end = training.ridge(strength)[-1]
            rows["anchored"].append(metric.outputs(end))
            rows["vertical"].append(metric.vertical_fraction(end, origin))
            end = training.geodesic(strength, 25 / (slowest + strength))
            rows["geodesic"].append(metric.outputs(end))
    return {name: np.asarray(values) for name, values in rows.items()}


def report(p: Params, arrays: Arrays) -> Outcome:
    """Largest differences to kernel ridge regression, by penalty and strength."""
    ridge, same = arrays["ridge"], arrays["isotropic_ridge"]
    gaps = {
        name: np.abs(arrays[name] - ridge).max(1)
        for name in ("geodesic", "anchored", "arc")
    }
    gaps["arc, isotropic"] = np.abs(arrays["isotropic_arc"] - same).max(1)
    conditions = arrays["condition"].max(), arrays["isotropic_condition"].max()
    metrics = {
        "max_abs_geodesic_minus_ridge": gaps["geodesic"].max(),
        "max_abs_anchored_minus_ridge": gaps["anchored"].max(),
        "max_abs_arc_isotropic_minus_ridge": gaps["arc, isotropic"].max(),
        "arc_anisotropic_difference": gaps["arc"].max(),
        "max_vertical_fraction": arrays["vertical"].max(),
        "max_arc_condition": max(conditions),
    }
    table = ScoreTable(
        "Largest difference to kernel ridge regression of a training output",
        tuple(f"{strength:.2g}" for strength in p.strengths.values()),
        {name: gap.tolist() for name, gap in gaps.items()},
        (),
    )
    return Outcome({name: float(value) for name, value in metrics.items()}, [table])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """What every penalty leaves of the residual, by the curvature of the direction."""
    strengths, curvature = p.strengths.values(), arrays["curvature"]
    fine = np.linspace(0, 1.05 * curvature.max(), 200)
    panels = []
    for k in np.unique(np.linspace(0, len(strengths) - 1, 3).round().astype(int)):
        closed = strengths[k] / (fine + strengths[k])
        label = r"$\lambda/(k + \lambda)$, kernel ridge"
        curves = [Curve(fine, closed, label, color=QUIET)]
        # The larger marker first: the two may lie on each other.
        looks = {"geodesic": ("s", 6.5, OBSERVED), "arc": ("o", 4.0, MODEL)}
        for name, (marker, size, color) in looks.items():
            style = {"style": marker, "size": size, "color": color}
            curves.append(Curve(curvature, arrays[f"left_{name}"][k], name, **style))
        title, first = rf"$\lambda = {strengths[k]:.3g}$", not panels
        y = "share of the residual left" * first
        panels.append(Panel(curves, "eigenvalue k of the kernel", y, title=title))
    drawn = plot_panels(panels, width=3.0, share_y=True, legend_below=3)
    return {"shrinkage": drawn}


STUDY = Study(Params, run, report, figures)
