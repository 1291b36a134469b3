"""Where the limit process ends to hold as inputs depart from orthogonality."""

import math
from typing import Annotated, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.networks.saddle.norms import min_norm_squared
from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades
from wflow.studies import (
    Arrays,
    Count,
    Decreasing,
    Increasing,
    Log,
    Outcome,
    Positive,
    ScoreTable,
    Study,
)

from ._descents import grams_of, on_grams
from ._saddle import HELD, InstancesParams, StepShare, half_way


# A run follows the orthogonal one if its jumps and its norm are that near, relatively.
_TIME, _NORM = 0.05, 0.01


class Params(InstancesParams):
    """The same draw on inputs of smaller and smaller cosines, down to none.

    Every run is compared with the run of the same steps on orthogonal inputs, so that
    neither the scale nor the step counts.

    Attributes:
        dims: of random unit inputs, each at least n.
        cosines: root mean squares that the cosines of random inputs are scaled to.
        step_share: of descent, over the largest at which it can rest.
        points: saved states of each run.
    """

    task: Literal["saddle_near_orthogonal"]
    samples: Annotated[int, Field(ge=2)] = 12
    instances: Count = 20
    dims: list[Count] = []
    cosines: Annotated[list[Positive], Field(min_length=2), Decreasing]
    inverse_scales: Annotated[list[Positive], Field(min_length=1), Increasing]
    step_share: StepShare = 0.05
    points: Annotated[int, Field(ge=10)] = 1000

    @model_validator(mode="after")
    def _in_reach(self) -> "Params":
        if any(dim < self.samples for dim in self.dims):
            raise ValueError(f"dims: expected none below samples = {self.samples}.")
        if self.cosines[0] * self.samples > 0.5:
            raise ValueError(
                "cosines: expected at most 1 / (2 samples) = "
                f"{0.5 / self.samples:.3g}, so that no input depends on the others."
            )
        if self.inverse_scales[-1] > HELD:
            raise ValueError(
                "inverse_scales: gradient descent has weights of exp(-scale); expected "
                f"at most {HELD:g}."
            )
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Ends by scale, draw and case: orthogonal, random, random with scaled cosines."""
    of_draws, of_inputs = jax.random.split(key)
    instances, _ = p.drawn(of_draws)
    keys = jax.random.split(of_inputs, p.instances)
    grams = np.array([grams_of(k, p.samples, p.dims, p.cosines) for k in keys])
    runs = []
    for scale in p.inverse_scales:
        runs.append(on_grams(instances, grams, scale, p.step_share, p.points))
        log(f"log(1/scale) = {scale:g}: done")
    arrays = {name: np.stack([each[name] for each in runs]) for name in runs[0]}
    limit = [float(each.limit.norm_squared) for each in instances]
    least = [float(min_norm_squared(each.data)) for each in instances]
    return {**arrays, "limit": np.array(limit), "least": np.array(least)}


def _means(arrays: Arrays) -> dict[str, np.ndarray]:
    """Means over draws ``(scales, cases)``."""
    norm, loss = arrays["norm_squared"], arrays["loss"]
    near = np.abs(norm / norm[..., :1] - 1) <= _NORM
    values = {
        "follows": near & (arrays["late"] <= _TIME),
        "norm": norm / arrays["limit"][:, None],
        "least": norm / arrays["least"][:, None],
        "woken": arrays["woken"],
        "fitted": loss < 1e-3,
        "finished": arrays["finished"],
    }
    return {name: np.mean(value, axis=1) for name, value in values.items()}


def _shares(cosines: list[float], scale: float) -> np.ndarray:
    r"""Shares $\log(1/\text{cosine}) / \log(1/\lambda)$."""
    return np.log(1 / np.array(cosines)) / scale


def report(p: Params, arrays: Arrays) -> Outcome:
    """Where half of the draws follow the orthogonal run, and what is learned there."""
    means, scaled = _means(arrays), 1 + len(p.dims)
    metrics: dict[str, float] = {}
    for k, scale in enumerate(p.inverse_scales):
        case = {name: value[k].tolist() for name, value in means.items()}
        follows = means["follows"][k, scaled:]
        place = half_way(_shares(p.cosines, scale), follows)
        metrics |= {
            f"breaking_{scale:g}": math.nan if follows[0] >= 0.5 else place,
            f"norm_over_limit_orthogonal_{scale:g}": case["norm"][0],
            f"norm_over_least_orthogonal_{scale:g}": case["least"][0],
            f"fitted_orthogonal_{scale:g}": case["fitted"][0],
            f"finished_{scale:g}": min(case["finished"]),
        }
        for number, dim in enumerate(p.dims, start=1):
            for name in ("follows", "woken", "fitted"):
                metrics[f"{name}_{dim}_{scale:g}"] = case[name][number]
            metrics[f"norm_over_least_{dim}_{scale:g}"] = case["least"][number]
    kinds = ("orthogonal", *(f"random, d = {dim}" for dim in p.dims))
    table = ScoreTable(
        "Squared norm over the least of orthogonal inputs",
        tuple(f"log 1/scale {scale:g}" for scale in p.inverse_scales),
        {kind: means["least"][:, k].tolist() for k, kind in enumerate(kinds)},
        (),
    )
    last = p.inverse_scales[-1]
    remark = (
        f"From exp(-{last:g}) half of the draws follow the orthogonal run where "
        f"cosines are below exp(-{metrics[f'breaking_{last:g}'] * last:.3g})."
    )
    return Outcome(metrics, [table], [remark])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Which draws follow the orthogonal run, and the norm, against typical cosines."""
    means, scaled = _means(arrays), 1 + len(p.dims)
    colors, panels = shades(len(p.inverse_scales))[::-1], []
    labels = {
        "follows": f"share of {p.instances} draws that follow",
        "least": "squared norm over the least",
    }
    for name, y in labels.items():
        curves, levels = [], [Level(x=1, style="--")]
        for k, scale in enumerate(p.inverse_scales):
            how, values = {"color": colors[k]}, means[name][k]
            label = rf"$\log(1/\lambda) = {scale:g}$"
            at = _shares(p.cosines, scale)
            curves.append(Curve(at, values[scaled:], label, style="o-", **how))
            if p.dims:
                at = _shares([dim**-0.5 for dim in p.dims], scale)
                label = None if k else "random inputs"
                curves.append(Curve(at, values[1:scaled], label, style="D", **how))
            label = None if k else "orthogonal inputs"
            levels.append(Level(values[0], label=label, style=":", **how))
        axis = r"$\log(1/\mathrm{cosine})\,/\,\log(1/\lambda)$"
        panels.append(Panel(curves, axis, y, levels=levels))
    drawn = plot_panels(panels, width=5.2, height=4.5, title=f"{p.samples} samples")
    return {"near_orthogonal": drawn}


STUDY = Study(Params, run, report, figures)
