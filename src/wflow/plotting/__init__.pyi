from .assimilation import plot_assimilation as plot_assimilation
from .bands import plot_bands as plot_bands
from .clouds import plot_forecasts as plot_forecasts
from .clouds import plot_snapshots as plot_snapshots
from .embedding import Embedding as Embedding
from .growth import plot_growth as plot_growth
from .growth import plot_masses as plot_masses
from .history import plot_friction as plot_friction
from .history import plot_loss as plot_loss
from .interaction import plot_interaction as plot_interaction
from .landscape import plot_landscape as plot_landscape
from .scores import plot_scores as plot_scores
from .streams import plot_streams as plot_streams

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
