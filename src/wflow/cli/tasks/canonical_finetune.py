"""A pretrained network fine-tuned on few points under every penalty."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.canonical_figures import (
    plot_chosen,
    plot_predictions,
    plot_strengths,
)
from wflow.cli.networks.canonical_schema import FinetuneConfig
from wflow.cli.networks.canonical_scores import (
    METHODS,
    PENALISED,
    chosen_strengths,
    chosen_table,
    scored,
    strength_table,
)
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

PREDICTIONS = "predictions.csv"


class CanonicalFinetune(AbstractTask[FinetuneConfig]):
    """Arc, anchored and standard ridge, stopping early, and none at all."""

    summary = (
        "fine-tune a small network: arc, anchored and standard ridge over strengths"
    )
    config = FinetuneConfig

    def check(self, config: FinetuneConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: FinetuneConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax
        import jax.numpy as jnp

        from wflow.cli.networks.canonical_finetuning import each_method, finetune, loss
        from wflow.cli.networks.canonical_waves import waves

        strengths = config.strengths.values()
        tasks, test = waves(config)
        models = finetune(
            tasks, jnp.asarray(strengths, config.precision), config.finetuning
        )

        def error(model: Any) -> Any:
            return 2 * loss(model, test)

        validation = each_method(loss, models, tasks.validation)
        mse = scored("mse", each_method(error, models), validation)
        directory.write_history({"strength": strengths, **mse.columns()})
        first, x, y = jax.tree.map(
            lambda leaf: leaf[0], (models, tasks.train.x, tasks.train.y)
        )
        directory.write_table(
            PREDICTIONS,
            _predictions(first, x, y, test, {k: v[0] for k, v in validation.items()}),
        )
        metrics = {
            **mse.metrics(),
            **mse.differences("arc", ("anchored", "standard", "early_stopping")),
            **{
                f"mse_{name}_best_strength": float(mse.values[name].min(1).mean())
                for name in PENALISED
            },
            **chosen_strengths(validation, strengths),
            "arc_reached_share": float(np.mean(models.reached)),
        }
        directory.write_metrics(metrics)
        self.plot(config, directory)
        return Outcome(
            metrics,
            [
                chosen_table(
                    f"Test MSE, strength chosen on {config.validation} points, mean of "
                    f"{config.repeats} repeats",
                    mse,
                    "test MSE",
                ),
                strength_table("Test MSE over the strength", mse, strengths),
            ],
            [
                "Runs of gradient descent a repeat: 1 for arc ridge, "
                f"{len(strengths)} for each of the others.",
            ],
        )

    def plot(self, config: FinetuneConfig, directory: RunDirectory) -> list[Path]:
        columns, metrics = directory.read_history(), directory.read_metrics()
        labels = {"mse": "test MSE"}
        title = f"Fine-tuning on {config.points} points, {config.repeats} repeats"
        figures = {
            "strengths": plot_strengths(columns, metrics, labels, title),
            "chosen": plot_chosen(metrics, labels, "Strength chosen on validation"),
            "predictions": plot_predictions(
                directory.read_table(PREDICTIONS),
                "The first repeat, strength chosen on validation",
            ),
        }
        return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


def _predictions(
    models: Any, x: Any, y: Any, test: Any, validation: Any
) -> dict[str, np.ndarray]:
    """Of one repeat on the grid of the test, with the points that it was tuned on."""
    import jax

    columns = {"x": np.asarray(test.x), "truth": np.asarray(test.y)}
    for name in METHODS:
        model = getattr(models, name)
        if name in PENALISED:
            best = int(np.argmin(validation[name]))
            model = jax.tree.map(lambda leaf, best=best: leaf[best], model)
        columns[name] = np.asarray(jax.vmap(model)(test.x))
    for name, values in (("train_x", x), ("train_y", y)):
        padded = np.full(len(columns["x"]), np.nan)
        padded[: len(values)] = np.asarray(values)
        columns[name] = padded
    return columns


TASK = CanonicalFinetune()
