"""The config of the model: energy, growth and friction."""

from typing import Annotated, Literal

from pydantic import Field

from wflow.studies._params import Strict

from .quantities import Count, NonNegative, Positive
from .terms import Term


class Attention(Strict):
    """``AttentionPotential``."""

    kind: Literal["attention"]
    width: Count = 64
    depth: Count = 2
    heads: Count = 1
    feedforward: Count = 64
    time_dim: Annotated[int, Field(ge=0)] = 0


class MLP(Strict):
    """``MLPPotential``."""

    kind: Literal["mlp"]
    width: Count = 64
    depth: Count = 3
    time_dim: Annotated[int, Field(ge=0)] = 0


class Pair(Strict):
    """``PairPotential``."""

    kind: Literal["pair"]
    width: Count = 64
    depth: Count = 3
    softening: Positive = 1e-2


class Entropy(Strict):
    """``Entropy`` of particles: ``temperature`` times the integral of rho log rho.

    The density is that of the Gaussian with the particles' moments, or kernel-smoothed
    with ``bandwidth`` (Silverman's rule if there is none).
    """

    kind: Literal["entropy"]
    temperature: Positive = 0.1
    learn: bool = True
    density: Literal["gaussian", "kernel"] = "kernel"
    bandwidth: Positive | None = None


class Sum(Strict):
    """The sum of energies."""

    kind: Literal["sum"]
    terms: Annotated[
        list[
            Annotated[
                Attention | MLP | Pair | Entropy | Term, Field(discriminator="kind")
            ]
        ],
        Field(min_length=1),
    ]


Energy = Annotated[
    Attention | MLP | Pair | Sum | Entropy | Term, Field(discriminator="kind")
]


class Growth(Strict):
    """Births less deaths: ``GrowthFlow(NeuralRate(...))`` beside the mechanics."""

    width: Count = 32
    depth: Count = 2
    time_dim: Annotated[int, Field(ge=0)] = 0


class Friction(Strict):
    """Per unit of model time."""

    value: NonNegative = 0.1
    learn: bool = True
