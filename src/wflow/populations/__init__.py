"""Floor 6: populations seen in snapshots: protocols, scores and fields."""

from wflow.learning import (
    constant_velocity,
    mean_shift,
    ot_interpolation,
    persistence,
)

from .fields import force_field, landscape, lattice, velocity_field
from .protocols import Split, forecast_split, interpolation_split
from .scores import forecast_scores, interpolation_scores, noise_floor


__all__ = [
    "Split",
    "constant_velocity",
    "force_field",
    "forecast_scores",
    "forecast_split",
    "interpolation_scores",
    "interpolation_split",
    "landscape",
    "lattice",
    "mean_shift",
    "noise_floor",
    "ot_interpolation",
    "persistence",
    "velocity_field",
]
