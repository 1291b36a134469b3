"""Gradient flow of layers with scale vectors: what it keeps, and sharpness."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from pydantic import model_validator

from wflow.networks import scale
from wflow.networks.scale import analysis
from wflow.networks.scale.energies import Decay
from wflow.plotting.panels import Curve, Level, Panel, plot_panels
from wflow.plotting.style import MODEL, OBSERVED, QUIET
from wflow.studies import Arrays, Log, Outcome, Positive, ScoreTable, Study, StudyParams

from ._scale_flows import Channel, Layers, Solver, channel_errors


_SIGNS = {-1: "negative", 0: "zero", 1: "positive"}
# What is decayed, with the style of its curve, from the flattest minimum on.
_DECAYS = {
    "equal": ("decay on W and g", "-", MODEL),
    "none": ("no decay", "--", OBSERVED),
    "matrix_only": ("decay on W alone", ":", OBSERVED),
}


class Params(StudyParams, Layers, Solver):
    """Least squares of a layer with scales, and single channels in closed form.

    Attributes:
        late: when the sharpness is taken.
        decay: rate on W and, where equal, on g.
        channels: start and loss of each; together they cover c < 0, = 0 and > 0.
    """

    task: Literal["scale_flow"]
    late: Positive = 200.0
    decay: Positive = 0.2
    channels: list[Channel]

    @model_validator(mode="after")
    def _whole(self) -> "Params":
        if {channel.sign for channel in self.channels} != set(_SIGNS):
            raise ValueError("channels: expected some with c < 0, c = 0 and c > 0.")
        if self.late <= self.end:
            raise ValueError("late: expected later than end.")
        return self


def run(p: Params, key: jax.Array, log: Log) -> dict[str, Any]:
    """Flows of every kind of layer beside what they keep, and sharpness under decay."""
    del log
    energy, layers = p.regression(p.seed), p.layers(key)
    flows = {name: p.follow(energy, layer) for name, layer in layers.items()}
    start, factors = layers["single"], flows["single"]
    c = analysis.imbalance(start.weight, jnp.ones(p.inputs))
    reduced = p.follow(energy, start.matrix(), scale.ScaleVector(c))
    product = jax.vmap(scale.ScaledLinear.matrix)(factors.measures.value)
    plain, least = p.follow(energy, start.matrix()), float(energy.least)
    report = jax.vmap(analysis.scale_report)(factors.measures.value)["y"]
    arrays: dict[str, Any] = {
        **{f"drift_{name}": analysis.invariant_drift(f) for name, f in flows.items()},
        "t": factors.times,
        "along": report.along,
        "across": report.across,
        "excess_scaled": factors.energy - least,
        "excess_plain": plain.energy - least,
        "reduced": jnp.max(jnp.abs(reduced.measures.value - product)),
        "closed": channel_errors(p.channels, p),
    }
    rates, saved = ((p.decay, p.decay), (0.0, 0.0), (p.decay, 0.0)), range(p.times)
    for name, (of_matrix, of_scale) in zip(_DECAYS, rates, strict=True):
        decay = Decay({"matrix": of_matrix, "scale_in": of_scale})
        late = p.follow(energy + decay, start, late=p.late)
        end = late[-1]
        arrays |= {
            "late_t": late.times,
            f"sharpness_{name}": [analysis.sharpness(energy, late[k]) for k in saved],
            f"excess_loss_{name}": float(energy.value(end)) - least,
            f"max_scale_{name}": end.value.scales_in[0].vector.max(),
        }
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Errors of what the flow keeps and of closed forms, and sharpness by decay."""
    drifts = {k: float(v) for k, v in arrays.items() if k.startswith("drift_")}
    metrics = {
        "max_invariant_drift": max(drifts.values()),
        **{f"invariant_{name}": drift for name, drift in drifts.items()},
        "max_reduced_error": float(arrays["reduced"]),
        "max_closed_form_error": float(arrays["closed"].max()),
    }
    for sign, word in _SIGNS.items():
        errors = arrays["closed"][[channel.sign == sign for channel in p.channels]]
        metrics[f"closed_form_error_c_{word}"] = float(errors.max())
    at_the_end = ("sharpness", "excess_loss", "max_scale")
    keys = {name: [f"{what}_{name}" for what in at_the_end] for name in _DECAYS}
    for key in sum(keys.values(), []):
        metrics[key] = float(np.ravel(arrays[key])[-1])
    found = [metrics[f"sharpness_{name}"] for name in _DECAYS]
    metrics["sharpness_ordered"] = int(sorted(found) == found)
    rows = {name: [metrics[key] for key in row] for name, row in keys.items()}
    columns = ("sharpness", "excess loss", "largest g")
    table = ScoreTable(f"At t = {p.late:g}", columns, rows, ())
    words = "does" if metrics["sharpness_ordered"] else "does not"
    remarks = [
        f"Invariants drift by {metrics['max_invariant_drift']:.1e} at most, the "
        f"reduced flow is off by {metrics['max_reduced_error']:.1e}, the closed form "
        f"by {metrics['max_closed_form_error']:.1e}, until t = {p.end:g}.",
        f"The sharpness {words} rise from equal decay over none to decay on W alone.",
    ]
    return Outcome(metrics, [table], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Eigenvalues of the preconditioner, the loss, and the sharpness against time."""
    t, late = arrays["t"], arrays["late_t"]
    channels = []
    for j in range(p.inputs):
        # The darker, the more the channel says.
        alpha, last = 0.25 + 0.75 * (j + 1) / p.inputs, j == p.inputs - 1
        for what, label, style, color in (
            ("along", r"along $M_j$: $g_j^2 + |W_j|^2$", "-", MODEL),
            ("across", r"across: $g_j^2$", "--", OBSERVED),
        ):
            y, name = arrays[what][:, j], label if last else None
            channels.append(Curve(t, y, name, style=style, color=color, alpha=alpha))
    losses = [
        Curve(t, arrays["excess_scaled"], "with scales"),
        Curve(t, arrays["excess_plain"], "without", style="--", color=QUIET),
    ]
    sharpness = [
        Curve(late[1:], arrays[f"sharpness_{name}"][1:], said, style=style, color=ink)
        for name, (said, style, ink) in _DECAYS.items()
    ]
    panels = [
        Panel(
            channels,
            "time",
            r"eigenvalues of $P_j$; darker: more signal",
            title="Preconditioner",
            levels=[Level(y=1, label="without scales")],
            ylim=(0, 1.4 * arrays["along"].max()),
            legend="upper left",
        ),
        Panel(
            losses,
            "time",
            "loss above its minimum",
            title="Loss from one start",
            scales=("linear", "log"),
        ),
        Panel(
            sharpness,
            "time",
            "largest curvature of the data loss",
            title="Sharpness",
            scales=("log", "log"),
        ),
    ]
    title = f"A layer, {p.inputs} to {p.outputs}, whose scale vector learns with it"
    return {"preconditioner": plot_panels(panels, width=3.5, title=title)}


STUDY = Study(Params, run, report, figures)
