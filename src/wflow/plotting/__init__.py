"""Figures; every function returns a matplotlib ``Figure``, none shows it."""

from .assimilation import plot_assimilation
from .bands import plot_bands
from .clouds import plot_forecasts, plot_snapshots
from .embedding import Embedding
from .growth import plot_growth, plot_masses
from .history import plot_friction, plot_loss
from .interaction import plot_interaction
from .landscape import plot_landscape
from .scores import plot_scores
from .streams import plot_streams


__all__ = [
    "Embedding",
    "plot_assimilation",
    "plot_bands",
    "plot_forecasts",
    "plot_friction",
    "plot_growth",
    "plot_interaction",
    "plot_landscape",
    "plot_loss",
    "plot_masses",
    "plot_scores",
    "plot_snapshots",
    "plot_streams",
]
