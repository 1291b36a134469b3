"""How far networks that learn a teacher's features are from their limit."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import model_validator

from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Particles
from wflow.networks import chaos
from wflow.networks.chaos.kernel_risks import ErfRisk
from wflow.networks.chaos.sampled import Activation, alignment
from wflow.networks.chaos.widths import follow
from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades
from wflow.plotting.style import MODEL, QUIET
from wflow.solvers import solve
from wflow.studies import Arrays, Count, Log, Outcome, Positive, ScoreTable, Study

from ._widths import (
    ReferenceParams,
    decay_metrics,
    loss_curve,
    report_arrays,
    report_of,
    sentence,
    slope_metrics,
)


class Params(ReferenceParams):
    """Neurons a phi(b.x) that learn a few neurons, with feature learning.

    Attributes:
        activation: phi.
        inputs: number of fixed inputs; null is the whole population (erf alone).
        dim: of inputs.
        teacher: neurons of the teacher, in orthogonal directions.
        horizon: of time.
    """

    task: Literal["chaos_teacher"]
    activation: Activation = "tanh"
    inputs: Count | None = 2000
    dim: Count = 5
    teacher: Count = 4
    horizon: Positive = 100.0

    @model_validator(mode="after")
    def _known(self) -> "Params":
        if self.inputs is None and self.activation != "erf":
            raise ValueError(
                "inputs: the whole population is known for erf alone, found "
                f"{self.activation}; give a number."
            )
        if self.teacher > self.dim:
            raise ValueError(
                f"teacher: expected at most {self.dim} neurons, in orthogonal "
                f"directions, found {self.teacher}."
            )
        return self


def _student(p: Params, key: jax.Array) -> tuple[chaos.Student, Particles]:
    """The student, and the teacher's neurons: orthogonal, of alternating signs."""
    d, k = p.dim, p.teacher
    of_inputs, of_teacher = jax.random.split(key)
    directions = jnp.linalg.qr(jax.random.normal(of_teacher, (d, d)))[0]
    signs = jnp.where(jnp.arange(k) % 2 == 0, 2.0, -2.0)
    teacher = Particles.from_samples(jnp.hstack([signs[:, None], 2 * directions[:k]]))
    start = Gaussian(jnp.zeros(1 + d), jnp.diag(jnp.array([1.0, *[1 / d] * d])))
    if p.inputs is None:
        return chaos.Student(ErfRisk(teacher), start), teacher
    inputs = jax.random.normal(of_inputs, (p.inputs, d))
    risk = chaos.SampledRisk.of(chaos.Neuron(p.activation), inputs, teacher)
    return chaos.Student(risk, start), teacher


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Gaps to a wide reference that learns features, beside one that cannot."""
    del log
    of_data, of_limit, of_study = jax.random.split(key, 3)
    student, teacher = _student(p, of_data)
    times = np.concatenate([[0], np.geomspace(0.1, p.horizon, 100)])
    limit = student.network(of_limit, p.reference)
    report = p.study(student, limit, times, of_study, max_steps=2**16)
    moved = follow(student, limit, times, max_steps=2**16).measures
    # Output weights alone: random features, the kernel regime.
    frozen = GradientFlow(student.risk, Wasserstein(np.eye(1 + p.dim)[0]))
    saved = {"times": times, "max_steps": 2**16}
    lazy = solve(frozen, limit, 0.0, times[-1], **saved).measures
    return {
        **report_arrays(report),
        "alignment": jax.vmap(lambda mu: alignment(mu, teacher))(moved),
        "frozen": jax.vmap(student.risk.loss)(lazy),
    }


def report(p: Params, arrays: Arrays) -> Outcome:
    """The slope in m, the loss with and without features, and the alignment."""
    found, loss = report_of(p.neurons, arrays), arrays["loss"]
    aligned = arrays["alignment"]
    metrics = {
        **slope_metrics(found),
        **decay_metrics(found.times, loss),
        "loss_start": float(loss[0]),
        "loss_end": float(loss[-1]),
        "loss_end_frozen": float(arrays["frozen"][-1]),
        "alignment_start": float(aligned[0]),
        "alignment_end": float(aligned[-1]),
    }
    decay, below = metrics["decay_exponent"], found.times[loss < 1e-3]
    if below.size:
        metrics["time_to_loss_1e_3"] = float(below[0])
    rows = {
        "supremum": found.sup.tolist(),
        "at the start": found.mean[:, 0].tolist(),
        "at the end": found.mean[:, -1].tolist(),
        "theorem's exponent": found.bound(decay).tolist(),
    }
    columns = tuple(f"m = {m}" for m in p.neurons)
    losses = {
        "all weights": [metrics["loss_end"]],
        "output weights alone": [metrics["loss_end_frozen"]],
        "at the start": [metrics["loss_start"]],
    }
    title = f"Loss of {p.reference} neurons at time {p.horizon:g}"
    tables = [
        ScoreTable("Mean squared gap to the reference", columns, rows, ()),
        ScoreTable(title, ("loss",), losses, ("all weights",)),
    ]
    remarks = [
        sentence(found, decay),
        f"Alignment with the teacher {aligned[0]:.3f}, then {aligned[-1]:.3f}.",
    ]
    return Outcome(metrics, tables, remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Loss beside the frozen features', alignment, and gaps times m."""
    found, aligned = report_of(p.neurons, arrays), arrays["alignment"]
    times, colors = found.times, shades(len(p.neurons))
    losses = [
        loss_curve(times, found.loss, "all weights", MODEL),
        loss_curve(times, arrays["frozen"], "output weights alone", QUIET),
    ]
    gaps = [
        Curve(times[1:], m * row[1:], f"m = {m}", color=color)
        for m, row, color in zip(p.neurons, found.mean, colors, strict=True)
    ]
    panels = [
        Panel(losses, "time", "loss of the reference", scales=("log", "log")),
        Panel(
            [Curve(times[1:], aligned[1:])],
            "time",
            "alignment with the teacher",
            levels=[Level(y=aligned[0], label="at the start")],
            scales=("log", "linear"),
            ylim=(0, 1),
        ),
        Panel(gaps, "time", r"$m\,E\|\Delta_t\|^2$", scales=("log", "log")),
    ]
    return {"teacher": plot_panels(panels, width=3.7, height=3.4)}


STUDY = Study(Params, run, report, figures)
