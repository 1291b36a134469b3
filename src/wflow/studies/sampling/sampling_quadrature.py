"""Weighted nodes of mean-shift particles and other samplers, compared."""

from collections.abc import Iterable
from typing import Any, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import model_validator

from wflow.kernels import GaussianKernel
from wflow.kernels.embeddings import mixture_double_integral
from wflow.measures import GaussianMixture
from wflow.plotting.quadratures import plot_discrepancies, plot_nodes
from wflow.studies import Arrays, Count, Log, Outcome, Positive, ScoreTable, Study

from ._boxes import Box
from ._nodes import Numbers, Reweighting, drawn, law_of, nodes_of, reweighted, scores
from ._targets import TargetParams
from ._weights import largest_weight, of_weights, told_modes, told_weights


_DRAWS, _REWEIGHTED = "iid", "_reweighted"
_TITLES = {
    "mmd2": "1000 x squared discrepancy from the target, median of {} runs",
    "mean_error": "Distance of the mean from the target's, median of {} runs",
    "ksd": "Kernel Stein discrepancy, median of {} runs",
    "evaluations": "Evaluations of the log-density or its gradient",
    "seconds": "Seconds a run, compiled",
}


class Params(TargetParams):
    """Nodes and weights of several methods for one target, and how well they integrate.

    Attributes:
        particles: their numbers, each a run of its own.
        repeats: runs of every method, from starts of their own; medians are reported.
        bandwidth: of the Gaussian kernel of the discrepancies.
        box: mean-shift particles are clamped to it after every step.
        reweighted: nodes that get optimal weights besides.
    """

    task: Literal["sampling_quadrature"]
    particles: Numbers
    repeats: Count = 9
    bandwidth: Positive
    box: Box | None = None
    reweighted: Reweighting | None = None

    @property
    def quadratures(self) -> list[str]:
        """Names of the methods that are mean shifts; the first one matters most."""
        return [n for n, spec in self.methods.items() if spec["kind"] == "MeanShift"]

    @property
    def rows(self) -> list[str]:
        """Names of everything that is compared; draws come by themselves."""
        nodes = [] if self.reweighted is None else self.reweighted.nodes
        return [*self.methods, _DRAWS, *(name + _REWEIGHTED for name in nodes)]

    @model_validator(mode="after")
    def _checked(self) -> "Params":
        if len(set(self.rows)) < len(self.rows):
            raise ValueError(
                f"methods: {_DRAWS}, and names of reweighted nodes with {_REWEIGHTED}, "
                "are rows that come by themselves; take others."
            )
        if not self.quadratures:
            raise ValueError("methods: expected at least one MeanShift.")
        known = {_DRAWS, *self.methods} - set(self.quadratures)
        nodes = [] if self.reweighted is None else self.reweighted.nodes
        if unknown := set(nodes) - known:
            raise ValueError(
                f"reweighted.nodes: expected names among {', '.join(sorted(known))}, "
                f"found {min(unknown)!r}."
            )
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, Any]:
    """Scores of every row, ``(sizes, repeats)``, and its nodes for every size."""
    target, start, methods = p.law, p.start, p.built()
    law, kernel = law_of(target), GaussianKernel(p.bandwidth)
    arrays = {"iid_expected": 1 - mixture_double_integral(kernel, law, law)}
    found = []
    for n in p.particles:
        log(f"{n} particles")
        keys = jax.random.split(jax.random.fold_in(key, n), 3)
        of_draws, of_starts = (jax.random.split(key, p.repeats) for key in keys[:2])
        starts = jax.vmap(lambda key, n=n: start.sample(key, n))(of_starts)
        rows = nodes_of(target, methods, starts, keys[2], p.box and p.box.ends, log)
        rows[_DRAWS] = drawn(target, n, of_draws)
        if (how := p.reweighted) is not None:
            for name in how.nodes:
                rows[name + _REWEIGHTED] = reweighted(target, rows[name], how)
        found.append(
            {name: scores(target, nodes, p.bandwidth) for name, nodes in rows.items()}
        )
        for name, score in found[-1].items():
            arrays |= {f"{what}_{name}_m{n}": score.pop(what) for what in ("x", "w")}
    for name in p.rows:
        for what in found[0][name]:
            arrays[f"{what}_{name}"] = np.stack([row[name][what] for row in found])
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Medians over the runs, and how the weights behave."""
    metrics: dict[str, float] = {}

    def put(key: str, values: Iterable[float], end: str = "") -> None:
        for n, value in zip(p.particles, values, strict=True):
            metrics[f"{key}_m{n}{end}"] = float(value)

    expected = arrays["iid_expected"] / np.asarray(p.particles)
    put("mmd2_iid_expected", expected)
    sizes = tuple(f"{n} nodes" for n in p.particles)
    tables = []
    for what, title in _TITLES.items():
        rows = {name: arrays[f"{what}_{name}"] for name in p.rows}
        if what in ("mmd2", "mean_error", "ksd"):
            rows = {name: np.median(runs, axis=1) for name, runs in rows.items()}
        for name, values in rows.items():
            put(f"{what}_{name}", values)
        if what == "mmd2":
            rows["iid, expected"] = expected
            rows = {name: 1e3 * values for name, values in rows.items()}
        listed = {name: [float(v) for v in values] for name, values in rows.items()}
        models = tuple(p.quadratures) if what == "mmd2" else ()
        tables.append(ScoreTable(title.format(p.repeats), sizes, listed, models))
    for name in p.rows:
        put(f"mmd2_{name}", arrays[f"mmd2_{name}"].min(1), "_least")
        put(f"mmd2_{name}", arrays[f"mmd2_{name}"].max(1), "_most")
    remarks, n = [], p.particles[-1]
    weighted = [r for r in p.rows if r in p.quadratures or r.endswith(_REWEIGHTED)]
    for key, values in of_weights(arrays, weighted).items():
        put(key, values)
    metrics["max_abs_weight"] = largest_weight(arrays, p.quadratures)
    finite = np.all([arrays[f"finite_{name}"] for name in p.rows], axis=(0, 1))
    metrics["nan_seeds"] = int(np.sum(~finite))
    if isinstance(p.law, GaussianMixture):
        fewest = {name: arrays[f"modes_{name}"].min(1) for name in p.rows}
        metrics |= {f"modes_found_min_{r}": int(m.min()) for r, m in fewest.items()}
        metrics["modes_found_min"] = int(fewest[p.quadratures[0]].min())
        remarks.append(told_modes(len(p.law.means), fewest, n))
    remarks.append(told_weights(metrics, weighted, n))
    return Outcome(metrics, tables, remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Discrepancies over the number of nodes, and in the plane the nodes."""
    spreads = {name: arrays[f"mmd2_{name}"] for name in p.rows}
    expected = float(arrays["iid_expected"])
    curves = plot_discrepancies(p.particles, spreads, expected, models=p.quadratures)
    found, target, n = {"mmd2": curves}, p.law, p.particles[-1]
    if target.mean.size == 2:
        clouds = {
            name: (arrays[f"x_{name}_m{n}"][0], arrays[f"w_{name}_m{n}"][0])
            for name in p.rows
        }
        title = f"{n} nodes of each method, one run"
        found["nodes"] = plot_nodes(target.log_density, clouds, title=title)
    return found


STUDY = Study(Params, run, report, figures)
