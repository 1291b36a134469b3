"""Energies that can be read, as a config names them."""

from typing import Annotated, Literal

from pydantic import Field

from wflow.studies._params import Strict


Positive = Annotated[float, Field(gt=0)]


class Polynomial(Strict):
    """An external potential; ``coefficients`` by monomial (``x1^2``), others zero.

    Where it is learned, they are where it starts.
    """

    kind: Literal["polynomial"]
    degree: Annotated[int, Field(ge=1, le=6)] = 2
    coefficients: dict[str, float] = {}
    learn: bool = True


class Bumps(Strict):
    """An external potential of Gaussian bumps on a lattice, ``count`` on each axis.

    Of bumps at ``centres`` with ``heights`` where these are given, ``width`` wide.
    """

    kind: Literal["bumps"]
    low: float = -2.0
    high: float = 2.0
    count: Annotated[int, Field(ge=2)] = 5
    centres: Annotated[list[list[float]], Field(min_length=1)] | None = None
    heights: list[float] | None = None
    width: Positive = 1.0
    learn: bool = True


class _PairTerm(Strict):
    softening: Positive = 1e-2
    learn: bool = True


class RadialBumps(_PairTerm):
    """A pair potential of ``count`` bumps in the distance, zero beyond ``reach``."""

    kind: Literal["radial_bumps"]
    count: Annotated[int, Field(ge=2)] = 8
    reach: Positive = 3.0


class Morse(_PairTerm):
    """A pair potential that repels below ``distance`` and attracts beyond."""

    kind: Literal["morse"]
    depth: Positive = 1.0
    length: Positive = 1.0
    distance: Positive = 1.0


class GaussianPair(_PairTerm):
    """A pair potential, height exp(-r^2 / (2 length^2)); learned of its sign."""

    kind: Literal["gaussian_pair"]
    height: float = 1.0
    length: Positive = 1.0


class PowerPair(_PairTerm):
    """A pair potential, strength r^exponent / exponent; learned of its sign."""

    kind: Literal["power"]
    strength: float = 1.0
    exponent: Positive = 2.0


Term = Polynomial | Bumps | RadialBumps | Morse | GaussianPair | PowerPair
