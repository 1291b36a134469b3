"""Floor 6: populations seen in snapshots: protocols, scores and fields."""

from wflow.learning import (
    constant_velocity,
    extrapolated_velocity,
    mean_shift,
    ot_interpolation,
    persistence,
)

from ._backtest import ModelError, backtest
from ._coverage import (
    Coverage,
    coverage,
    observations,
    persistence_bands,
    trend_bands,
)
from ._forecast_bands import ForecastBands, forecast_bands
from ._summaries import (
    AbstractSummary,
    Deviation,
    Mean,
    Quantile,
    Share,
    summaries,
    total_mass,
    units,
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
from .reading import (
    Parts,
    Profile,
    ReadingErrors,
    coefficients,
    interaction_profile,
    pair_distances,
    parts,
    reading_errors,
    temperature,
)
from .scores import (
    forecast_scores,
    half_sample_floors,
    half_sample_w1,
    interpolation_scores,
    noise_floor,
)
from .selection import Selection, select_model


__all__ = [
    "AbstractSummary",
    "Coverage",
    "Deviation",
    "ForecastBands",
    "HoldOut",
    "Mean",
    "ModelError",
    "Parts",
    "Profile",
    "Quantile",
    "ReadingErrors",
    "Selection",
    "Share",
    "Split",
    "Yardsticks",
    "backtest",
    "coefficients",
    "constant_velocity",
    "extrapolated_velocity",
    "coverage",
    "force_field",
    "forecast_bands",
    "forecast_scores",
    "forecast_split",
    "full_split",
    "growth_field",
    "half_sample_floors",
    "half_sample_w1",
    "hold_outs",
    "interaction_profile",
    "interpolation_scores",
    "interpolation_split",
    "landscape",
    "lattice",
    "mean_shift",
    "mixture",
    "noise_floor",
    "observations",
    "ot_interpolation",
    "pair_distances",
    "parts",
    "persistence",
    "persistence_bands",
    "reach",
    "reading_errors",
    "reversed_time",
    "score",
    "select_model",
    "summaries",
    "temperature",
    "total_mass",
    "trend_bands",
    "units",
    "velocity_field",
    "yardsticks",
]
