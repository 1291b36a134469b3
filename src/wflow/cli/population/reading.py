"""Numbers and figures of an energy that can be read."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.studies._folder import RunDirectory

from .data import true_energy
from .study import Study


if TYPE_CHECKING:
    from wflow.energies import AbstractEnergy
    from wflow.learning import Fit

# Distances at which a pair potential is drawn.
POINTS = 200


def reading_metrics(study: Study, fitted: "Fit") -> dict[str, float]:
    """Parameters with a meaning of their own, per unit of the model.

    Where the data come from known forces, the relative errors of the learned ones.
    """
    from wflow.populations import coefficients, reading_errors

    energy = fitted.mechanics.energy
    found = {
        name.replace(" ", "_"): value for name, value in coefficients(energy).items()
    }
    truth = _truth(study)
    if truth is not None:
        errors = reading_errors(energy, truth, study.split.train)._asdict()
        found |= {
            f"{name}_force_error": error
            for name, error in errors.items()
            if error is not None
        }
    return found


def draw_interaction(
    study: Study, fitted: "Fit", directory: RunDirectory
) -> list[Path]:
    """The pair potential of the fitted energy, if it has one, in the model's units."""
    from wflow.plotting import plot_interaction
    from wflow.populations import interaction_profile, pair_distances

    train = fitted.snapshots
    observed = pair_distances(train)
    r = np.linspace(0, np.quantile(observed, 0.995), POINTS, dtype=train.dtype)
    energy, truth = fitted.mechanics.energy, _truth(study)
    profile = interaction_profile(energy, r, dim=train.dim)
    if profile is None:
        return []
    true = truth and interaction_profile(truth, r, dim=train.dim)
    figure = plot_interaction(
        *profile,
        true_potential=None if true is None else true.potential,
        true_force=None if true is None else true.force,
        observed=observed,
        unit="standardised units"
        if study.config.data.standardise
        else "units of the data",
    )
    return [directory.write_figure("interaction", figure)]


def _truth(study: Study) -> "AbstractEnergy | None":
    """The energy behind the data, where it is known and in the model's units."""
    data = study.config.data
    if data.standardise or data.time.unit != 1:
        return None
    return true_energy(data)
