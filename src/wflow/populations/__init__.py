"""Floor 6: populations seen in snapshots: protocols, scores and fields."""

from wflow.learning import (
    constant_velocity,
    mean_shift,
    ot_interpolation,
    persistence,
)

from .fields import force_field, growth_field, landscape, lattice, velocity_field
from .leave_one_out import (
    HoldOut,
    Yardsticks,
    hold_outs,
    mixture,
    reach,
    reversed_time,
    score,
    yardsticks,
)
from .protocols import Split, forecast_split, full_split, interpolation_split
from .scores import (
    forecast_scores,
    half_sample_w1,
    interpolation_scores,
    noise_floor,
)


__all__ = [
    "HoldOut",
    "Split",
    "Yardsticks",
    "constant_velocity",
    "force_field",
    "forecast_scores",
    "forecast_split",
    "full_split",
    "growth_field",
    "half_sample_w1",
    "hold_outs",
    "interpolation_scores",
    "interpolation_split",
    "landscape",
    "lattice",
    "mean_shift",
    "mixture",
    "noise_floor",
    "ot_interpolation",
    "persistence",
    "reach",
    "reversed_time",
    "score",
    "velocity_field",
    "yardsticks",
]
