"""Populations seen in snapshots: forecasts, tests, and what a learned law says."""

from ._backtest import backtest
from ._best_fit import BestFit
from ._comparison import compare
from ._coverage import coverage
from ._forecast_bands import forecast_bands
from ._lineage import Lineage, ancestors, descendants
from ._search import fit_best
from .fields import force_field, landscape, velocity_field
from .leave_one_out import hold_outs
from .reading import coefficients, interaction_profile
from .selection import select_model
from .summaries import Deviation, Mean, Quantile, Share


__all__ = [
    "BestFit",
    "Deviation",
    "Lineage",
    "Mean",
    "Quantile",
    "Share",
    "ancestors",
    "backtest",
    "coefficients",
    "compare",
    "coverage",
    "descendants",
    "fit_best",
    "force_field",
    "forecast_bands",
    "hold_outs",
    "interaction_profile",
    "landscape",
    "select_model",
    "velocity_field",
]
