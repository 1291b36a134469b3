"""How often gradient descent fits all samples, against width and dimension."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.saddle_descent_schema import WidthConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.networks.saddle import ReLUData
    from wflow.studies._task import Log

_NAMES = ("dim", "width", "fitted", "covered", "expected", "loss")
# Steps between checks of the states that are kept.
_STRIDE = 100
# Cells in which a count can tell.
_LOW, _HIGH = 0.01, 0.99


class SaddleWidth(AbstractTask[WidthConfig]):
    """Gradient descent from dominated weights of size one, the factor 1/m in front.

    With weights over sqrt(m) that is ``descend`` from the scale 1/sqrt(m). It succeeds
    where the sum of squared residuals is below 1, and so below each squared label. What
    it covers is known before where inputs are orthogonal; dimension 0 stands for them.
    """

    summary = "how often gradient descent fits all samples, against width and dimension"
    config = WidthConfig

    def check(self, config: WidthConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: WidthConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax

        parts = []
        # The same labels and the same draws for each dimension, as for each width.
        keys = jax.random.split(jax.random.key(config.seed), config.draws)
        for dim in (0, *config.dims):
            part = _runs(keys, dim, config)
            parts.append(part)
            name = f"dimension {dim}" if dim else "orthogonal"
            log(
                f"{name}: {int(part['fitted'].sum())} of {len(part['fitted'])} fitted",
                highlight=False,
            )
        columns = {
            name: np.concatenate([part[name] for part in parts]) for name in _NAMES
        }
        directory.write_history(columns)
        self.plot(config, directory)
        return _outcome(config, columns)

    def plot(self, config: WidthConfig, directory: RunDirectory) -> list[Path]:
        from wflow.cli.networks.saddle_descent_figures import plot_widths

        columns = directory.read_history().arrays()
        drawn = plot_widths(
            config.widths,
            {dim: _shares(config, columns, dim) for dim in (0, *config.dims)},
            _means(config, columns, "expected"),
            samples=config.samples,
            draws=config.draws,
        )
        return [directory.write_figure("width", drawn)]


def _runs(keys: Any, dim: int, config: WidthConfig) -> dict[str, np.ndarray]:
    """All widths and draws at one dimension; 0 for orthogonal inputs."""
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import (
        LogNeurons,
        descend,
        from_weights,
        limit_of_cover,
        small_neurons,
        stable_step,
    )

    n, most = config.samples, config.widths[-1]
    inside = dim or n

    def start(key: Any, width: Any) -> tuple:
        of_data, of_neurons, of_sizes = jax.random.split(key, 3)
        data = _data(of_data, dim, config)
        # A neuron of the network with 1/m in front is sqrt(m) times one of it without.
        share = config.scale / jnp.sqrt(width)
        log_scale = jnp.log(share) - 0.5 * math.log(inside)
        drawn = small_neurons(of_neurons, most, data, log_scale, dim=inside)
        size = jnp.exp(drawn.level)
        extra = share * jax.random.exponential(of_sizes, (most,))
        neurons = from_weights(
            data,
            drawn.sign * (size + extra),
            drawn.ratio * size[:, None],
            drawn.rest * size,
        )
        # Neurons beyond the width are off and stay so.
        real = jnp.arange(most) < width
        ratio = jnp.where(real[:, None], neurons.ratio, -1)
        neurons = LogNeurons(neurons.level, ratio, neurons.rest, neurons.sign)
        return data, neurons, config.step_share * stable_step(data)

    def end(data: Any, neurons: Any, step: Any) -> tuple:
        points = round(config.steps / _STRIDE)
        course = descend(data, neurons, step, points=points, stride=_STRIDE)
        limit = limit_of_cover(data, neurons.active, neurons.sign)
        squares = jnp.sum(course.residual[-1] ** 2)
        loss, covered = squares / (2 * n), ~jnp.any(limit.unfitted)
        return squares < 1, covered, loss, jnp.sum(data.y > 0)

    # One program for all widths, a width at a time. Two, since decompositions of
    # matrices beside the products of the descent have brought XLA to a standstill.
    starts, ends = jax.jit(jax.vmap(start, (0, None))), jax.jit(jax.vmap(end))
    rows: dict[str, list[np.ndarray]] = {name: [] for name in _NAMES}
    for width in config.widths:
        begun = starts(keys, jnp.asarray(float(width)))
        fitted, covered, loss, positive = map(np.asarray, ends(*begun))
        for name, value in zip(
            _NAMES,
            (
                np.full(len(fitted), dim),
                np.full(len(fitted), width),
                fitted.astype(float),
                covered.astype(float),
                _chance(width, positive, n),
                loss,
            ),
            strict=True,
        ):
            rows[name].append(value)
    return {name: np.concatenate(values) for name, values in rows.items()}


def _data(key: Any, dim: int, config: WidthConfig) -> "ReLUData":
    import jax

    from wflow.networks.saddle import ReLUData

    of_labels, of_lengths, of_inputs = jax.random.split(key, 3)
    n = config.samples
    y = config.labels.draw(of_labels, n)
    lengths = jax.random.uniform(
        of_lengths, (n,), minval=config.lengths.low, maxval=config.lengths.high
    )
    if dim == 0:
        return ReLUData.orthogonal(y, lengths)
    directions = jax.random.normal(of_inputs, (n, dim))
    norms = (directions**2).sum(axis=1, keepdims=True) ** 0.5
    return ReLUData.from_inputs(lengths[:, None] * directions / norms, y)


def _chance(width: int, positive: np.ndarray, n: int) -> np.ndarray:
    """The chance that orthogonal samples with these labels are covered."""
    from wflow.networks.saddle import interpolation_probability

    return np.asarray(interpolation_probability(width, positive, n - positive))


def _means(
    config: WidthConfig, columns: dict[str, np.ndarray], name: str, dim: int = 0
) -> list[float]:
    """Mean over the draws of each width."""
    return [
        float(
            np.mean(
                columns[name][(columns["dim"] == dim) & (columns["width"] == width)]
            )
        )
        for width in config.widths
    ]


def _shares(
    config: WidthConfig, columns: dict[str, np.ndarray], dim: int
) -> list[float]:
    """Share of the draws that are fitted, for each width."""
    return _means(config, columns, "fitted", dim)


def _half_width(widths: list[int], shares: list[float]) -> float:
    """The width at which half of the draws are first fitted, on the line between."""
    above = [k for k, share in enumerate(shares) if share >= 0.5]
    if not above:
        return math.nan
    k = above[0]
    if k == 0:
        return float(widths[0])
    low, high = shares[k - 1], shares[k]
    return widths[k - 1] + (0.5 - low) / (high - low) * (widths[k] - widths[k - 1])


def _outcome(config: WidthConfig, columns: dict[str, np.ndarray]) -> Outcome:
    shares = {dim: _shares(config, columns, dim) for dim in (0, *config.dims)}
    expected = _means(config, columns, "expected")
    orthogonal = columns["dim"] == 0
    agreement = float(
        np.mean(columns["fitted"][orthogonal] == columns["covered"][orthogonal])
    )
    scores = [
        abs(share - chance) / math.sqrt(chance * (1 - chance) / config.draws)
        for share, chance in zip(shares[0], expected, strict=True)
        if _LOW < chance < _HIGH
    ]
    metrics = {
        "cover_agreement": agreement,
        "max_probability_z": max(scores, default=math.nan),
        "width_half_formula": _half_width(config.widths, expected),
        "width_half_orthogonal": _half_width(config.widths, shares[0]),
    }
    for dim in config.dims:
        metrics[f"width_half_{dim}"] = _half_width(config.widths, shares[dim])
    for dim in config.dims:
        metrics[f"fitted_{dim}"] = float(np.mean(shares[dim]))
    metrics["fitted_orthogonal"] = float(np.mean(shares[0]))
    kinds = {"orthogonal": shares[0], "its formula": expected}
    kinds |= {f"random, d = {dim}": shares[dim] for dim in config.dims}
    missed = {
        f"m = {width}": [1 - values[k] for values in kinds.values()]
        for k, width in enumerate(config.widths)
    }
    title = "Share of draws that gradient descent does not fit"
    return Outcome(
        metrics,
        [ScoreTable(title, tuple(kinds), missed, ())],
        [
            f"On orthogonal inputs the cover foretells the end of {agreement:.1%} of "
            f"{int(orthogonal.sum())} runs.",
            f"Half of the draws are fitted from width "
            f"{metrics['width_half_orthogonal']:.1f} on orthogonal inputs, "
            f"{metrics[f'width_half_{config.dims[-1]}']:.1f} on random ones of "
            f"dimension {config.dims[-1]}.",
        ],
    )


TASK = SaddleWidth()
