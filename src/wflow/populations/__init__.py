"""Floor 6: populations seen in snapshots: protocols, scores and fields."""

from ._backtest import backtest
from ._coverage import coverage
from ._forecast_bands import forecast_bands
from .fields import force_field, growth_field, landscape, velocity_field
from .leave_one_out import hold_outs
from .protocols import forecast_split, interpolation_split
from .reading import coefficients, interaction_profile, reading_errors
from .scores import forecast_scores, half_sample_w1, interpolation_scores, noise_floor
from .selection import select_model
from .summaries import Deviation, Mean, Quantile, Share


__all__ = [
    "Deviation",
    "Mean",
    "Quantile",
    "Share",
    "backtest",
    "coefficients",
    "coverage",
    "force_field",
    "forecast_bands",
    "forecast_scores",
    "forecast_split",
    "growth_field",
    "half_sample_w1",
    "hold_outs",
    "interaction_profile",
    "interpolation_scores",
    "interpolation_split",
    "landscape",
    "noise_floor",
    "reading_errors",
    "select_model",
    "velocity_field",
]
