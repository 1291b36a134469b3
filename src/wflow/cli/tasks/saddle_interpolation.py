"""How wide a ReLU network must be to fit orthogonal samples from a small start."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.saddle_figures import Chances, plot_chances
from wflow.cli.networks.saddle_schema import InterpolationConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

# Cells in which a count can tell, and draws that are held at once.
_LOW, _HIGH = 0.01, 0.99
_CHUNK = 100


class SaddleInterpolation(AbstractTask[InterpolationConfig]):
    """The chance to interpolate: formula, sampled covers, and the flow."""

    summary = "the width at which a ReLU network from a small start interpolates"
    config = InterpolationConfig

    def check(self, config: InterpolationConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: InterpolationConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax

        from wflow.networks.saddle import interpolation_probability, width_for

        of_covers, of_flow = jax.random.split(jax.random.key(config.seed))
        rows: list[tuple[float, ...]] = []
        for n, key in zip(
            config.samples,
            jax.random.split(of_covers, len(config.samples)),
            strict=True,
        ):
            least = _least_widths(key, max(config.widths), n, n // 2, config.draws)
            for m in config.widths:
                chance = float(interpolation_probability(m, n // 2, n - n // 2))
                counted = float(np.mean(least <= m))
                rows.append((n, m, chance, counted, config.draws, 0.0))
        agreement = math.nan
        if config.flow is not None:
            found, agreement = _flow_rows(config, of_flow)
            rows.extend(found)
        names = ("samples", "width", "expected", "counted", "draws", "flow")
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        directory.write_history(columns)
        self.plot(config, directory)

        cells = [row for row in rows if not row[-1] and _LOW < row[2] < _HIGH]
        scores = [
            abs(counted - p) / math.sqrt(p * (1 - p) / draws)
            for _, _, p, counted, draws, _ in cells
        ]
        metrics = {
            "max_probability_z": max(scores, default=math.nan),
            "cells": float(len(cells)),
        }
        half = [width_for(n // 2, n - n // 2, 0.5) for n in config.samples]
        most = [width_for(n // 2, n - n // 2, 0.99) for n in config.samples]
        union = [math.log(n / 0.01) / math.log(4 / 3) for n in config.samples]
        for n, a, b, c in zip(config.samples, half, most, union, strict=True):
            metrics |= {f"width_half_{n}": a, f"width_99_{n}": b, f"union_99_{n}": c}
        if config.flow is not None:
            metrics["flow_agreement"] = agreement
        table = ScoreTable(
            "Widths of the formula, and of the union bound",
            tuple(f"n = {n}" for n in config.samples),
            {"50 %": half, "99 %": most, "99 % by the union bound": union},
            (),
        )
        remarks = [
            f"Largest z of {len(cells)} cells with {config.draws} draws each: "
            f"{metrics['max_probability_z']:.2f}."
        ]
        if config.flow is not None:
            remarks.append(
                f"The flow interpolates where its cover says so in {agreement:.1%} of "
                f"{config.flow.draws * len(config.flow.widths)} runs."
            )
        return Outcome(metrics, [table], remarks)

    def plot(self, config: InterpolationConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()

        def chances(flow: float) -> dict[str, Chances]:
            found = {}
            for n in dict.fromkeys(columns["samples"]):
                at = (columns["samples"] == n) & (columns["flow"] == flow)
                if at.any():
                    found[f"n = {n:g}"] = Chances(
                        columns["width"][at],
                        columns["expected"][at],
                        columns["counted"][at],
                        columns["draws"][at][0],
                    )
            return found

        drawn = plot_chances(
            chances(0.0),
            chances(1.0),
            title="Width against number of samples",
            label="probability to interpolate",
        )
        return [directory.write_figure("interpolation", drawn)]


def _least_widths(key: Any, most: int, n: int, positive: int, draws: int) -> np.ndarray:
    """For every draw of ``most`` neurons, how many of the first cover all samples.

    Infinite where all of them do not.
    """
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import sample_cover

    labels = jnp.where(jnp.arange(n) < positive, 1, -1)

    def least(key: Any) -> Any:
        active, sign = sample_cover(key, most, n)
        covers = active & (sign[:, None] == labels)
        first = jnp.where(covers.any(axis=0), jnp.argmax(covers, axis=0) + 1, jnp.inf)
        return jnp.max(first)

    keys = jax.random.split(key, draws)
    each = jax.jit(lambda keys: jax.lax.map(least, keys, batch_size=_CHUNK))
    return np.asarray(each(keys))


def _flow_rows(
    config: InterpolationConfig, key: Any
) -> tuple[list[tuple[float, ...]], float]:
    """Rows of the runs of the flow, and how often the cover foretold their end."""
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import (
        ReLUData,
        follow,
        interpolation_probability,
        limit_of_cover,
        small_neurons,
    )

    flow = config.flow
    assert flow is not None
    n = flow.samples
    positive = n // 2
    signs = jnp.where(jnp.arange(n) < positive, 1.0, -1.0)
    rows: list[tuple[float, ...]] = []
    agreed = 0
    for m, of_width in zip(
        flow.widths, jax.random.split(key, len(flow.widths)), strict=True
    ):
        fitted = 0
        for each in jax.random.split(of_width, flow.draws):
            of_labels, of_neurons = jax.random.split(each)
            y = jnp.abs(config.labels.draw(of_labels, n)) * signs
            data = ReLUData.orthogonal(y)
            neurons = small_neurons(of_neurons, m, data, -flow.inverse_scale)
            foretold = not bool(
                limit_of_cover(data, neurons.active, neurons.sign).unfitted.any()
            )
            course = follow(data, neurons, points=2)
            # What is not fitted keeps all of its label.
            fits = bool(jnp.max(jnp.abs(course.residual[-1] / y)) < 0.5)
            fitted += fits
            agreed += fits == foretold
        chance = float(interpolation_probability(m, positive, n - positive))
        rows.append((n, m, chance, fitted / flow.draws, flow.draws, 1.0))
    return rows, agreed / (flow.draws * len(flow.widths))


TASK = SaddleInterpolation()
