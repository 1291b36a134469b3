"""Floor 7: figures; every function returns a matplotlib ``Figure``, none shows it."""

from .bands import BandCurve, plot_bands
from .clouds import plot_forecasts, plot_snapshots
from .growth import plot_growth, plot_masses
from .history import plot_friction, plot_frictions, plot_loss, running_median
from .interaction import plot_interaction
from .landscape import plot_landscape
from .panels import Curve, Level, Panel, plot_panels, shades
from .scores import plot_scores
from .style import coordinates


__all__ = [
    "BandCurve",
    "Curve",
    "Level",
    "Panel",
    "coordinates",
    "plot_bands",
    "plot_forecasts",
    "plot_friction",
    "plot_frictions",
    "plot_growth",
    "plot_interaction",
    "plot_landscape",
    "plot_loss",
    "plot_masses",
    "plot_panels",
    "plot_scores",
    "plot_snapshots",
    "running_median",
    "shades",
]
