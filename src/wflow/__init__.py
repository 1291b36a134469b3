"""Populations that move: measures, energies, geometries and flows in JAX.

Declare a flow from an energy and a geometry, put a measure in, ``solve``; compare with
``transport``, ``fit`` to snapshots. The most used names are here, the rest in the
rooms: ``energies``, ``kernels``, ``transport``, ``populations`` and so on.
"""

import importlib
from types import ModuleType

from . import energies, flows, geometries, kernels, learning, measures, transport
from .flows import (
    BirthDeathFlow,
    Exponential,
    GradientFlow,
    LagrangianFlow,
    LangevinFlow,
    ResettingFlow,
)
from .geometries import (
    Euclidean,
    FisherRao,
    HellingerKantorovich,
    Riemannian,
    Stein,
    Wasserstein,
)
from .learning import Fit, Snapshots, fit
from .measures import Gaussian, GaussianMixture, Grid, Particles, Phase, Point
from .parameters import Learnable
from .solve import DampedLeapfrog, Solution, solve


__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    """The studies, which are loaded when they are asked for."""
    if name == "studies":
        return importlib.import_module(f"{__name__}.studies")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BirthDeathFlow",
    "DampedLeapfrog",
    "Euclidean",
    "Exponential",
    "FisherRao",
    "Fit",
    "Gaussian",
    "GaussianMixture",
    "GradientFlow",
    "Grid",
    "HellingerKantorovich",
    "LagrangianFlow",
    "LangevinFlow",
    "Learnable",
    "Particles",
    "Phase",
    "Point",
    "ResettingFlow",
    "Riemannian",
    "Snapshots",
    "Solution",
    "Stein",
    "Wasserstein",
    "energies",
    "fit",
    "flows",
    "geometries",
    "kernels",
    "learning",
    "measures",
    "solve",
    "transport",
]
