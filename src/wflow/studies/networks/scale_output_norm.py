"""What decay on a scale vector costs behind a norm, and before a linear map."""

from typing import Annotated, Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from pydantic import Field

from wflow.learning.training import Trainer
from wflow.measures import Point
from wflow.networks.scale.blocks import ResidualBlock
from wflow.networks.scale.energies import Decay
from wflow.plotting.panels import Curve, Panel, plot_panels
from wflow.plotting.style import MODEL, OBSERVED
from wflow.studies import (
    Arrays,
    Count,
    Increasing,
    Log,
    NonNegative,
    Outcome,
    Positive,
    ScoreTable,
    Study,
    StudyParams,
    standard_error,
)


# The place of the norm, with the role of its scale.
_SIDES = {
    "out": ("output", "Output-Norm", "scale_output_norm"),
    "in": ("input", "Input-Norm", "scale_in"),
}
_PREDICTED = "Output-Norm, predicted for a perfect fit"


class Params(StudyParams):
    """A student of its own form, with its scale before the maps or behind them.

    Attributes:
        decays: coupled, on the scale alone.
        runs: seeds in turn, from the seed on.
        size: of the input.
        hidden: of the map.
        target: every entry of the teacher's scale.
        batch: fresh Gaussian inputs in a step.
        steps: of Adam.
        rate: at the start; it falls as a cosine to zero.
        held_out: inputs of the test.
    """

    task: Literal["scale_output_norm"]
    decays: Annotated[list[NonNegative], Field(min_length=2), Increasing]
    runs: Count = 3
    size: Count = 16
    hidden: Count = 32
    target: Positive = 3.0
    batch: Count = 128
    steps: Count = 4000
    rate: Positive = 1e-2
    held_out: Count = 4096


def run(p: Params, key: jax.Array, log: Log) -> dict[str, jax.Array]:
    """Test losses and mean scales of the students at the end, each (decays, runs)."""
    del key, log
    seeds = p.seed + jnp.arange(p.runs, dtype=jnp.uint32)
    arrays = {}
    for side in _SIDES:
        student = jax.vmap(_student(p, side), (None, 0))
        trained = jax.jit(jax.vmap(student, (0, None)))
        losses, scales = trained(jnp.asarray(p.decays), seeds)
        arrays |= {f"loss_{side}": losses, f"scale_{side}": scales}
    return arrays


def _student(p: Params, side: str) -> Any:
    """Training at one rate of decay, from one seed, to test loss and mean scale."""
    norm, _, role = _SIDES[side]
    optimizer = optax.adam(optax.cosine_decay_schedule(p.rate, p.steps))

    def data_loss(block: Any, teacher: Any, x: jax.Array) -> jax.Array:
        apart = lambda x: block(x) - teacher(x)
        return jnp.mean(jnp.sum(jax.vmap(apart)(x) ** 2, axis=1)) / 2

    def student(decay: jax.Array, seed: jax.Array) -> tuple[jax.Array, jax.Array]:
        taught, own, data, test = jax.random.split(jax.random.key(seed), 4)
        teacher = ResidualBlock(p.size, p.hidden, norm, gain=p.target, key=taught)
        block = ResidualBlock(p.size, p.hidden, norm, key=own)

        def loss(block: Any, _: Any, key: jax.Array) -> tuple[jax.Array, dict]:
            x = jax.random.normal(key, (p.batch, p.size))
            penalty = Decay({role: decay}).value(Point(block))
            return data_loss(block, teacher, x) + penalty, {}

        params, held = eqx.partition(block, eqx.is_inexact_array)
        end, _ = Trainer(loss, optimizer, p.steps, held).run(params, data)
        block = eqx.combine(end.params, held)
        held_out = jax.random.normal(test, (p.held_out, p.size))
        return data_loss(block, teacher, held_out), jnp.mean(block.gain)

    return student


def _floors(p: Params) -> list[float]:
    """The loss of a perfect fit at the decayed optimum, g*/(1 + decay)."""
    return [0.5 * (d / (1 + d)) ** 2 * p.size * p.target**2 for d in p.decays]


def report(p: Params, arrays: Arrays) -> Outcome:
    """Losses and scales at every rate of decay, beside those of a perfect fit."""
    metrics, floors = {}, _floors(p)
    for k, decay in enumerate(p.decays):
        for side in _SIDES:
            losses, scales = (arrays[f"{what}_{side}"][k] for what in ("loss", "scale"))
            metrics[f"loss_{side}_decay{decay:g}"] = float(losses.mean())
            metrics[f"loss_{side}_decay{decay:g}_se"] = standard_error(losses)
            metrics[f"scale_{side}_decay{decay:g}"] = float(scales.mean())
        metrics[f"floor_out_decay{decay:g}"] = floors[k]
    last = p.decays[-1]
    ratio = metrics[f"loss_out_decay{last:g}"] / metrics[f"loss_in_decay{last:g}"]
    metrics["out_over_in"] = ratio
    rows = {
        "Output-Norm": arrays["loss_out"].mean(1).tolist(),
        "predicted for a perfect fit": floors,
        "Input-Norm": arrays["loss_in"].mean(1).tolist(),
    }
    columns = tuple(f"decay {decay:g}" for decay in p.decays)
    table = ScoreTable(f"Test loss, mean of {p.runs} seeds", columns, rows, ())
    scale, aim = metrics[f"scale_out_decay{last:g}"], p.target / (1 + last)
    remark = (
        f"At decay {last:g} the loss behind the norm is {ratio:.1f} times that "
        f"before the map; its scale ends at {scale:.3f}, predicted is {aim:.3f}."
    )
    return Outcome(metrics, [table], [remark])


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Test loss and mean scale against decay, of both placements."""
    at = np.arange(len(p.decays))
    ticks = (at, [f"{decay:g}" for decay in p.decays])
    predicted = {"loss": _floors(p), "scale": [p.target / (1 + d) for d in p.decays]}
    panels = []
    for what, label in (("loss", "test loss"), ("scale", r"mean of $g$")):
        curves = [Curve(at, predicted[what], _PREDICTED, style="x", color="black")]
        for side, color, shift in (("out", MODEL, 0.06), ("in", OBSERVED, -0.06)):
            values, x, name = arrays[f"{what}_{side}"], at + shift, _SIDES[side][1]
            curves.append(Curve(x, values.mean(1), name, color=color))
            curves.append(Curve(x, values, style="o", color=color, alpha=0.6))
        shown = {"xticks": ticks, "legend": what == "loss"}
        panels.append(Panel(curves, r"decay on $g$", label, **shown))
    title = "Decay on the scale of a norm, the teacher's form known"
    return {"decay_on_norms": plot_panels(panels, width=4.5, height=3.6, title=title)}


STUDY = Study(Params, run, report, figures)
