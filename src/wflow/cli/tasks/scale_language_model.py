"""A language model with scale vectors in several ways, compared pair by pair."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.scale_figures import plot_curves
from wflow.cli.networks.scale_language_schema import LanguageModelConfig, Variant
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._tables import number, read_rows
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.networks.scale.corpus import Corpus
    from wflow.studies._task import Log

_COLUMNS = ("variant", "rate", "seed", "step", "nats", "loss", "seconds", "compiling")
# Beside every variant minus the first: pairs that the theory speaks of.
_PAIRS = (
    ("shared_decay", "shared"),
    ("branch", "shared"),
    ("two_sided", "shared"),
    ("unified", "shared_decay"),
    ("unified", "two_sided"),
    ("unified", "weight_norm"),
)

Row = tuple[str, float, int, int, float, float, float, float]


class ScaleLanguageModel(AbstractTask[LanguageModelConfig]):
    """Each variant at each learning rate, then more seeds at the best."""

    summary = "a byte-level transformer with scale vectors: nats per byte, pair by pair"
    config = LanguageModelConfig

    def check(self, config: LanguageModelConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: LanguageModelConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        from wflow.networks.scale.corpus import python_topics

        corpus = python_topics(config.held_out)
        about = {"characters": corpus.characters, "sha256": corpus.sha256}
        directory.write_json(directory.path / "corpus.json", about)
        rows = _read(directory) if resume else []
        seeds = [config.seed + k for k in range(1 + config.more_seeds)]
        for name in config.variants:
            for rate in config.rates_of(name):
                rows = self._trained(
                    config, directory, corpus, rows, name, rate, seeds[0], log
                )
            best = _best(config, rows, name)
            for seed in seeds[1:]:
                rows = self._trained(
                    config, directory, corpus, rows, name, best, seed, log
                )
        directory.write_history(_curves(config, rows, seeds))
        self.plot(config, directory)
        return _outcome(config, rows, seeds, corpus)

    def _trained(
        self,
        config: LanguageModelConfig,
        directory: RunDirectory,
        corpus: "Corpus",
        rows: list[Row],
        name: str,
        rate: float,
        seed: int,
        log: "Log",
    ) -> list[Row]:
        """``rows`` with those of one training, which is done unless they hold it."""
        if _of(rows, name, rate, seed):
            return rows
        new = _train(config, corpus, name, config.variants[name], rate, seed)
        rows = [*rows, *new]
        # As they come: whatever stops the process, what it found is there.
        directory.write_table(
            "runs.csv",
            dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True)),
        )
        *_, nats, _, seconds, compiling = new[-1]
        log(
            f"{name}, rate {rate:g}, seed {seed}: {nats:.4f} nats per byte in "
            f"{seconds:.0f} s and {compiling:.0f} s of compiling",
            highlight=False,
        )
        return rows

    def plot(self, config: LanguageModelConfig, directory: RunDirectory) -> list[Path]:
        curves = directory.read_history()
        first, *others = config.variants
        ends = {
            name: np.array(
                [curves[key][-1] for key in curves if key.startswith(f"{name}_seed")]
            )
            for name in config.variants
        }
        drawn = plot_curves(
            curves,
            list(config.variants),
            {name: ends[name] - ends[first] for name in others},
            f"A transformer of {config.model.layers} layers on Python's help texts",
        )
        return [directory.write_figure("validation", drawn)]


def _train(
    config: LanguageModelConfig,
    corpus: "Corpus",
    name: str,
    variant: Variant,
    rate: float,
    seed: int,
) -> list[Row]:
    import jax

    from wflow.networks.scale.roles import decay_mask
    from wflow.networks.scale.training import train
    from wflow.networks.scale.transformer import ByteTransformer

    weights, batches = jax.random.split(jax.random.key(seed))
    model = ByteTransformer(
        **config.model.model_dump(), scaling=variant.scaling, key=weights
    )
    recipe = config.training.recipe()
    mask = decay_mask(model, variant.decayed)
    done = train(model, corpus, mask, rate, recipe, key=batches)
    marks = range(0, recipe.steps, recipe.every)
    losses = [done.losses[k : k + recipe.every].mean() for k in marks]
    return [
        (name, rate, seed, *map(float, at), done.seconds, done.compiling)
        for at in zip(done.steps, done.validation, losses, strict=True)
    ]


def _read(directory: RunDirectory) -> list[Row]:
    path = directory.path / "runs.csv"
    if not path.is_file():
        return []
    return [
        (row["variant"], number(row, "rate"), int(number(row, "seed")))
        + tuple(number(row, name) for name in _COLUMNS[3:])
        for row in read_rows(path)
    ]


def _of(rows: Iterable[Row], name: str, rate: float, seed: int) -> list[Row]:
    return [row for row in rows if row[:3] == (name, rate, seed)]


def _best(config: LanguageModelConfig, rows: list[Row], name: str) -> float:
    """The learning rate at which the first seed ended lowest."""
    rates = config.rates_of(name)
    ends = {rate: _of(rows, name, rate, config.seed)[-1][4] for rate in rates}
    return min(ends, key=ends.__getitem__)


def _curves(
    config: LanguageModelConfig, rows: list[Row], seeds: Sequence[int]
) -> dict[str, list[float]]:
    """Validation against steps, of every variant and seed at its rate."""
    curves = {}
    for name in config.variants:
        for seed in seeds:
            run = _of(rows, name, _best(config, rows, name), seed)
            curves["step"] = [row[3] for row in run]
            curves[f"{name}_seed{seed}"] = [row[4] for row in run]
    return curves


def _outcome(
    config: LanguageModelConfig,
    rows: list[Row],
    seeds: Sequence[int],
    corpus: "Corpus",
) -> Outcome:
    metrics: dict[str, float] = {"characters": corpus.characters}
    ends, seconds = {}, []
    for name in config.variants:
        rate = _best(config, rows, name)
        runs = [_of(rows, name, rate, seed)[-1] for seed in seeds]
        ends[name] = np.array([run[4] for run in runs])
        seconds += [run[6] for run in runs]
        metrics[f"nats_{name}"] = float(ends[name].mean())
        metrics[f"nats_{name}_se"] = _standard_error(ends[name])
        metrics[f"rate_{name}"] = rate
        for tried in config.rates_of(name):
            run = _of(rows, name, tried, config.seed)[-1]
            metrics[f"nats_{name}_rate{tried:g}_seed{config.seed}"] = run[4]
    first, *others = config.variants
    pairs = [(name, first) for name in others]
    pairs += [p for p in _PAIRS if set(p) <= set(config.variants) and p not in pairs]
    remarks = [
        f"Text: {corpus.characters} characters, sha256 {corpus.sha256}.",
        f"A training of {config.training.steps} steps took {np.median(seconds):.0f} s "
        f"(median), {max(seconds):.0f} s at most, without compiling.",
    ]
    for left, right in pairs:
        gap = ends[left] - ends[right]
        mean, error = float(gap.mean()), _standard_error(gap)
        key = f"paired_{left}_minus_{right}"
        metrics[key], metrics[f"{key}_se"] = mean, error
        remarks.append(
            f"{left} - {right}: {mean:+.4f} +- {error:.4f} nats per byte over "
            f"{len(gap)} seeds, {int((gap < 0).sum())} of them below zero."
        )
    metrics["max_training_seconds"] = max(seconds)
    table = ScoreTable(
        "Validation nats per byte, each at its learning rate",
        tuple(f"seed {seed}" for seed in seeds),
        {name: row.tolist() for name, row in ends.items()},
        tuple(others),
    )
    return Outcome(metrics, [table], remarks)


def _standard_error(values: np.ndarray) -> float:
    """Of the mean; not a number for a single seed."""
    if len(values) < 2:
        return float("nan")
    return float(values.std(ddof=1) / np.sqrt(len(values)))


TASK = ScaleLanguageModel()
